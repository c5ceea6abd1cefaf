"""Packets of the milter protocol: four octets of length (big endian), one of command, its arguments.

The names are those of libmilter's ``mfdef.h`` without their prefixes. Every string from the MTA may hold any octet
but NUL.
"""

from __future__ import annotations

import struct

VERSION = 6
_LARGEST = 4 * 1024 * 1024  # a body chunk has 64 KiB, a header field what Postfix's header_size_limit allows

# what the MTA says
NEGOTIATE = b"O"
MACROS = b"D"
CONNECT = b"C"
HELO = b"H"
MAIL = b"M"
RCPT = b"R"
DATA = b"T"
HEADER = b"L"
END_OF_HEADERS = b"N"
BODY = b"B"
END_OF_BODY = b"E"
ABORT = b"A"
QUIT = b"Q"
QUIT_NEW_CONNECTION = b"K"
UNKNOWN = b"U"

# what a filter says
CONTINUE = b"c"
ACCEPT = b"a"
REPLY = b"y"
INSERT_HEADER = b"i"
CHANGE_HEADER = b"m"

# what a filter may do (actions)
_ADD_HEADERS = 0x01
_CHANGE_HEADERS = 0x10
ACTIONS = _ADD_HEADERS | _CHANGE_HEADERS

# what it need not hear, and what it need not answer (steps)
_NO_RCPT = 0x08
_NO_UNKNOWN = 0x100
_NO_DATA = 0x200
_LEADING_SPACE = 0x100000
_UNANSWERED = {
    CONNECT: 0x1000,
    HELO: 0x2000,
    HEADER: 0x80,
    END_OF_HEADERS: 0x40000,
    BODY: 0x80000,
}
_WANTED = _NO_RCPT | _NO_UNKNOWN | _NO_DATA | _LEADING_SPACE | sum(_UNANSWERED.values())
_NEVER_ANSWERED = frozenset({MACROS, ABORT, QUIT, QUIT_NEW_CONNECTION})


class ProtocolError(Exception):
    """The other side does not speak the milter protocol, or not one we can work with."""


def length_of(header: bytes) -> int:
    """Octets after the command, from the first four octets of a packet. Raises ProtocolError."""
    (size,) = struct.unpack(">I", header)
    if not 0 < size <= _LARGEST:
        raise ProtocolError(f"a packet of {size} octets")
    return int(size) - 1


def packet(command: bytes, data: bytes = b"") -> bytes:
    """One packet."""
    return struct.pack(">I", 1 + len(data)) + command + data


class Agreement:
    """What was agreed at the start of a conversation."""

    def __init__(self, offer: bytes) -> None:
        """``offer``: the MTA's negotiation packet. Raises ProtocolError when it cannot do what we need."""
        try:
            version, actions, steps = struct.unpack_from(">III", offer)
        except struct.error:
            raise ProtocolError("a negotiation cut short") from None
        if version < 2 or actions & ACTIONS != ACTIONS:
            raise ProtocolError(f"version {version}, actions {actions:#x}: header fields cannot be changed")
        self._version = min(int(version), VERSION)
        self._steps = int(steps) & _WANTED
        self.leading_space = bool(self._steps & _LEADING_SPACE)

    def answer(self) -> bytes:
        """Our negotiation packet."""
        return packet(NEGOTIATE, struct.pack(">III", self._version, ACTIONS, self._steps))

    def wants_answer(self, command: bytes) -> bool:
        """Whether the MTA waits for an answer to ``command``."""
        return command not in _NEVER_ANSWERED and not self._steps & _UNANSWERED.get(command, 0)


def strings(data: bytes) -> list[bytes]:
    """The NUL-terminated strings of a packet. Raises ProtocolError when the last one is not."""
    if not data:
        return []
    if data[-1]:
        raise ProtocolError("a string without end")
    return data[:-1].split(b"\0")


def macros(data: bytes) -> tuple[bytes, dict[str, str]]:
    """(the command they belong to, values by name without braces)."""
    found = strings(data[1:])
    names = (one.decode("ascii", "replace").strip("{}") for one in found[::2])
    return data[:1], dict(zip(names, (text(one) for one in found[1::2]), strict=False))


def client_of(data: bytes) -> tuple[str, str]:
    """(name, address) of a connect packet; the address is empty where there is none (a Unix socket)."""
    name, _, rest = data.partition(b"\0")
    family, address = rest[:1], rest[3:].partition(b"\0")[0].decode("ascii", "replace")
    if family not in (b"4", b"6"):
        return text(name), ""
    return text(name), address.removeprefix("IPv6:").removeprefix("ipv6:")


def field_of(data: bytes, agreement: Agreement) -> tuple[bytes, bytes]:
    """(name, whole field with its CRLF) of a header packet, as it stood in the message."""
    name, _, value = data.partition(b"\0")
    value = value.removesuffix(b"\0").replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return name, name + (b":" if agreement.leading_space else b": ") + value + b"\r\n"


def inserted(field: bytes, agreement: Agreement) -> bytes:
    """The packet that puts ``field`` (folded, with its CRLF) on top of the message."""
    name, _, value = field.removesuffix(b"\r\n").partition(b":")
    if not agreement.leading_space:
        value = value.removeprefix(b" ")
    value = value.replace(b"\r\n", b"\n").replace(b"\0", b"")
    return packet(INSERT_HEADER, struct.pack(">I", 0) + name + b"\0" + value + b"\0")


def deleted(name: bytes, occurrence: int) -> bytes:
    """The packet that deletes the field called ``name`` that is the ``occurrence``-th (from 1) of its name."""
    return packet(CHANGE_HEADER, struct.pack(">I", occurrence) + name + b"\0\0")


def refusal(reply: str) -> bytes:
    """The packet that answers the client with ``reply``: code, enhanced status code (RFC 3463) and words."""
    words = " ".join(reply.split()).encode("ascii", "replace")[:400]
    return packet(REPLY, words.replace(b"%", b"%%") + b"\0")


def text(value: bytes) -> str:
    """What a client said, as text; octets that are no UTF-8 stay recognisable."""
    return value.decode("utf-8", "backslashreplace")
