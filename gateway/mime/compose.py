"""``OutgoingMessage`` to octets (RFC 5322, RFC 2045): CRLF, 7-bit clean, no Bcc, no way to inject a header."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime
from email.headerregistry import Address as WireAddress
from email.headerregistry import Group
from email.message import EmailMessage, MIMEPart
from email.utils import format_datetime

from gateway.mime.addresses import check_address
from gateway.mime.attachments import safe_filename
from gateway.mime.header_rules import InvalidHeader, check_headers, check_subject
from gateway.mime.html_text import html_to_text
from gateway.mime.policy import MAIL_POLICY
from gateway.mime.types import Address, OutgoingAttachment, OutgoingMessage

_ID = re.compile(r"<[!-;=?-~]{1,900}>\Z")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}\Z")
_CONTENT_ID = re.compile(r"[!-;=?-~]{1,500}\Z")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_RISKY = re.compile(r"^(?:From |\.$)|[\x01-\x08\x0b-\x1f]| $", re.M)
_NOT_ASCII = re.compile(r"[^\x00-\x7e]+")
_TEXT_CONTROLS = re.compile(r"[\x00\ud800-\udfff]")


def compose(message: OutgoingMessage) -> bytes:
    """The message as it is submitted and filed.

    Text goes out as 7bit, quoted-printable or base64, attachments as base64. With HTML and no text a text
    alternative is made. An attachment with ``inline`` and ``content_id`` is put beside the HTML
    (multipart/related).

    Raises:
        InvalidHeader, InvalidAddress: a field cannot be sent; both are ValueError and name the problem.
    """
    mail = EmailMessage(policy=MAIL_POLICY)
    mail["Message-ID"] = _identifier("message_id", message.message_id)
    mail["Date"] = format_datetime(datetime.fromtimestamp(message.date / 1e6, UTC))
    mail["From"] = wire_address(message.sender)
    if message.to:
        mail["To"] = [wire_address(address) for address in message.to]
    elif not message.cc:
        mail["To"] = [Group("undisclosed-recipients", ())]
    if message.cc:
        mail["Cc"] = [wire_address(address) for address in message.cc]
    if message.reply_to:
        mail["Reply-To"] = [wire_address(address) for address in message.reply_to]
    mail["Subject"] = check_subject(message.subject)
    if message.in_reply_to:
        mail["In-Reply-To"] = _identifier("in_reply_to", message.in_reply_to)
    if message.references:
        mail["References"] = " ".join(_identifier("references", item) for item in message.references)
    for name, value in check_headers(message.headers).items():
        mail[name] = value
    _set_content(mail, message)
    return mail.as_bytes(policy=MAIL_POLICY)


def _identifier(field: str, value: str) -> str:
    if not _ID.match(value):
        raise InvalidHeader(field, "is not a message identifier in angle brackets (RFC 5322 §3.6.4)")
    return value


def wire_address(address: Address) -> WireAddress:
    """An address for the stdlib's header writer. Raises InvalidAddress; controls in the name become spaces."""
    local, _, domain = check_address(address.email).partition("@")
    return WireAddress(" ".join(_CONTROLS.sub(" ", address.name).split()), username=local, domain=domain)


def _set_content(mail: EmailMessage, message: OutgoingMessage) -> None:
    text, html = message.text, message.html
    if html is not None and not (text or "").strip():
        text = html_to_text(html).text
    inline = [item for item in message.attachments if item.inline and item.content_id and html is not None]
    others = [item for item in message.attachments if item not in inline]
    _set_text(mail, text or "", "plain")
    if html is not None:
        mail.make_alternative(boundary=_boundary())
        part = MIMEPart(policy=MAIL_POLICY)
        _set_text(part, html, "html")
        mail.attach(part)  # type: ignore[arg-type]  # the stub wants EmailMessage
        if inline:
            part.make_related(boundary=_boundary())
        for item in inline:
            _add(part, item, related=True)
    if others:
        mail.make_mixed(boundary=_boundary())
    for item in others:
        _add(mail, item, related=False)


def _boundary() -> str:
    """128 bits nobody can foresee; given, because the stdlib's own is looked for in the whole text."""
    return f"=_{secrets.token_hex(16)}"


def _set_text(part: MIMEPart, text: str, subtype: str) -> None:
    text = _TEXT_CONTROLS.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))
    # Quoted-printable or base64 for everything a relay might touch: 8-bit, long lines, "From ", a lone dot.
    plain = text.isascii() and max(map(len, text.split("\n"))) <= 900 and not _RISKY.search(text)
    start = text[:4000]
    ascii_share = len(start) - len(_NOT_ASCII.sub("", start)) <= len(start) * 0.4
    encoding = "7bit" if plain else "quoted-printable" if ascii_share else "base64"
    part.set_content(text, subtype=subtype, charset="us-ascii" if plain else "utf-8", cte=encoding)


def _add(part: MIMEPart, item: OutgoingAttachment, *, related: bool) -> None:
    kind = item.content_type if _TYPE.match(item.content_type) else "application/octet-stream"
    if kind.lower().startswith(("multipart/", "message/")):
        # base64 is forbidden for composite types (RFC 2046 §5): the bytes matter more than the label.
        kind = "application/octet-stream"
    maintype, _, subtype = kind.lower().partition("/")
    content_id = None
    if item.content_id is not None:
        bare = item.content_id.strip().strip("<>")
        if not _CONTENT_ID.match(bare):
            raise InvalidHeader("content_id", "is not an identifier (RFC 2392)")
        content_id = f"<{bare}>"
    add = part.add_related if related else part.add_attachment
    add(
        item.content,
        maintype,
        subtype,
        disposition="inline" if item.inline else "attachment",
        filename=safe_filename(item.filename) or "attachment",
        cid=content_id,
    )
