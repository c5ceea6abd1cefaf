"""``OutgoingMessage`` to octets (RFC 5322, RFC 2045): CRLF, no Bcc, no way to inject a header; 7-bit clean but for the
8-bit lines of a message inside it, which may not be encoded."""

from __future__ import annotations

import base64
import binascii
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import NamedTuple

from gateway.mime.addresses import check_address
from gateway.mime.attachments import safe_filename
from gateway.mime.content_ids import clean_content_ids
from gateway.mime.encoded_words import needs_words
from gateway.mime.entity import entity
from gateway.mime.file_types import named
from gateway.mime.header_rules import InvalidHeader, check_headers, check_subject
from gateway.mime.header_writer import (
    MAX_PLAIN_WORD,
    Field,
    address_field,
    parameter_field,
    plain_field,
    text_field,
)
from gateway.mime.html_text import html_to_text
from gateway.mime.media_type import OCTETS, MediaType, media_type
from gateway.mime.nested_message import Body, is_nested, verbatim
from gateway.mime.types import Address, OutgoingAttachment, OutgoingMessage

_ID = re.compile(r"<[!-;=?-~]{1,900}>\Z")
_VERBATIM = frozenset(
    [
        "list-unsubscribe",
        "list-unsubscribe-post",
        "list-id",
        "list-help",
        "list-archive",
        "feedback-id",
        "auto-submitted",
        "x-auto-response-suppress",
    ]
)
_MOST_BCC = 64 * 1024  # octets: Postfix cuts a field after 100 KiB (header_size_limit)
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_RISKY = re.compile(r"^(?:From |\.$)|[\x01-\x08\x0b-\x1f]| $", re.M)
_NOT_ASCII = re.compile(r"[^\x00-\x7e]+")
_TEXT_CONTROLS = re.compile(r"[\x00\ud800-\udfff]")


def compose(message: OutgoingMessage) -> bytes:
    """The message as it is submitted and filed.

    Text goes out as 7bit, quoted-printable or base64, attachments as base64, messages among them as they are. With
    HTML and no text a text alternative is made. An attachment with ``inline`` and ``content_id`` is put beside the
    HTML (multipart/related).

    Raises:
        InvalidHeader, InvalidAddress: a field cannot be sent; both are ValueError and name the problem.
    """
    fields = [
        plain_field("Message-ID", [_identifier("message_id", message.message_id)]),
        plain_field("Date", format_datetime(datetime.fromtimestamp(message.date / 1e6, UTC)).split(" ")),
        _people("From", [message.sender]),
    ]
    if message.to:
        fields.append(_people("To", message.to))
    elif not message.cc:
        fields.append(plain_field("To", ["undisclosed-recipients:;"]))
    if message.cc:
        fields.append(_people("Cc", message.cc))
    if message.reply_to:
        fields.append(_people("Reply-To", message.reply_to))
    fields.append(text_field("Subject", check_subject(message.subject)))
    if message.in_reply_to:
        fields.append(plain_field("In-Reply-To", [_identifier("in_reply_to", message.in_reply_to)]))
    if message.references:
        fields.append(
            plain_field("References", [_identifier("references", one) for one in message.references])
        )
    fields += [_own_field(name, value) for name, value in check_headers(message.headers).items()]
    fields.append(plain_field("MIME-Version", ["1.0"]))
    content = _content(message)
    return entity([*fields, *content.fields], content.body)


def bcc_field(people: Sequence[Address]) -> bytes:
    """A Bcc field with its CRLF, for a copy that nobody but the sender has; empty without anybody.

    Where the names make it too long for a mail server, it has only the addresses, and those that it has room for.
    Raises InvalidAddress, InvalidHeader.
    """
    octets = _people("Bcc", people).octets()
    if len(octets) > _MOST_BCC:
        bare: list[Address] = []
        room = _MOST_BCC
        for one in people:
            room -= len(one.email) + len(", \r\n")
            if room > 0:
                bare.append(Address("", one.email))
        people = bare
    if not people:
        return b""
    return entity([_people("Bcc", people)], b"").removesuffix(b"\r\n")


def _identifier(field: str, value: str) -> str:
    if not _ID.match(value):
        raise InvalidHeader(field, "is not a message identifier in angle brackets (RFC 5322 §3.6.4)")
    return value


def _people(name: str, addresses: Sequence[Address]) -> Field:
    """An address field. Raises InvalidAddress; controls in a display name become spaces."""
    return address_field(
        name, [Address(_CONTROLS.sub(" ", one.name), check_address(one.email)) for one in addresses]
    )


def _own_field(name: str, value: str) -> Field:
    if name.lower() not in _VERBATIM or needs_words(value):
        return text_field(name, value)
    words = value.split()
    if max(map(len, words)) > MAX_PLAIN_WORD:
        raise InvalidHeader(
            name, f"holds a word longer than {MAX_PLAIN_WORD} characters: a line of a mail has no room for it"
        )
    return plain_field(name, words)


class _Part(NamedTuple):
    """The fields that describe a body, the body's octets, and whether some of them are not ASCII."""

    fields: list[Field]
    body: bytes
    eight_bit: bool = False


def _content(message: OutgoingMessage) -> _Part:
    text = message.text
    attachments, html = clean_content_ids(message.attachments, message.html)
    if html is not None and not (text or "").strip():
        text = html_to_text(html).text
    inline = [item for item in attachments if item.inline and item.content_id and html is not None]
    alternative = [item for item in attachments if item.alternative and item not in inline]
    others = [item for item in attachments if item not in inline and not item.alternative]
    forms = [_text(text or "", "plain")]
    if html is not None:
        shown = _text(html, "html")
        forms.append(_multipart("related", [shown, *map(_attachment, inline)]) if inline else shown)
    forms += map(_attachment, alternative)
    content = _multipart("alternative", forms) if len(forms) > 1 else forms[0]
    return _multipart("mixed", [content, *map(_attachment, others)]) if others else content


def _multipart(subtype: str, parts: Sequence[_Part]) -> _Part:
    boundary = f"=_{secrets.token_hex(16)}"  # 128 bits that nobody can foresee
    mark = b"--" + boundary.encode("ascii")
    body = b"".join(mark + b"\r\n" + entity(part.fields, part.body) + b"\r\n" for part in parts)
    fields = [parameter_field("Content-Type", f"multipart/{subtype}", [("boundary", boundary)])]
    eight_bit = any(part.eight_bit for part in parts)
    if eight_bit:  # RFC 2045 §6.4: as the least of its parts
        fields.append(plain_field("Content-Transfer-Encoding", ["8bit"]))
    return _Part(fields, body + mark + b"--\r\n", eight_bit)


def _text(text: str, subtype: str) -> _Part:
    text = _TEXT_CONTROLS.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    if not text.endswith("\n"):
        text += "\n"
    # Quoted-printable or base64 for everything a relay might touch: 8-bit, long lines, "From ", a lone dot.
    plain = text.isascii() and max(map(len, text.split("\n"))) <= 900 and not _RISKY.search(text)
    start = text[:4000]
    ascii_share = len(start) - len(_NOT_ASCII.sub("", start)) <= len(start) * 0.4
    octets = text.encode().replace(b"\n", b"\r\n")
    if plain:
        encoding = "7bit"
    elif ascii_share:
        encoding, octets = "quoted-printable", binascii.b2a_qp(octets, istext=True)
    else:
        encoding, octets = "base64", _base64(octets)
    kind = parameter_field("Content-Type", f"text/{subtype}", [("charset", "us-ascii" if plain else "utf-8")])
    return _Part([kind, plain_field("Content-Transfer-Encoding", [encoding])], octets)


def _base64(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _attachment(item: OutgoingAttachment) -> _Part:
    kind = media_type(item.content_type)
    body = verbatim(item.content) if is_nested(kind.name) else None
    if body is None:
        body = Body("base64", _base64(item.content))
        if kind.name.startswith("multipart/") or is_nested(kind.name):
            # base64 is forbidden for composite types (RFC 2046 §5): the bytes matter more than the label
            kind = MediaType(OCTETS, {})
    name = named(safe_filename(item.filename), item.content_type)
    fields = [
        parameter_field("Content-Type", kind.name, kind.parameters.items()),
        plain_field("Content-Transfer-Encoding", [body.encoding]),
    ]
    if not item.alternative:
        shown = "inline" if item.inline else "attachment"
        fields.append(parameter_field("Content-Disposition", shown, [("filename", name)]))
    if item.content_id is not None:
        fields.append(plain_field("Content-ID", [f"<{item.content_id}>"]))
    return _Part(fields, body.octets, body.encoding == "8bit")
