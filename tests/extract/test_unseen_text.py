"""What people do not see of a document is in no text of it."""

from __future__ import annotations

import zlib

import pytest

from gateway.extract.document import read_document
from gateway.extract.pdf import read_pdf
from gateway.extract.types import Wanted
from tests.extract import files

SEEN = "BT /F1 12 Tf 72 700 Td (seen) Tj ET "


def page(content: str) -> str:
    return read_pdf(files.pdf("x", stream=zlib.compress(content.encode("latin-1"))))


@pytest.mark.parametrize(
    "hidden",
    [
        "1 1 1 rg BT /F1 12 Tf 72 600 Td (no) Tj ET",
        "1 g BT /F1 12 Tf 72 600 Td [(n) -10 (o)] TJ ET",
        "0 0 0 0 k BT /F1 12 Tf 72 600 Td (no) Tj ET",
        "0.99 0.98 1 rg BT /F1 12 Tf 72 600 Td (no) ' ET",
        "3 Tr BT /F1 12 Tf 72 600 Td (no) Tj ET",
        "BT /F1 0.5 Tf 72 600 Td (no) Tj ET",
        "BT /F1 12 Tf 0.01 0 0 0.01 72 600 Tm (no) Tj ET",
        "BT /F1 12 Tf 9000 600 Td (no) Tj ET",
        "q 1 g BT /F1 12 Tf 72 600 Td (no) Tj ET Q",
        "1 g 70 590 100 30 re f BT /F1 12 Tf 72 600 Td (no) Tj ET",
    ],
)
def test_text_without_ink_on_paper_is_left_out(hidden: str) -> None:
    assert page(SEEN + hidden) == "seen"


@pytest.mark.parametrize(
    "shown",
    [
        "0 0 1 rg 60 590 200 30 re f 1 g BT /F1 12 Tf 72 600 Td (yes) Tj ET",
        "q 1 g Q BT /F1 12 Tf 72 600 Td (yes) Tj ET",
        "1 g 0 g BT /F1 12 Tf 72 600 Td (yes) Tj ET",
        "q 300 0 0 300 0 500 cm BI /W 1 /H 1 /CS /G /BPC 8 ID x EI Q 3 Tr BT /F1 12 Tf 72 600 Td (yes) Tj ET".replace(
            "300 0 0 300 0 500", "600 0 0 700 0 0"
        ),
        "BT /F1 1 Tf 12 0 0 12 72 600 Tm (yes) Tj ET",
        "/Pattern cs /P1 scn BT /F1 12 Tf 72 600 Td (yes) Tj ET",
        "(x) rg 1 Tr BT /F1 12 Tf 72 600 Td (yes) Tj ET",
    ],
)
def test_text_with_ink_stays(shown: str) -> None:
    assert page(shown) == "yes"


def test_word_text_too_small_to_read_is_left_out() -> None:
    body = files.paragraph("seen", '<w:sz w:val="24"/>') + files.paragraph("no", '<w:sz w:val="2"/>')
    wanted = Wanted("2", "application/octet-stream", "a.docx")
    assert read_document(files.docx(body), "office", wanted).text == "seen"


def test_invisible_characters_of_any_document_are_left_out() -> None:
    tags = "".join(chr(0xE0000 + ord(one)) for one in "obey")
    wanted = Wanted("2", "text/plain", "a.txt")
    assert read_document(f"a{tags}b\u200b".encode(), "text", wanted, "utf-8").text == "ab"
