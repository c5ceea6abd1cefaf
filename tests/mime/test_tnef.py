"""What Outlook packs into winmail.dat is listed and read like other attachments."""

from __future__ import annotations

import base64
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mime.attachment_content import attachment_content
from gateway.mime.attachments import attachment_id
from gateway.mime.parse import parse
from gateway.mime.tnef import read_tnef

MESSAGE_OBJECT = bytes.fromhex("0703020000000000c000000000000046")


def attribute(number: int, value: bytes, level: int = 2) -> bytes:
    return struct.pack("<BII", level, number, len(value)) + value + struct.pack("<H", sum(value) & 0xFFFF)


def padded(value: bytes) -> bytes:
    return value + b"\0" * (-len(value) % 4)


def properties(*given: tuple[int, int, bytes]) -> bytes:
    """MAPI properties: (number, type, value); one with a name and one with two numbers come before them."""
    named = struct.pack("<HH16sII", 0x1F, 0x8001, b"g" * 16, 1, 6) + padded("ab\0".encode("utf-16-le"))
    named += struct.pack("<II", 1, 4) + "x\0".encode("utf-16-le")
    many = struct.pack("<HHIII", 0x1003, 0x3999, 2, 7, 8)
    rest = b"".join(
        struct.pack("<HHII", kind, number, 1, len(value)) + padded(value) for number, kind, value in given
    )
    return struct.pack("<I", 2 + len(given)) + named + many + rest


def text16(value: str) -> bytes:
    return (value + "\0").encode("utf-16-le")


def file(title: bytes, content: bytes, *more: tuple[int, int, bytes]) -> bytes:
    out = attribute(0x69002, b"\0" * 14) + attribute(0x18010, title + b"\0") + attribute(0x6800F, content)
    return out + attribute(0x69005, properties(*more))


def stream(*files: bytes) -> bytes:
    page = attribute(0x69007, struct.pack("<II", 1252, 0), level=1)
    return struct.pack("<IH", 0x223E9F78, 1) + page + b"".join(files)


TWO = stream(
    file(
        b"REPORT~1.PDF",
        b"%PDF-1",
        (0x3707, 0x1F, text16("Bericht für März.pdf")),
        (0x370E, 0x1E, b"application/pdf\0"),
    ),
    file("Grüße.txt".encode("cp1252"), b"hello\r\n", (0x3712, 0x1E, b"one@x\0")),
)  # fmt: skip


def mail(data: bytes, kind: str = "application/ms-tnef; name=winmail.dat") -> bytes:
    part = base64.encodebytes(data).decode().replace("\n", "\r\n")
    return (
        "From: a@b.c\r\nSubject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText\r\n"
        f"--b\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n{part}--b\r\n"
        "Content-Type: image/png; name=after.png\r\n\r\npng\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize(
    "kind",
    [
        "application/ms-tnef",
        "application/vnd.ms-tnef; name=x.bin",
        "application/octet-stream; name=WINMAIL.DAT",
    ],
)
def test_the_files_are_attachments_beside_it(kind: str) -> None:
    raw = mail(TWO, kind)
    got = parse(raw)
    assert (got.text or "").strip() == "Text"
    assert [(one.filename, one.content_type, one.size) for one in got.attachments[1:]] == [
        ("Bericht für März.pdf", "application/pdf", 6),
        ("Grüße.txt", "application/octet-stream", 7),
        ("after.png", "image/png", 3),
    ]
    assert got.attachments[2].content_id == "one@x"
    for one, content in zip(got.attachments[1:3], (b"%PDF-1", b"hello\r\n"), strict=True):
        assert one.encoding == "", "no IMAP section has it"
        for wanted in (one.id, one.part):
            found = attachment_content(raw, wanted)
            assert found is not None
            assert (found.data, found.attachment) == (content, one)
    assert got.attachments[0].id == attachment_id(got.identity, "2"), "the packed part keeps its id"


def test_a_message_in_it_is_opened_too() -> None:
    inner = file(b"letter", b"a placeholder", (0x3701, 0x0D, MESSAGE_OBJECT + TWO))
    got = parse(mail(stream(inner)))
    assert [(one.part, one.filename) for one in got.attachments] == [
        ("2", "winmail.dat"),
        ("2:1", "letter"),
        ("2:1:1", "Bericht für März.pdf"),
        ("2:1:2", "Grüße.txt"),
        ("3", "after.png"),
    ]


def test_depth_and_number_are_bounded() -> None:
    nested = TWO
    for _ in range(20):
        nested = stream(file(b"m", b"", (0x3701, 0x0D, MESSAGE_OBJECT + nested)))
    assert [one.part for one in parse(mail(nested)).attachments] == ["2", "2:1", "2:1:1", "2:1:1:1", "3"]
    got = parse(mail(stream(*[file(b"f", b"")] * 400)))
    assert (len(got.attachments), got.traits.unlisted_attachments) == (250, 2)


@pytest.mark.parametrize("data", [b"", b"x" * 100, TWO[:5], stream()])
def test_what_is_none_has_no_files(data: bytes) -> None:
    assert len(parse(mail(data)).attachments) == 2


@settings(max_examples=300, deadline=None)
@given(
    st.integers(0, len(TWO)),
    st.lists(st.tuples(st.integers(0, len(TWO) - 1), st.integers(0, 255)), max_size=8),
)
def test_a_damaged_one_is_read_as_far_as_it_goes(length: int, changes: list[tuple[int, int]]) -> None:
    octets = bytearray(TWO)
    for position, value in changes:
        octets[position] = value
    data = bytes(octets[:length])
    assert sum(len(one.content) for one in read_tnef(data)) <= len(data)
