"""Listing and reading messages. Deleting and labelling go to the mail server first: ``delete``, ``relabel``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from msgspec import structs

from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.core.lookup import find_inbox, find_message, find_message_id, require
from gateway.core.mail.server_copy import parse_whole, whole_message
from gateway.records.ids import MessageId
from gateway.records.inboxes import Inbox
from gateway.records.mail import ListedMessage, Mail
from gateway.store.labels import HIDDEN
from gateway.store.listing import NEAR, Filter, Listing, Window
from gateway.store.queries import messages as queries
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

MAX_BATCH = 100


def visible_filter(scope: Scope, wanted: Filter) -> Filter:
    """The filter without hidden labels this key may not see (permissions ``label_*_read``)."""
    if scope.permissions is None:
        return wanted
    may = {label for label in HIDDEN if scope.allows(f"label_{label}_read")}
    if any(label in HIDDEN and label not in may for label in wanted.labels):
        for label in wanted.labels:
            if label in HIDDEN:
                require(scope, f"label_{label}_read")
    return replace(wanted, include=wanted.include & may)


async def list_messages(
    core: Core, scope: Scope, inbox_ref: str | None, wanted: Filter, window: Window, *, texts: bool = False
) -> Listing[ListedMessage]:
    """Messages of an inbox (or with None of every inbox in reach), newest first unless ``ascending``.

    ``texts``: with those that the index holds. Raises NotFound, Forbidden.
    """
    require(scope, "message_read")
    wanted = visible_filter(scope, wanted)

    def read(tx: Tx) -> Listing[ListedMessage]:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        return queries.list_messages(tx, scope, inbox, wanted, window, texts=texts)

    short = inbox_ref is not None and window.offset < NEAR and replace(wanted, direction=None).plain
    return await (core.store.quick_read(read) if short else core.store.read(read))


async def get_message(core: Core, scope: Scope, inbox_ref: str | None, message_ref: str) -> Mail:
    """One message with its texts; those that were cut for the index are read from the mail server.

    ``inbox_ref`` None: of any inbox in reach, by its id (not by its Message-ID, which several inboxes may have).
    Raises NotFound, Forbidden, Unavailable (only when the mail server is needed and down).
    """
    require(scope, "message_read")
    inbox, mail = await core.store.quick_read(lambda tx: find_whole(tx, scope, inbox_ref, message_ref))
    return await with_whole_texts(core, inbox, mail) if mail.message.truncated else mail


def find_whole(tx: Tx, scope: Scope, inbox_ref: str | None, message_ref: str) -> tuple[Inbox, Mail]:
    """A message as ``get_message`` finds it, with its inbox and the texts that the index holds; the caller checks the
    permission. Raises NotFound, Forbidden."""
    if inbox_ref is None:
        known = find_message(tx, scope, message_ref)
        inbox, message_id = find_inbox(tx, scope, known.inbox_id), known.id
    else:
        inbox = find_inbox(tx, scope, inbox_ref)
        message_id = find_message_id(tx, inbox, message_ref)
    mail = queries.unscoped_mail(tx, message_id)
    if mail is None:
        raise NotFound("the message was deleted just now")
    require_visible(scope, mail.labels)
    return inbox, mail


async def get_indexed(core: Core, message_id: MessageId) -> Mail | None:
    """A message by its ULID with the texts that the index holds. For callers that were let in."""
    return await core.store.read(lambda tx: queries.unscoped_mail(tx, message_id))


def require_visible(scope: Scope, labels: Collection[str]) -> None:
    """Raise NotFound for a message with these labels when the key may not read one of them."""
    label = _unreadable(scope, labels)
    if label is not None:
        raise NotFound("there is no such message for this key", fix=f"it needs label_{label}_read")


def is_visible(scope: Scope, labels: Collection[str]) -> bool:
    """Whether the key may read a message with these labels."""
    return _unreadable(scope, labels) is None


def _unreadable(scope: Scope, labels: Collection[str]) -> str | None:
    if scope.permissions is None:
        return None
    return next(
        (label for label in HIDDEN.intersection(labels) if not scope.allows(f"label_{label}_read")), None
    )


async def with_whole_texts(core: Core, inbox: Inbox, mail: Mail) -> Mail:
    """The message with whole texts from the mail server in place of those that were cut for the index.

    Raises NotFound, Unavailable.
    """
    raw = await whole_message(core, inbox, mail.message.id)
    parsed = await parse_whole(core, raw)
    texts = mail.texts
    return structs.replace(
        mail,
        texts=structs.replace(
            texts,
            text=_longer(parsed.text, texts.text),
            html=_longer(parsed.html, texts.html),
            extracted_text=_longer(parsed.extracted_text, texts.extracted_text),
            extracted_html=_longer(parsed.extracted_html, texts.extracted_html),
        ),
    )


def _longer(whole: str | None, held: str | None) -> str | None:
    return whole if whole is not None and len(whole) >= len(held or "") else held


async def get_messages(
    core: Core,
    scope: Scope,
    inbox_ref: str,
    refs: Sequence[str],
    *,
    texts: bool = False,
    strict: bool = False,
) -> list[Mail]:
    """Several messages in the order asked, unknown ones left out (NotFound when ``strict``).

    Raises Invalid over ``MAX_BATCH``.
    """
    require(scope, "message_read")
    _, found = await core.store.read(
        lambda tx: find_mail(tx, scope, inbox_ref, refs, texts=texts, strict=strict)
    )
    return found


def find_mail(
    tx: Tx, scope: Scope, inbox_ref: str, refs: Sequence[str], *, texts: bool, strict: bool
) -> tuple[Inbox, list[Mail]]:
    """An inbox and some of its messages, as ``get_messages``; the caller checks the permission."""
    if not 1 <= len(refs) <= MAX_BATCH:
        raise Invalid(f"message_ids takes 1 to {MAX_BATCH} ids", field="message_ids")
    inbox = find_inbox(tx, scope, inbox_ref)
    ids: dict[MessageId, None] = {}
    for ref in refs:
        try:
            ids[find_message_id(tx, inbox, ref)] = None
        except NotFound:
            if strict:
                raise
    found = queries.mail_of_inbox(tx, inbox.id, list(ids), texts=texts)
    if strict:
        for mail in found:
            require_visible(scope, mail.labels)
    return inbox, [mail for mail in found if is_visible(scope, mail.labels)]
