"""Real files, and hostile ones, made from nothing but the standard library and Pillow."""

from __future__ import annotations

import io
import secrets
import struct
import zipfile
import zlib
from email.message import EmailMessage

from PIL import Image, ImageDraw, ImageFont

_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
_SLIDES = "http://schemas.openxmlformats.org/presentationml/2006/main"


def archive(members: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name, content)
    return out.getvalue()


def relations(**targets: tuple[str, str]) -> str:
    rows = "".join(
        f'<Relationship Id="{id}" Type="{_REL}/{kind}" Target="{path}"/>'
        for id, (kind, path) in targets.items()
    )
    return f'<?xml version="1.0"?><Relationships xmlns="{_RELS}">{rows}</Relationships>'


def docx(body: str, **more: str | bytes) -> bytes:
    """A Word file; ``body`` is what stands in ``w:body``."""
    return archive(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(r1=("officeDocument", "word/document.xml")),
            "word/document.xml": f'<w:document xmlns:w="{_WORD}"><w:body>{body}</w:body></w:document>',
            **more,
        }
    )


def paragraph(text: str, properties: str = "") -> str:
    return f"<w:p><w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r></w:p>"


def xlsx(rows: str, strings: str = "", sheets: str = '<sheet name="One" sheetId="1" r:id="r1"/>') -> bytes:
    return archive(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(r1=("officeDocument", "xl/workbook.xml")),
            "xl/workbook.xml": f'<workbook xmlns="{_SHEET}" xmlns:r="{_REL}"><sheets>{sheets}</sheets></workbook>',
            "xl/_rels/workbook.xml.rels": relations(
                r1=("worksheet", "worksheets/sheet1.xml"),
                r2=("sharedStrings", "sharedStrings.xml"),
                r3=("styles", "styles.xml"),
                r4=("worksheet", "worksheets/sheet2.xml"),
            ),
            "xl/sharedStrings.xml": f'<sst xmlns="{_SHEET}">{strings}</sst>',
            "xl/styles.xml": f'<styleSheet xmlns="{_SHEET}"><numFmts><numFmt numFmtId="170" '
            'formatCode="[$-407]d/ mmm yyyy"/><numFmt numFmtId="171" formatCode="0.00 &quot;days&quot;"/></numFmts>'
            '<cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/><xf numFmtId="171"/></cellXfs>'
            "</styleSheet>",
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_SHEET}"><sheetData>{rows}</sheetData></worksheet>',
            "xl/worksheets/sheet2.xml": f'<worksheet xmlns="{_SHEET}"><sheetData><row><c t="inlineStr"><is><t>'
            "second</t></is></c></row></sheetData></worksheet>",
        }
    )


def pptx(*slides: str) -> bytes:
    """Slides given in order, kept in files whose numbers run the other way."""
    names = {f"r{number}": f"slides/slide{len(slides) - number}.xml" for number in range(len(slides))}
    listed = "".join(f'<p:sldId id="{256 + n}" r:id="r{n}"/>' for n in range(len(slides)))
    return archive(
        {
            "[Content_Types].xml": "<Types/>",
            "_rels/.rels": relations(r1=("officeDocument", "ppt/presentation.xml")),
            "ppt/presentation.xml": f'<p:presentation xmlns:p="{_SLIDES}" xmlns:r="{_REL}"><p:sldIdLst>{listed}'
            "</p:sldIdLst></p:presentation>",
            "ppt/_rels/presentation.xml.rels": relations(
                **{id: ("slide", path) for id, path in names.items()}
            ),
            **{
                f"ppt/{names[f'r{n}']}": f'<p:sld xmlns:p="{_SLIDES}" xmlns:a="{_DRAWING}"><a:p><a:r><a:t>{text}'
                "</a:t></a:r></a:p></p:sld>"
                for n, text in enumerate(slides)
            },
        }
    )


def odt(body: str, mimetype: str = "application/vnd.oasis.opendocument.text") -> bytes:
    spaces = "urn:oasis:names:tc:opendocument:xmlns"
    return archive(
        {
            "mimetype": mimetype,
            "content.xml": f'<o:document-content xmlns:o="{spaces}:office:1.0" xmlns:text="{spaces}:text:1.0" '
            f'xmlns:table="{spaces}:table:1.0"><o:body>{body}</o:body></o:document-content>',
        }
    )


def pdf(*pages: str, stream: bytes | None = None) -> bytes:
    """A PDF 1.4 with one line of text a page; ``stream`` replaces the pages' content (already deflated)."""
    objects = [b"<</Type/Catalog/Pages 2 0 R>>", b""]
    kids = []
    for text in pages:
        content = stream or zlib.compress(f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET".encode("latin-1"))
        objects.append(b"<</Length %d/Filter/FlateDecode>>stream\n%s\nendstream" % (len(content), content))
        objects.append(
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents %d 0 R/Resources<</Font<</F1<</Type/Font"
            b"/Subtype/Type1/BaseFont/Helvetica>>>>>>>>" % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<</Type/Pages/Kids[%s]/Count %d>>" % (b" ".join(kids), len(kids))
    return assemble(objects)


def assemble(objects: list[bytes]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    out = b"%PDF-1.4\n"
    places = []
    for number, one in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    return (
        out + table + b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(out))
    )


def picture(text: str, kind: str = "PNG", *, transparent: bool = False) -> bytes:
    """Black words on white, or on nothing."""
    size = (1100, 200)
    image = Image.new("RGBA", size, (0, 0, 0, 0)) if transparent else Image.new("RGB", size, "white")
    ImageDraw.Draw(image).text((40, 60), text, font=ImageFont.load_default(56), fill="black")
    out = io.BytesIO()
    image.save(out, kind)
    return out.getvalue()


def huge_png(width: int = 60_000, height: int = 60_000) -> bytes:
    """A small file that says it is huge, and is: every row of it is there."""
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(b"\0" * (width // 8 + 1)) for _ in range(height)) + rows.flush()
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
        (b"IDAT", data),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


def deflated(pieces: int, piece: bytes = b"\0" * 1_000_000) -> bytes:
    """``pieces`` times ``piece``, deflated: a megabyte of zeros takes a thousand octets."""
    made = zlib.compressobj(9)
    return b"".join(made.compress(piece) for _ in range(pieces)) + made.flush()


def billion_laughs() -> str:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY l0 "ha">{levels}]>'


def slow_pdf(operators: int = 600_000) -> bytes:
    """A small PDF that keeps its reader busy: 100,000 operators are about a second, and there is no text."""
    return pdf("x", stream=zlib.compress(b"BT /F1 1 Tf " + b"() Tj " * operators + b"ET"))


def endless_pdf() -> bytes:
    """A PDF that would keep its reader busy for minutes: each page is slow, and there are many."""
    return pdf(*["x"] * 60, stream=zlib.compress(b"BT /F1 1 Tf " + b"() Tj " * 300_000 + b"ET"))


File = tuple[str, str, bytes]
"""Name, content type, octets."""


def mail(*files: File, to: str = "agent@x.test", subject: str = "Files") -> bytes:
    """A mail with these attachments."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Ann <ann@abroad.test>", to, subject
    message["Message-ID"] = f"<{secrets.token_hex(8)}@abroad.test>"
    message["Date"] = "Sat, 21 Nov 2026 05:00:00 +0000"
    message.set_content("See the files.\n")
    for name, kind, data in files:
        main, _, sub = kind.partition("/")
        message.add_attachment(data, maintype=main, subtype=sub, filename=name)
    return message.as_bytes()
