"""Decoding in chunks, signed links, file names in headers, and request files."""

from __future__ import annotations

import base64
import quopri
import random
from collections.abc import AsyncIterator

import pytest

from gateway.api.downloads import disposition
from gateway.core.errors import Forbidden
from gateway.core.mail.attachments import decoded
from gateway.core.signed_links import sign, verify

pytestmark = pytest.mark.anyio


async def pieces(data: bytes, dice: random.Random) -> AsyncIterator[bytes]:
    at = 0
    while at < len(data):
        step = dice.choice([1, 2, 3, 5, 60, 77, 4096])
        yield data[at : at + step]
        at += step


@pytest.mark.parametrize("seed", range(8))
async def test_any_cut_decodes_to_the_same_octets(seed: int) -> None:
    dice = random.Random(seed)
    data = dice.randbytes(dice.randrange(1, 9000)) + b"= \xff\n=3D"
    for encoding, coded in (
        ("base64", base64.encodebytes(data).replace(b"\n", b"\r\n")),
        ("base64", base64.b64encode(data).rstrip(b"=")),
        ("quoted-printable", quopri.encodestring(data)),
        ("8bit", data),
    ):
        got = b"".join([piece async for piece in decoded(pieces(coded, dice), encoding)])
        assert got == data, encoding


async def test_quoted_printable_without_line_ends_stays_bounded() -> None:
    coded = b"=41=42c" * 60_000

    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(coded), 30_011):
            yield coded[at : at + 30_011]

    out = [piece async for piece in decoded(chunks(), "quoted-printable")]
    assert b"".join(out) == b"ABc" * 60_000
    assert len(out) > 3


async def test_a_link_opens_only_what_it_was_made_for() -> None:
    token, expires = sign(b"secret", "file", "id", "att_1", 60)
    link = verify(b"secret", token)
    assert (link.kind, link.id, link.part, link.expires) == ("file", "id", "att_1", expires)
    for at in range(len(token)):
        other = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(Forbidden):
            verify(b"secret", other)
    for bad in ("", "A", token[:-1], token + "=", token + "A", "é" * 40, "x" * 10_000):
        with pytest.raises(Forbidden):
            verify(b"secret", bad)
    with pytest.raises(Forbidden):
        verify(b"other", token)


@pytest.mark.parametrize("name", ['a"b\r\nX: y.pdf', "日本.txt", "../../etc/passwd", "\u202egpj.exe", ""])
async def test_no_name_breaks_out_of_its_header(name: str) -> None:
    text = disposition(name)
    assert text.isascii()
    assert "\r" not in text
    assert "\n" not in text
    assert text.count('"') == 2
    assert text.startswith("attachment; filename=")
