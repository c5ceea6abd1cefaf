"""Delivery status notifications (RFC 3464, RFC 6533) and feedback reports (RFC 5965); bounces in words.

Whoever acts on a report must still match it with a message we sent (envelope id, VERP token, Message-ID and
recipient), and may believe one read from prose (``words``) only where no stranger can write.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from gateway.mime.bounce_reasons import status_of
from gateway.mime.bounce_words import report_in_words
from gateway.mime.headers import Head, decode_value, split_fields, split_head, unfold
from gateway.mime.structure import Leaf, Tree
from gateway.mime.types import Report, ReportedRecipient
from mailserver.addresses import stored_form

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
_RETURNED = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/global-headers",
    "message/rfc822-headers",
)
_STATUS = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY = re.compile(r"\b([245]\d\d)\b")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_UNITEXT = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}")
_BLANK = re.compile(rb"\r?\n[ \t]*\r?\n")
_PARTS = re.compile(rb"\s{0,99}(?:[^\r\n]{0,200}MIME[^\r\n]{0,200}\s{1,99})?--\S")
_HEAD = rb"[^\r\n]*\r?\n(?:[^\r\n]+\r?\n){0,10}\r?\n"
_STATUS_PART = re.compile(rb"^Content-Type:[ \t]*message/(?:global-)?delivery-status\b" + _HEAD, re.M | re.I)
_RETURNED_PART = re.compile(
    rb"^Content-Type:[ \t]*(?:message/rfc822|message/global|text/rfc822-headers)\b" + _HEAD, re.M | re.I
)
_EMBEDDED = re.compile(rb"^(?:Reporting-MTA|Final-Recipient)[ \t]*:", re.M | re.I)
_ANGLE = re.compile(r"<([^<>\s]{1,900})>")
_ACTIONS: dict[str, Literal["failed", "delayed", "delivered", "relayed", "expanded"]] = {
    "failed": "failed",
    "failure": "failed",
    "failed-permanent": "failed",
    "delayed": "delayed",
    "delay": "delayed",
    "deferred": "delayed",
    "delivered": "delivered",
    "success": "delivered",
    "relayed": "relayed",
    "expanded": "expanded",
}
_MAX_RECIPIENTS = 500
_MAX_OCTETS = 512 * 1024


def report(raw: bytes) -> Report | None:
    """The report inside the whole message ``raw``; None when it holds none."""
    from gateway.mime.limits import DEFAULT_LIMITS
    from gateway.mime.structure import read_tree

    head = split_head(raw)
    return report_from(read_tree(raw, head, DEFAULT_LIMITS), head)


def report_from(tree: Tree, head: Head) -> Report | None:
    """The report in a tree already read, of a mail with this header block; None when it is not one."""
    return _structured(tree) or _unlabelled(tree) or report_in_words(head, tree, _returned(tree.leaves))


def _returned(leaves: list[Leaf]) -> Leaf | None:
    """The part that is the mail which came back, or its header."""
    return next((leaf for leaf in leaves if leaf.content_type in _RETURNED), None)


def _structured(tree: Tree) -> Report | None:
    for leaf in tree.leaves:
        if leaf.content_type == "message/feedback-report":
            return _feedback(leaf, tree.leaves)
    for leaf in tree.leaves:
        if leaf.content_type in _STATUS_TYPES:
            found = _status(leaf.content()[:_MAX_OCTETS], tree.leaves)
            if found is not None:
                return found
    if tree.content_type == "multipart/report":
        # Some servers label the machine-readable part wrongly: its RFC 3464 fields are still unmistakable.
        for leaf in tree.leaves[:5]:
            if leaf.content_type in ("text/plain", "application/octet-stream", "message/rfc822"):
                data = leaf.content()[:_MAX_OCTETS]
                start = _EMBEDDED.search(data)
                if start is not None and (found := _status(data[start.start() :], tree.leaves)) is not None:
                    return found
    return None


def _unlabelled(tree: Tree) -> Report | None:
    """A report whose parts are in a mail that calls itself text: believed no more than prose."""
    if [leaf.content_type for leaf in tree.leaves] != ["text/plain"]:
        return None
    data = tree.leaves[0].content()[:_MAX_OCTETS]
    part = _STATUS_PART.search(data) if _PARTS.match(data) else None
    found = _status(data[part.end() :], []) if part is not None else None
    if part is None or found is None:
        return None
    returned = _RETURNED_PART.search(data, part.end())
    copy = split_head(data[returned.end() :]) if returned is not None else None
    return msgspec.structs.replace(
        found, words=True, original_message_id=_message_id(copy) if copy is not None else None
    )


def _block(data: bytes) -> dict[str, str]:
    result: dict[str, str] = {}
    for name, value in split_fields(data, 100)[0]:
        result.setdefault(name.lower(), decode_value(value, 4000).strip())
    return result


def _status(data: bytes, leaves: list[Leaf]) -> Report | None:
    blocks = [block for part in _BLANK.split(data)[: _MAX_RECIPIENTS + 1] if (block := _block(part))]
    envelope = next((b["original-envelope-id"] for b in blocks if b.get("original-envelope-id")), None)
    recipients = [r for block in blocks if (r := _recipient(block)) is not None]
    if not recipients:
        return None
    return Report(
        kind="dsn",
        envelope_id=unxtext(envelope) if envelope else None,
        original_message_id=_original_id(leaves),
        recipients=recipients,
    )


def _recipient(block: dict[str, str]) -> ReportedRecipient | None:
    final = _typed(block.get("final-recipient", ""))
    original = _typed(block.get("original-recipient", "")) or None
    address = final or original
    if not address or not ("action" in block or "status" in block):
        return None
    diagnostic = block.get("diagnostic-code")
    status = _code(block.get("status", ""), diagnostic or "")
    if status[0] in "45":
        status = status_of(diagnostic or "", status)
    action = _ACTIONS.get(block.get("action", "").split("(")[0].strip().lower().split(" ")[0])
    if action == "delayed" and status.startswith("5"):
        action = "failed"  # it is final, whatever it is called
    if action is None:
        action = "delivered" if status.startswith("2") else "delayed" if status.startswith("4") else "failed"
    if diagnostic:
        kind, semicolon, rest = diagnostic.partition(";")
        diagnostic = rest.strip() if semicolon and len(kind) < 20 else diagnostic
    remote = block.get("remote-mta")
    return ReportedRecipient(
        address=address,
        original=original,
        action=action,
        status=status,
        diagnostic=diagnostic[:2000] if diagnostic else None,
        remote_mta=(remote.partition(";")[2].strip() or remote.strip())[:255] if remote else None,
    )


def _code(status: str, diagnostic: str) -> str:
    found = _STATUS.search(status) or _STATUS.search(diagnostic)
    if found:
        return f"{found[1]}.{int(found[2])}.{int(found[3])}"
    reply = _REPLY.search(diagnostic)
    return f"{reply[1][0]}.0.0" if reply else "5.0.0"


def _typed(value: str) -> str:
    """The address of ``rfc822; a@b`` (RFC 3464 §2.3.1) or ``utf-8; …`` (RFC 6533 §3), bare when untyped."""
    kind, semicolon, rest = value.partition(";")
    address = (rest if semicolon else kind).strip()
    kind = kind.strip().lower()
    if kind == "utf-8":
        address = _UNITEXT.sub(lambda m: chr(int(m[1], 16)) if int(m[1], 16) < 0xD800 else "", address)
    elif kind == "rfc822" and "+" in address and "@" not in address:
        address = unxtext(address)
    if angle := _ANGLE.search(address):
        address = angle[1]
    address = address.split(" (")[0].strip().strip("<>").strip()
    return stored_form(address[:998])


def unxtext(text: str) -> str:
    """xtext (RFC 3461 §4) decoded."""
    return _XTEXT.sub(lambda m: chr(int(m[1], 16)), text.strip())[:998]


def _original_id(leaves: list[Leaf]) -> str | None:
    for leaf in leaves:
        if leaf.content_type in _RETURNED:
            found = _message_id(split_head(leaf.content()[:_MAX_OCTETS].lstrip(b"\r\n")))
            if found:
                return found
    return None


def _senders(named: list[str], leaves: list[Leaf]) -> list[str]:
    """Envelope senders of the reported message: as the report says, and as the message itself does."""
    found = list(named)
    for leaf in leaves:
        if leaf.content_type in _RETURNED:
            head = split_head(leaf.content()[:_MAX_OCTETS].lstrip(b"\r\n"))
            found += [
                unfold(value) for name in ("return-path", "x-original-from") for value in head.raw(name)[:3]
            ]
    return [one.strip().strip("<>").strip()[:998] for one in found[:20]]


def _message_id(head: Head) -> str | None:
    for value in head.raw("message-id"):
        if found := _ANGLE.search(unfold(value)):
            return f"<{found[1]}>"
    return None


def _feedback(leaf: Leaf, leaves: list[Leaf]) -> Report:
    fields = split_fields(leaf.content()[:_MAX_OCTETS].replace(b"\r\n\r\n", b"\r\n").lstrip(), 200)[0]
    values: dict[str, list[str]] = {}
    for name, value in fields:
        values.setdefault(name.lower(), []).append(decode_value(value, 4000).strip())
    complainants: list[str] = []
    for text in values.get("original-rcpt-to", []) + values.get("removal-recipient", []):
        found = _ANGLE.search(text)
        address = stored_form((found[1] if found else text).strip())
        if address and address not in complainants and len(complainants) < _MAX_RECIPIENTS:
            complainants.append(address[:998])
    envelope = values.get("original-envelope-id", [""])[0]
    return Report(
        kind="feedback",
        envelope_id=unxtext(envelope) if envelope else None,
        original_message_id=_original_id(leaves),
        recipients=[],
        feedback_type=(values.get("feedback-type", ["other"])[0].lower() or "other")[:60],
        complainants=complainants,
        original_senders=_senders(values.get("original-mail-from", []), leaves),
    )
