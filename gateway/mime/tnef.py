"""Files in winmail.dat: what Outlook packs into one application/ms-tnef part (MS-OXTNEF).

The format is a row of attributes with their lengths; nothing in it is compressed, so what comes out is never more than
what went in. Only files are taken: the text of such a mail is in its other parts. What is cut short is read as far as
it goes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

_SIGNATURE = 0x223E9F78
_HEAD = struct.Struct("<BII")  # level, attribute, length
_U16, _U32 = struct.Struct("<H"), struct.Struct("<I")
_OF_ATTACHMENT = 2  # level
_NEW, _TITLE, _DATA, _PROPERTIES, _CODE_PAGE = 0x69002, 0x18010, 0x6800F, 0x69005, 0x69007
_DATA_OBJECT, _NAME, _LONG_NAME, _MIME_TYPE, _CONTENT_ID = 0x3701, 0x3704, 0x3707, 0x370E, 0x3712
_FIXED = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_TEXT8, _TEXT16, _OBJECT, _BINARY, _MANY = 0x1E, 0x1F, 0x0D, 0x102, 0x1000
_MOST_FILES, _MOST_PROPERTIES, _MOST_ATTRIBUTES = 250, 500, 5000
_NAME_OCTETS = 2000
_MESSAGE = bytes.fromhex("0703020000000000c000000000000046")
"""The interface of an object that is a message, which is a TNEF stream of its own."""


class TnefFile(NamedTuple):
    """A file of a winmail.dat. ``name`` as it was written."""

    name: str | None
    content_type: str | None
    content_id: str | None
    content: bytes


class _Draft:
    """A file whose attributes are being read."""

    def __init__(self) -> None:
        self.title = b""
        self.data: bytes | None = None
        self.properties: dict[int, tuple[int, bytes]] = {}


def read_tnef(data: bytes) -> list[TnefFile]:
    """The files of a TNEF stream; none where it is not one."""
    drafts: list[_Draft] = []
    code_page = "cp1252"
    for level, attribute, value in _attributes(data):
        if attribute == _CODE_PAGE and len(value) >= 4:
            code_page = _codec(_U32.unpack_from(value)[0])
        if level != _OF_ATTACHMENT:
            continue
        if attribute == _NEW:
            if len(drafts) >= _MOST_FILES:
                break
            drafts.append(_Draft())
        elif not drafts:
            continue
        elif attribute == _TITLE:
            drafts[-1].title = value[:_NAME_OCTETS]
        elif attribute == _DATA:
            drafts[-1].data = value
        elif attribute == _PROPERTIES:
            drafts[-1].properties.update(_properties(value))
    return [_file(one, code_page) for one in drafts]


def _attributes(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """(level, attribute, value) of a stream; the checksum behind each value is not looked at."""
    if len(data) < 6 or _U32.unpack_from(data)[0] != _SIGNATURE:
        return
    position = 6
    for _ in range(_MOST_ATTRIBUTES):
        if position + _HEAD.size > len(data):
            return
        level, attribute, length = _HEAD.unpack_from(data, position)
        position += _HEAD.size
        yield level, attribute, data[position : position + length]
        position += length + 2


def _file(draft: _Draft, code_page: str) -> TnefFile:
    def text(*tags: int) -> str | None:
        for tag in tags:
            kind, value = draft.properties.get(tag, (0, b""))
            codec = "utf-16-le" if kind == _TEXT16 else code_page
            found = value[:_NAME_OCTETS].decode(codec, "replace").partition("\0")[0]
            if kind in (_TEXT8, _TEXT16) and found:
                return found
        return None

    name = text(_LONG_NAME, _NAME) or draft.title.decode(code_page, "replace").partition("\0")[0] or None
    kind, inner = draft.properties.get(_DATA_OBJECT, (0, b""))
    if kind == _OBJECT and inner.startswith(_MESSAGE):  # the data is then a text for who cannot read it
        return TnefFile(name, "application/ms-tnef", None, inner[len(_MESSAGE) :])
    content = inner if draft.data is None and kind == _BINARY else draft.data
    return TnefFile(name, text(_MIME_TYPE), text(_CONTENT_ID), content or b"")


def _properties(data: bytes) -> Iterator[tuple[int, tuple[int, bytes]]]:
    """(property, (type, value)) of a list of MAPI properties (MS-OXTNEF §2.1.3.4), as far as it can be read."""
    try:
        count = _U32.unpack_from(data)[0]
        position = 4
        for _ in range(min(count, _MOST_PROPERTIES)):
            kind, tag = _U16.unpack_from(data, position)[0], _U16.unpack_from(data, position + 2)[0]
            position += 4
            if tag >= 0x8000:
                position = _behind_name(data, position)
            value, position = _value(data, position, kind)
            if value is not None:
                yield tag, (kind & ~_MANY, value)
    except struct.error:
        return


def _behind_name(data: bytes, position: int) -> int:
    """Where the name of a named property ends: a GUID, and a number or a text."""
    is_text, length = struct.unpack_from("<II", data, position + 16)
    return position + 24 + (_padded(length) if is_text else 0)


def _value(data: bytes, position: int, kind: int) -> tuple[bytes | None, int]:
    """(value, where it ends). None for a value that is no file's name, type or content. Raises struct.error."""
    fixed = _FIXED.get(kind & ~_MANY)
    count = 1
    if fixed is None or kind & _MANY:
        count = _U32.unpack_from(data, position)[0]
        position += 4
    if fixed is not None:
        end = position + fixed * count
        if end > len(data):
            raise struct.error
        return None, end
    if kind & ~_MANY not in (_TEXT8, _TEXT16, _OBJECT, _BINARY) or count > _MOST_PROPERTIES:
        raise struct.error
    first = None
    for _ in range(count):
        length = _U32.unpack_from(data, position)[0]
        position += 4
        first = data[position : position + length] if first is None else first
        position += _padded(length)
    return first, position


def _padded(length: int) -> int:
    return (length + 3) & ~3


def _codec(page: int) -> str:
    """The codec of a Windows code page."""
    if page == 65001:
        return "utf-8"
    name = f"cp{page}"
    return name if 1250 <= page <= 1258 or page in (437, 850, 852, 866, 874, 932, 936, 949, 950) else "cp1252"
