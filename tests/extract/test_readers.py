"""What each kind of file gives: real files through the real, confined processes."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator

import pypdf
import pytest
from PIL import Image

from gateway.extract.document import read_document
from gateway.extract.kinds import kind_of
from gateway.extract.pool import ExtractPool
from gateway.extract.types import UNSUPPORTED, Extracted, Wanted
from gateway.mime.parse import parse
from tests.extract import files
from tests.extract.conftest import needs_tesseract
from tests.extract.files import File

pytestmark = pytest.mark.anyio

BINARY = "application/octet-stream"


@pytest.fixture
async def pool() -> AsyncIterator[ExtractPool]:
    async with ExtractPool(1) as one:
        yield one


async def read_both(pool: ExtractPool, *given: File) -> list[Extracted]:
    """What is found in files, in order: the same in a confined process and without one.

    Not for files made to hurt: without the process nothing bounds them.
    """
    found = await read(pool, *given)
    assert found == [unconfined(*one) for one in given]
    return found


async def read(pool: ExtractPool, *given: File) -> list[Extracted]:
    """What a confined process finds in files, in order."""
    raw = files.mail(*given)
    parsed = parse(raw)
    assert len(parsed.attachments) == len(given)
    found = await pool.extract(raw, parsed.attachments)
    return [found[one.id] for one in parsed.attachments]


def unconfined(filename: str, content_type: str, data: bytes) -> Extracted:
    """What the same readers find without a process and a sandbox."""
    content_type, _, parameters = content_type.partition(";")
    charset = parameters.partition("charset=")[2].strip('" ') or None
    kind = kind_of(data, content_type, filename)
    if kind is None:
        return UNSUPPORTED
    return read_document(data, kind, Wanted("1", content_type, filename), charset, "eng")


async def test_pdf_by_type_by_name_and_by_its_first_octets(pool: ExtractPool) -> None:
    data = files.pdf("Invoice 4711", "Second page")
    found = await read_both(
        pool,
        ("a.pdf", "application/pdf", data),
        ("invoice.pdf", BINARY, data),
        ("invoice", BINARY, data),
        ("photo.jpg", "image/jpeg", b"\r\n" + data),
    )
    assert found == [Extracted("pdf", "Invoice 4711\n\nSecond page")] * 4


async def test_what_cannot_be_read_as_pdf_is_pdf_error(pool: ExtractPool) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(files.pdf("secret")))
    writer.encrypt("password", algorithm="AES-256")
    locked = io.BytesIO()
    writer.write(locked)
    found = await read_both(
        pool,
        ("cut.pdf", "application/pdf", files.pdf("text")[:60]),
        ("none.pdf", "application/pdf", b"no PDF at all"),
        ("named.pdf", BINARY, b"\x01\x02\x03"),
        ("locked.pdf", "application/pdf", locked.getvalue()),
    )
    assert found == [Extracted("pdf_error")] * 4


async def test_pdf_that_only_its_owner_may_change_is_read(pool: ExtractPool) -> None:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(files.pdf("open to all")))
    writer.encrypt("", "owner", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    assert await read_both(pool, ("a.pdf", BINARY, out.getvalue())) == [Extracted("pdf", "open to all")]


async def test_word(pool: ExtractPool) -> None:
    table = (
        "<w:tbl><w:tr><w:tc>"
        + files.paragraph("Item")
        + "</w:tc><w:tc>"
        + files.paragraph("4 EUR")
        + "</w:tc></w:tr></w:tbl>"
    )
    body = (
        "<w:p><w:pPr><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr><w:r><w:t>One</w:t><w:tab/><w:t>two</w:t><w:br/>"
        "<w:t>three</w:t></w:r></w:p>"
        + files.paragraph("for machines only", "<w:vanish/>")
        + files.paragraph("shown again", '<w:vanish w:val="0"/>')
        + table
    )
    header = f'<w:hdr xmlns:w="{files._WORD}">{files.paragraph("Letterhead")}</w:hdr>'
    data = files.docx(
        body,
        **{
            "word/_rels/document.xml.rels": files.relations(r9=("header", "header1.xml")),
            "word/header1.xml": header,
        },
    )
    assert await read_both(pool, ("a.docx", BINARY, data)) == [
        Extracted("office", "Letterhead\n\nOne\ttwo\nthree\n\nshown again\nItem\t4 EUR")
    ]


async def test_excel(pool: ExtractPool) -> None:
    rows = (
        '<row r="1"><c r="A1" t="s"><v>1</v></c><c r="C1" t="inlineStr"><is><t>in line</t></is></c></row>'
        '<row r="2"><c r="A2" s="1"><v>46347</v></c><c r="B2" s="2"><v>46347.75</v></c>'
        '<c r="C2" s="3"><v>2.5</v></c><c r="D2" t="b"><v>1</v></c><c r="E2" t="str"><f>A1</f><v>sum</v></c></row>'
        '<row r="9"/>'
    )
    strings = "<si><t>unused</t></si><si><r><t>Na</t></r><r><t>me</t></r><rPh><t>phonetic</t></rPh></si>"
    one = files.xlsx(rows, strings)
    two = files.xlsx(
        rows,
        strings,
        '<sheet name="One" sheetId="1" r:id="r1"/><sheet name="Two" sheetId="2" r:id="r4"/>'
        '<sheet name="Secret" sheetId="3" state="hidden" r:id="r4"/>',
    )
    text = "Name\t\tin line\n2026-11-21\t2026-11-21 18:00:00\t2.5\tTRUE\tsum"
    assert await read_both(pool, ("a.xlsx", BINARY, one), ("b.xlsx", BINARY, two)) == [
        Extracted("office", text),
        Extracted("office", f"One\n{text}\n\nTwo\nsecond"),
    ]


async def test_powerpoint_in_the_order_of_the_slides(pool: ExtractPool) -> None:
    data = files.pptx("first", "second", "third")
    assert await read_both(pool, ("a.pptx", BINARY, data)) == [
        Extracted("office", "first\n\nsecond\n\nthird")
    ]


async def test_opendocument(pool: ExtractPool) -> None:
    text = files.odt(
        "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h>Head</text:h><text:p>a"
        '<text:s text:c="3"/>b<text:tab/>c<text:line-break/>d</text:p>'
        "<table:table><table:table-row><table:table-cell><text:p>x</text:p>"
        "</table:table-cell><table:table-cell><text:p>y</text:p></table:table-cell></table:table-row></table:table>"
    )
    other = files.odt("<text:p>x</text:p>", "application/vnd.oasis.opendocument.formula")
    assert await read_both(pool, ("a.odt", BINARY, text), ("f.odf", BINARY, other)) == [
        Extracted("office", "Head\na   b\tc\nd\nx\ty"),
        Extracted("unsupported"),
    ]


async def test_office_files_that_are_none(pool: ExtractPool) -> None:
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert await read_both(
        pool,
        ("plain.zip", "application/zip", files.archive({"a.txt": "hello"})),
        ("cut.docx", kind, files.docx(files.paragraph("x"))[:-40]),
        ("empty.docx", kind, files.archive({"[Content_Types].xml": "<Types/>"})),
        ("text.docx", kind, b"just text"),
    ) == [
        Extracted("unsupported"),
        Extracted("office_error"),
        Extracted("office_error"),
        Extracted("office_error"),
    ]


async def test_tables_and_text_in_any_charset(pool: ExtractPool) -> None:
    latin = "Größe;Menge\r\n1;2\r\n".encode("cp1252")
    wide = "a\tb\n日本\t2".encode("utf-16")
    assert await read_both(
        pool,
        ("a.csv", "text/csv", latin),
        ("b.csv", "application/vnd.ms-excel", b"x,y\n1,2"),
        ("c.tsv", BINARY, wide),
        ("d.json", "application/json", '{"ä":1}'.encode()),
        ("e.log", BINARY, b"line\rline"),
        ("f.md", "text/markdown", "# 標題".encode()),
        ("g.yaml", BINARY, b"\xef\xbb\xbfa: 1"),
        ("h.bin", BINARY, b"\x01\x02"),
        ("i.txt", "text/plain", b"\x7fELF\0\0\0"),
        ("j.txt", "text/plain", b"BMW or not"),
    ) == [
        Extracted("csv", "Größe;Menge\n1;2\n"),
        Extracted("csv", "x,y\n1,2"),
        Extracted("csv", "a\tb\n日本\t2"),
        Extracted("text", '{"ä":1}'),
        Extracted("text", "line\nline"),
        Extracted("text", "# 標題"),
        Extracted("text", "a: 1"),
        Extracted("unsupported"),
        Extracted("text_error"),
        Extracted("text", "BMW or not"),
    ]


async def test_html_shows_what_a_person_sees(pool: ExtractPool) -> None:
    page = b"<title>no</title><p>Seen</p><p style='display:none'>for machines</p><script>no</script>"
    assert (
        await read_both(pool, ("a.html", "text/html", page), ("b.htm", BINARY, page))
        == [Extracted("text", "Seen")] * 2
    )


async def test_text_is_cut_at_fifty_thousand_characters(pool: ExtractPool) -> None:
    text, pages = await read_both(
        pool,
        ("a.txt", "text/plain", "ü".encode() * 60_001),
        ("a.pdf", BINARY, files.pdf(*["word " * 2_000] * 10)),
    )
    assert text == Extracted("text", "ü" * 50_000)
    assert pages.method == "pdf"
    assert len(pages.text or "") == 50_000


async def test_text_of_one_message_is_bounded(pool: ExtractPool) -> None:
    found = await read(pool, *[(f"{n}.txt", "text/plain", b"x" * 50_000) for n in range(12)])
    assert [one.method for one in found] == ["text"] * 10 + ["skipped_too_large"] * 2


@needs_tesseract
async def test_words_in_pictures(pool: ExtractPool) -> None:
    turned = Image.open(io.BytesIO(files.picture("Invoice 4711"))).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright: turn by 90 degrees to look at it
    photo = io.BytesIO()
    turned.save(photo, "JPEG", exif=exif)
    assert (
        await read_both(
            pool,
            ("a.png", "image/png", files.picture("Invoice 4711")),
            ("b.jpg", BINARY, files.picture("Invoice 4711", "JPEG")),
            ("c.tiff", "image/tiff", files.picture("Invoice 4711", "TIFF")),
            ("d.webp", "image/webp", files.picture("Invoice 4711", "WEBP")),
            ("e.bmp", "image/bmp", files.picture("Invoice 4711", "BMP")),
            ("clear.png", "image/png", files.picture("Invoice 4711", transparent=True)),
            ("photo.jpg", "image/jpeg", photo.getvalue()),
        )
        == [Extracted("ocr", "Invoice 4711")] * 7
    )


@needs_tesseract
async def test_pictures_without_words_and_broken_ones(pool: ExtractPool) -> None:
    dot = io.BytesIO()
    Image.new("RGB", (1, 1)).save(dot, "GIF")
    assert await read_both(
        pool,
        ("dot.gif", "image/gif", dot.getvalue()),
        ("cut.png", "image/png", files.picture("Invoice")[:2000]),
        ("x.heic", "image/heic", b"\0\0\0\x18ftypheic"),
    ) == [Extracted("ocr", ""), Extracted("ocr_error"), Extracted("unsupported")]


async def test_without_tesseract_a_picture_is_unsupported(
    monkeypatch: pytest.MonkeyPatch, pool: ExtractPool
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert await read(pool, ("a.png", "image/png", files.picture("Invoice"))) == [Extracted("unsupported")]


async def test_sound_and_mail_are_not_even_looked_at(pool: ExtractPool) -> None:
    found = await read(pool, ("a.mp3", "audio/mpeg", files.pdf("x")), ("a.mp4", "video/mp4", b"PK\x03\x04"))
    assert found == [Extracted("unsupported")] * 2
    assert not pool._processes
