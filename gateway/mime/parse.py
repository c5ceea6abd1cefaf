"""Octets to ``ParsedMessage``: never raises, whatever the octets are.

Hot path: linear header reader, bounded structure scanner, decoding with the charset table. mail-parser is asked
where a date is damaged that our strict reading cannot get at, because its recovery is good and its price (1 ms) is then
worth paying.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from gateway.mime.addresses import parse_address_list
from gateway.mime.attachments import describe
from gateway.mime.auth_results import verdict_from_head
from gateway.mime.automatic import is_automatic
from gateway.mime.bodies import read_body, sort_leaves
from gateway.mime.calendar.parts import calendar_of
from gateway.mime.charset import decode
from gateway.mime.dates import parse_date
from gateway.mime.headers import Head, decode_value, header_map, split_head, unfold
from gateway.mime.hidden_text import hidden_characters, hidden_sentences
from gateway.mime.html_text import HtmlText, html_to_text
from gateway.mime.identity import message_fingerprint, message_identity
from gateway.mime.invisible import read_visible, visible
from gateway.mime.limits import DEFAULT_LIMITS, Limits
from gateway.mime.one_time.one_time import find_seen
from gateway.mime.plain_differs import shown_in_html
from gateway.mime.recovery import recover_date
from gateway.mime.reply.reply import is_forward, is_reply
from gateway.mime.reply.reply_html import extract_reply_html
from gateway.mime.reply.reply_text import extract_reply_text
from gateway.mime.reports import report_from
from gateway.mime.risk.assess import Place, assess, places_of
from gateway.mime.structure import Leaf, Tree, read_tree
from gateway.mime.traits import read_traits
from gateway.mime.types import Address, AuthVerdict, CalendarEvent, ParsedMessage
from mailserver.address_field import field_text

_MSG_ID = re.compile(r"<([^<>\s]{1,900})>|([^<>\s,;]+)")
_BARE_ID = re.compile(r'[^@()\[\]"\\:]{1,450}@[^@()"\\]{1,449}')
_MOST_ATTACHED, _MOST_OF_ATTACHED = 3, 64 * 1024  # attachments that are read for instructions; octets of each
_MOST_OUTSIDE = 4000  # octets
_LINK = re.compile(r"\s?<https?://[^<>\s]*>")


def parse(raw: bytes, limits: Limits = DEFAULT_LIMITS, authserv_id: str | None = None) -> ParsedMessage:
    """Read a whole message.

    Args:
        raw: the message as the mail server gives it.
        limits: what exceeds them is left out and named in ``defects``.
        authserv_id: our mail server's name in Authentication-Results (RFC 8601); None = do not read them.

    When the mail has only HTML, ``text`` is what a person sees of it.
    """
    try:
        return _parse(raw, limits, authserv_id)
    except (
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RecursionError,
        MemoryError,
    ) as error:
        # Belt and braces: a defect of ours must not lose a mail. The worker's tests look for this word.
        return minimal(raw, limits, f"unreadable: {type(error).__name__}", authserv_id)


def _parse(raw: bytes, limits: Limits, authserv_id: str | None) -> ParsedMessage:
    head = split_head(raw, limits)
    identity = message_identity(raw, head)
    defects: list[str] = []
    if head.truncated:
        defects.append("header block cut")
    tree = read_tree(raw, head, limits)
    defects += tree.defects
    plain, html_leaves, attached = sort_leaves(tree.leaves)
    if len(attached) > limits.attachments:
        defects.append(f"{len(attached)} attachments: {limits.attachments} are listed")
    calendar = calendar_of(attached)
    defects += calendar.defects
    body = read_body(plain, limits, html=False)
    markup = read_body(html_leaves, limits, html=True)
    defects += body.defects + markup.defects
    title = read_visible(head.first("subject"))
    subject = title.text.strip()
    hidden = hidden_characters(title).and_also(body.hidden).and_also(markup.hidden)
    text, extracted_html, extracted = body.text, None, ""
    written = text or ""  # in the text part
    places = [Place("subject", subject), Place("text", written)]
    news: list[HtmlText] = []  # what was written, as HTML and as text: where one-time codes are searched
    forward = is_forward(subject)
    if markup.text is not None:
        # What people are shown is the HTML, and it says better than the text where a quotation begins.
        extracted_html = extract_reply_html(markup.text, forward=forward, reply=_answers(head))
        seen = html_to_text(markup.text)
        hidden = hidden.and_also(seen.hidden)
        if seen.cut:
            defects.append("styles: some rules were not applied, so hidden text may be shown")
        if text is not None:
            shown = shown_in_html(text, seen.text)
            text = shown.text
            hidden = hidden.and_also(hidden_sentences(shown.unseen))
        written = text or ""
        if not written.strip():
            text = seen.text
        places = [Place("subject", subject), Place("text", seen.text)]
        if text != seen.text and len(seen.text) < len(written):
            places.append(Place("text", written))
        source = seen if extracted_html == markup.text else html_to_text(extracted_html, seen)
        extracted = extract_reply_text(source.text, forward=forward)
        news.append(source._replace(text=extracted))
    if body.text is not None:
        news.append(HtmlText(extract_reply_text(body.text, forward=forward)))
    if written.strip() and not extracted:
        extracted = news[-1].text if written == body.text else extract_reply_text(written, forward=forward)
    sender = _sender_of(head, limits)
    once = find_seen(subject, news, sender)
    report = report_from(tree, head)
    fields, capped = header_map(head, limits)
    fields = {name: visible(value) for name, value in fields.items()}
    if capped:
        defects.append("headers cut")
    if len(head.raw("from")) > 1:
        defects.append("more than one From: the first is shown")
    if len(head.raw("subject")) > 1:
        defects.append("more than one Subject: the first is shown")
    if len(head.raw("content-type")) > 1:
        defects.append(f"more than one Content-Type: {tree.content_type[:100]} is used")
    auth = AuthVerdict() if authserv_id is None else verdict_from_head(head, authserv_id)
    return _message(
        head,
        limits,
        defects,
        headers=fields,
        text=text,
        html=markup.text,
        extracted_text=None if text is None else extracted,
        extracted_html=extracted_html,
        preview=make_preview(extracted or text or "", limits.preview),
        one_time_code=once.code,
        one_time_link=once.link,
        attachments=[describe(leaf, identity) for leaf in attached[: limits.attachments]],
        size=len(raw),
        identity=identity,
        fingerprint=message_fingerprint(raw, head, identity),
        report=report,
        traits=read_traits(
            head,
            sender=sender,
            attachments=len(attached),
            limits=limits,
            report=report,
            events=calendar.events,
            hidden=hidden,
            risk=assess(
                [
                    *places,
                    *_beside(head, calendar.events),
                    *_outside(raw, head, tree),
                    *_attached(attached),
                    *places_of(hidden, places[1].text),
                ]
            ),
        ),
        auth=auth,
        hidden_text=bool(hidden.characters),
        truncated=body.truncated or markup.truncated,
    )


def minimal(
    raw: bytes, limits: Limits, reason: str, authserv_id: str | None = None, *, unread: bool = False
) -> ParsedMessage:
    """What can be read of the header block in linear time, for a message that could not be parsed: no body, no parts.

    ``unread``: it could not be read for a reason that may pass.
    """
    head = split_head(raw, limits)
    identity = message_identity(raw, head)
    fields, _ = header_map(head, limits)
    return _message(
        head,
        limits,
        [reason],
        headers=fields,
        text=None,
        html=None,
        extracted_text=None,
        extracted_html=None,
        preview="",
        attachments=[],
        size=len(raw),
        identity=identity,
        fingerprint=message_fingerprint(raw, head, identity),
        auth=AuthVerdict() if authserv_id is None else verdict_from_head(head, authserv_id),
        traits=read_traits(head, sender=_sender_of(head, limits), attachments=0, limits=limits),
        unread=unread,
        recover=False,
    )


def _message(
    head: Head, limits: Limits, defects: list[str], *, recover: bool = True, **rest: object
) -> ParsedMessage:
    authors = _addresses(head, "from", limits)
    senders = _senders(head, authors, limits)
    if recover and head.raw("from") and not _with_at(authors):
        defects.append("From has no address")
    if len(senders) > 1:
        defects.append("more than one address in From: the first is shown")
    date = parse_date(head.first("date"))
    if date is None and recover and head.raw("date"):
        date = recover_date(head)
        if date is None:
            defects.append("Date could not be read")
    received = head.raw("received")
    to, cc = _addresses(head, "to", limits), _addresses(head, "cc", limits)
    # programs that put an address there would have all mail of a person in one thread
    people = {f"<{one.email.lower()}>" for one in (*senders, *to, *cc)}
    references = message_ids(" ".join(decode_value(v) for v in head.raw("references")[:5]), people)
    if len(references) > limits.references:
        defects.append(f"{len(references)} References: the first and the last ones are kept")
        references = references[:1] + references[-(limits.references - 1) :]
    ids = message_ids(head.first("message-id"))
    bare_id = "".join(head.first("message-id").split())[:900]
    return_path = head.text("return-path").strip()
    return ParsedMessage(
        message_id=ids[0] if ids else (f"<{bare_id.strip('<>')}>" if bare_id.strip("<>") else None),
        in_reply_to=message_ids(head.first("in-reply-to"), people)[: limits.references],
        references=references,
        sender=next(iter(senders), None),
        reply_to=_addresses(head, "reply-to", limits),
        to=to,
        cc=cc,
        bcc=_addresses(head, "bcc", limits),
        subject=visible(head.first("subject")).strip(),
        date=date,
        received=parse_date(decode_value(received[0][-400:]).rpartition(";")[2]) if received else None,
        delivered_to=head.text("delivered-to").strip()[:998] or None,
        return_path=return_path.strip("<> ")[:998] if return_path else None,
        auto_submitted=is_automatic(head),
        has_received=bool(received),
        defects=defects,
        **rest,  # type: ignore[arg-type]
    )


def _addresses(head: Head, name: str, limits: Limits) -> list[Address]:
    found: list[Address] = []
    for value in head.raw(name)[:10]:
        if len(found) >= limits.addresses:
            break
        found += _mailboxes(value, head.charset, limits.addresses - len(found))
        if name == "from":
            break  # one documented choice: the topmost From
    return found


def _beside(head: Head, events: Sequence[CalendarEvent]) -> Iterator[Place]:
    """What people see beside the text: the name of the sender, and what calendar events say."""
    yield Place("sender", visible(decode_value(head.raw("from")[0][:1000])) if head.raw("from") else "")
    for event in events[:20]:
        yield Place("calendar", "\n".join((event.summary, event.location, event.description)))


def _outside(raw: bytes, head: Head, tree: Tree) -> Iterator[Place]:
    """What is before the first and after the last part of a multipart (RFC 2046 §5.1.1), which no program shows."""
    if not tree.content_type.startswith("multipart/"):
        return
    first, last = raw.find(b"\n--", max(head.body_start - 1, 0)), raw.rfind(b"--\n")
    last = max(last, raw.rfind(b"--\r\n"))
    for text in (raw[head.body_start : max(first, head.body_start)], raw[last + 3 :] if last >= 0 else b""):
        if text.strip():
            yield Place("outside_of_parts", text[:_MOST_OUTSIDE].decode("utf-8", "replace"), hidden=True)


def _attached(leaves: Sequence[Leaf]) -> Iterator[Place]:
    """The texts of small attached texts and HTML files: what people see when they open them, and what they do not."""
    read = 0
    for leaf in leaves[:50]:
        if leaf.content_type not in ("text/html", "text/plain") or read >= _MOST_ATTACHED:
            continue
        read += 1
        text = decode(leaf.content()[:_MOST_OF_ATTACHED], leaf.params.get("charset"))
        if leaf.content_type == "text/html":
            seen = html_to_text(text)
            yield from places_of(seen.hidden, seen.text)
            text = seen.text
        yield Place("attachment", text)


def _answers(head: Head) -> bool:
    """Whether a mail says that it answers another."""
    return bool(head.raw("in-reply-to") or head.raw("references") or is_reply(head.first("subject")))


def _mailboxes(value: bytes, charset: str | None, limit: int) -> list[Address]:
    """The mailboxes of a raw field: the same addresses as a reader that knows no charset finds in it.

    In some charsets a character has an octet that is a quote's backslash or an @ in ASCII. Where that changes who is
    addressed, DMARC was checked for another author than the one to be shown; then names alone are decoded.
    """
    text, plain = unfold_addresses(value, charset), field_text(value)
    found = parse_address_list(text, limit)
    if text == plain:
        return found
    checked = parse_address_list(
        plain, limit, lambda name: decode(name.encode("latin-1", "replace"), None, charset)
    )
    same = [one.email for one in _with_at(checked)] == [one.email for one in _with_at(found)]
    return found if same else checked


def _senders(head: Head, authors: list[Address], limits: Limits) -> list[Address]:
    """Who wrote a mail, whoever has an address first: From (``authors``), else Sender, unless From may be behind what
    is read."""
    if not _with_at(authors) and not head.truncated:
        authors = _with_at(_addresses(head, "sender", limits)) or authors
    return _with_at(authors) + [one for one in authors if "@" not in one.email]


def _with_at(addresses: list[Address]) -> list[Address]:
    return [one for one in addresses if "@" in one.email]


def _sender_of(head: Head, limits: Limits) -> str | None:
    senders = _senders(head, _addresses(head, "from", limits), limits)
    return senders[0].email if senders else None


def unfold_addresses(value: bytes, likely: str | None = None) -> str:
    """Unfolded text of an address field, up to 256 KiB: 3,000 recipients are legal."""
    return unfold(value, 256 * 1024, likely)


def message_ids(text: str, others: Collection[str] = ()) -> list[str]:
    """The ids of a field in order, each with ``< >``, without repeats (RFC 5322 §3.6.4).

    Ids without brackets count where nothing but ids is in the field: among the words of an old In-Reply-To
    (RFC 5322 §4.5.4) are addresses. ``others``: in lower case, what is no id although it looks like one.
    """
    words = _MSG_ID.findall(text)
    all_ids = all(_BARE_ID.fullmatch(bare) for _, bare in words if bare)
    found = (f"<{bracketed or bare}>" for bracketed, bare in words if bracketed or all_ids)
    return [one for one in dict.fromkeys(found) if one.lower() not in others]


def make_preview(text: str, length: int) -> str:
    """The first ``length`` characters of visible text on one line, link targets left out."""
    return " ".join(_LINK.sub("", text[: length * 20]).split())[:length]
