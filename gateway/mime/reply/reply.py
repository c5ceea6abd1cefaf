"""What a reply or a forward is made of: subject, threading fields, recipients, quotation."""

from __future__ import annotations

import html as markup
import re
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from gateway.mime.addresses import InvalidAddress, normalise, parse_user_address
from gateway.mime.types import Address

# "Re" as mail programs of many languages write it, with Outlook's counters: Re[2]:, AW:, SV:, Vá:, 回复：
_REPLY = re.compile(
    r"\s*(?:re|aw|antw|sv|vs|vá|odp|ynt|ref|rif|res|r|atb|bls|回复|回覆|答复|答覆|返信|답장)"
    r"\s*(?:\[\d{1,3}\]|\(\d{1,3}\)|\^\d{1,3})?\s*[:：]\s*",
    re.I,
)
_FORWARD = re.compile(
    r"\s*(?:fwd?|wg|tr|vb|rv|enc|doorst|vl|pd|továbbítás|转发|轉寄|転送|전달)\s*(?:\[\d{1,3}\])?\s*[:：]\s*",
    re.I,
)
MAX_REFERENCES = 50  # kept: the root, which threads are found by, and the last ones


class Original(NamedTuple):
    """What a reply needs of the message it answers. ``date`` in µs, ids with ``< >``."""

    message_id: str | None
    references: list[str]
    in_reply_to: list[str]
    subject: str
    sender: Address | None
    reply_to: list[Address]
    to: list[Address]
    cc: list[Address]
    date: int | None
    text: str | None
    html: str | None


class Recipients(NamedTuple):
    """To and Cc of a reply; nobody is in both, nobody twice."""

    to: list[Address]
    cc: list[Address]


def reply_subject(subject: str) -> str:
    """``Re: `` once. A foreign prefix (``AW:``, ``Sv:``, ``Re[3]:``) at the front counts and is made ``Re:``."""
    rest = _strip(subject, _REPLY)
    return f"Re: {rest}".rstrip() if rest else "Re:"


def forward_subject(subject: str) -> str:
    """``Fwd: `` once."""
    rest = _strip(subject, _FORWARD)
    return f"Fwd: {rest}".rstrip() if rest else "Fwd:"


def is_forward(subject: str) -> bool:
    """Whether the subject's first prefix says that a message is passed on (``Fwd:``, ``WG:``, ``TR:``, ``转发:``)."""
    return _FORWARD.match(subject[:200]) is not None


def is_reply(subject: str) -> bool:
    """Whether the subject's first prefix says that a message is answered (``Re:``, ``AW:``, ``回复:``)."""
    return _REPLY.match(subject[:200]) is not None


def base_subject(subject: str) -> str:
    """The subject without any reply and forward prefixes, white space joined (RFC 5256 §2.1, simplified)."""
    text = " ".join(subject.split())
    for _ in range(20):
        shorter = _strip(_strip(text, _REPLY), _FORWARD)
        if shorter == text:
            break
        text = shorter
    return text


def _strip(subject: str, prefix: re.Pattern[str]) -> str:
    text = subject.strip()
    for _ in range(20):
        found = prefix.match(text)
        if found is None:
            break
        text = text[found.end() :]
    return text.strip()


def reply_references(original: Original) -> list[str]:
    """References of a reply (RFC 5322 §3.6.4): the original's, else its single In-Reply-To, then its own id.

    At most ``MAX_REFERENCES``: the root and the last ones, so that a header of a long thread stays a header.
    """
    chain = list(original.references)
    if not chain and len(original.in_reply_to) == 1:
        chain = list(original.in_reply_to)
    if original.message_id:
        chain = [item for item in chain if item != original.message_id] + [original.message_id]
    chain = list(dict.fromkeys(chain))
    if len(chain) > MAX_REFERENCES:
        chain = chain[:1] + chain[-(MAX_REFERENCES - 1) :]
    return chain


def reply_recipients(
    *,
    sender: Address | None,
    reply_to: Sequence[Address] = (),
    to: Sequence[Address] = (),
    cc: Sequence[Address] = (),
    own: Collection[str],
    outbound: bool = False,
    reply_all: bool = False,
) -> Recipients:
    """Who a reply to a message goes to.

    Reply-To beats From, where it names anybody else who can be written to; also when From is oneself, as in the mail of
    contact forms. Otherwise a reply to one's own message goes to its recipients. Reply-all adds To and Cc. One's own
    addresses, and those that cannot be written to, are left out. A note to oneself alone goes to oneself.

    Args:
        sender: From of the message answered, as ``reply_to``, ``to`` and ``cc`` are its fields.
        own: the addresses in it that are those of the mailbox that replies.
        outbound: whether it was sent from that mailbox.
        reply_all: also everyone in To and Cc.
    """
    author = [sender] if sender is not None else []
    answer = [] if outbound else _unique(reply_to, own)
    if outbound or (not answer and author and author[0].email in own):
        first = _unique(to, own) or _unique(cc, own)
        if not first and (outbound or not reply_to or _unique(reply_to)):
            first = _unique([*to, *cc, *author])[:1]
        return Recipients(first, _unique(cc, own, first) if reply_all else [])
    first = answer or _unique(author)
    return Recipients(first, _unique([*to, *cc], own, first) if reply_all else [])


def _unique(
    addresses: Iterable[Address], own: Collection[str] = (), before: Iterable[Address] = ()
) -> list[Address]:
    """``addresses`` as a field of ours can name them: nobody twice or after ``before``, and nobody in ``own``."""
    seen = {normalise(one.email) for one in before}
    kept: list[Address] = []
    for one in addresses:
        address = None if one.email in own else _usable(one)
        if address is None or normalise(address.email) in seen:
            continue
        seen.add(normalise(address.email))
        kept.append(address)
    return kept


def _usable(one: Address) -> Address | None:
    """An address of a mail as a recipient can be given, without its name where that is in the way; None where nobody
    can be written to."""
    for address in (one, Address("", one.email)):
        try:
            return parse_user_address(str(address))
        except InvalidAddress:
            pass
    return None


def quote_text(original: Original, new: str) -> str:
    """``new`` above the original's text, quoted with ``> `` under an attribution line."""
    quoted = "\n".join(f"> {line}" if line else ">" for line in (original.text or "").rstrip().split("\n"))
    return f"{new.rstrip()}\n\n{_attribution(original)}\n{quoted}\n"


def quote_html(original: Original, new: str) -> str:
    """``new`` (HTML) above the original in a ``blockquote type=cite``."""
    inner = original.html if original.html is not None else _as_html(original.text or "")
    return (
        f"{new}<br><div>{markup.escape(_attribution(original))}</div>"
        f'<blockquote type="cite" style="margin:0 0 0 .8ex;border-left:1px solid #ccc;padding-left:1ex">'
        f"{inner}</blockquote>"
    )


def forward_text(original: Original, new: str) -> str:
    """``new`` above the forwarded message with its header lines."""
    lines = "\n".join(f"{name}: {value}" for name, value in _header_lines(original))
    return (
        f"{new.rstrip()}\n\n---------- Forwarded message ----------\n{lines}\n\n{original.text or ''}".lstrip(
            "\n"
        )
    )


def forward_html(original: Original, new: str) -> str:
    """``new`` (HTML) above the forwarded message with its header lines."""
    lines = "<br>".join(f"<b>{name}:</b> {markup.escape(value)}" for name, value in _header_lines(original))
    inner = original.html if original.html is not None else _as_html(original.text or "")
    return f"{new}<br><div>---------- Forwarded message ----------<br>{lines}</div><br><div>{inner}</div>"


def _as_html(text: str) -> str:
    return markup.escape(text).replace("\n", "<br>\n")


def _attribution(original: Original) -> str:
    who = str(original.sender) if original.sender else "the sender"
    when = _when(original.date)
    return f"On {when}, {who} wrote:" if when else f"{who} wrote:"


def _when(date: int | None) -> str:
    if date is None:
        return ""
    return datetime.fromtimestamp(date / 1e6, UTC).strftime("%a, %d %b %Y at %H:%M UTC")


def _header_lines(original: Original) -> list[tuple[str, str]]:
    return [
        (name, value)
        for name, value in (
            ("From", str(original.sender) if original.sender else ""),
            ("Date", _when(original.date)),
            ("Subject", " ".join(original.subject.split())),
            ("To", ", ".join(str(address) for address in original.to)),
            ("Cc", ", ".join(str(address) for address in original.cc)),
        )
        if value
    ]
