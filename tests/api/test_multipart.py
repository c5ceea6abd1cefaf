"""Reading multipart/form-data: what any client may send is a form or a refusal, never anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.api.multipart import MAX_PARTS, Form, parse_form
from gateway.core.errors import Invalid

GOOD = (
    b'--BB\r\nContent-Disposition: form-data; name="to[0]"\r\n\r\nann@abroad.test\r\n'
    b'--BB\r\nContent-Disposition: form-data; name="to[]"\r\n\r\n\xc3\xbc\r\n'
    b"--BB\r\nContent-Disposition: form-data; name=to; filename*=utf-8''%E2%82%AC.txt\r\n"
    b"Content-Type: text/plain\r\n\r\nx\r\n--B\r\n\r\n--BB--\r\n"
)


def read(data: bytes) -> Form | None:
    """The form, or None for a refusal."""
    try:
        return parse_form(data, b"BB")
    except Invalid:
        return None


def test_a_name_may_be_indexed() -> None:
    form = parse_form(GOOD, b"BB")
    assert form.all("to") == ["ann@abroad.test", "ü"]
    (file,) = form.files
    assert (file.field, file.filename, file.content_type, file.content) == (
        "to", "€.txt", "text/plain", b"x\r\n--B\r\n",
    )  # fmt: skip
    with pytest.raises(Invalid, match="2 times"):
        form.one("to")
    assert form.one("cc") is None


@pytest.mark.parametrize("cut", range(len(GOOD) - 4))
def test_a_form_that_ends_early_is_refused(cut: int) -> None:
    assert read(GOOD[:cut]) is None


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=40), st.integers(0, 40))
def test_a_form_with_other_octets_in_it_is_a_form_or_refused(at: int, put: bytes, gone: int) -> None:
    read(GOOD[:at] + put + GOOD[at + gone :])


@given(st.binary(max_size=300))
def test_headers_of_any_octets_are_read_or_refused(octets: bytes) -> None:
    read(b"--BB\r\nContent-Disposition: form-data; name=a" + octets + b"\r\n\r\nx\r\n--BB--\r\n")


def test_too_many_parts_are_refused() -> None:
    part = b'--BB\r\nContent-Disposition: form-data; name="cc"\r\n\r\na@b.test\r\n'
    assert len(parse_form(part * MAX_PARTS + b"--BB--\r\n", b"BB").texts) == MAX_PARTS
    with pytest.raises(Invalid, match="parts"):
        parse_form(part * (MAX_PARTS + 1) + b"--BB--\r\n", b"BB")


@pytest.mark.parametrize("filling", [b"\r\n--B", b"\r", b"-", b"\r\n--BBx", b"a"])
@pytest.mark.timeout(60)  # with the square of its length it would take hours
def test_a_large_file_costs_what_it_weighs(filling: bytes) -> None:
    octets = filling * (25 * 1024 * 1024 // len(filling))
    read(
        b'--BB\r\nContent-Disposition: form-data; name="a"; filename="x"\r\n\r\n' + octets + b"\r\n--BB--\r\n"
    )
