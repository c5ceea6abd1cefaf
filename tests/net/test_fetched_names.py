from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.naming import file_name, media_type


@pytest.mark.parametrize(
    ("disposition", "path", "name"),
    [
        ('attachment; filename="a b.pdf"', "/x", "a b.pdf"),
        ("attachment; filename*=UTF-8''%e2%82%ac.txt", "/x", "€.txt"),
        ('attachment; filename="../../etc/passwd"', "/x", "passwd"),
        ('attachment; filename="C:\\\\tmp\\\\x.exe"', "/x", "x.exe"),
        ('attachment; filename="a\u202egpj.exe"', "/x", "agpj.exe"),
        ("attachment; filename*=nonsense''%ff", "/f.txt", "ÿ"),
        ('attachment; filename=".."', "/files/r%C3%A9sum%C3%A9.pdf", "résumé.pdf"),
        ("", "/a%2F..%2Fb.png", "b.png"),
        ("", "/", "attachment"),
        ("inline", "/%00%0a", "attachment"),
    ],
)
def test_names(disposition: str, path: str, name: str) -> None:
    assert file_name(disposition, path) == name


def test_long_names_keep_their_ending() -> None:
    made = file_name("", "/" + "a" * 500 + ".docx")
    assert len(made) == 200
    assert made.endswith(".docx")


@pytest.mark.timeout(20)
def test_a_hostile_disposition_costs_nothing() -> None:
    assert file_name("attachment" + ";" * 8000, "/x.bin") == "x.bin"
    assert file_name('attachment; a="' + ";" * 2000, "/x.bin") == "x.bin"


@given(st.text(max_size=80), st.text(max_size=80))
def test_any_name_is_bare(disposition: str, path: str) -> None:
    made = file_name(disposition, "/" + path)
    assert 0 < len(made) <= 200
    assert not set(made) & set("/\\\r\n\0\u202e")


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("Text/HTML; charset=x", "text/html"),
        ("", "application/octet-stream"),
        ("text", "application/octet-stream"),
        ("text/html\r\nX: y", "application/octet-stream"),
        ("image/svg+xml", "image/svg+xml"),
    ],
)
def test_media_types(header: str, kind: str) -> None:
    assert media_type(header) == kind
