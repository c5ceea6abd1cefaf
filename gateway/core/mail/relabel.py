"""Changing labels: the mail server first, then the index in one transaction (docs/design.md).

A message without a copy yet (queued) keeps its labels in the index; its copy gets them later (``store.pending_flags``).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.core.lookup import find_thread_and_inbox, require, require_own_test
from gateway.core.mail.label_plan import Moved, Plan, carry_out, changed_flags, check_folder, make_plan
from gateway.core.mail.messages import find_mail
from gateway.core.mail.server_copy import on_server
from gateway.records.folders import Copy
from gateway.records.ids import InboxId, MessageId, ThreadId, now_us
from gateway.records.inboxes import Inbox
from gateway.records.mail import Mail, Thread
from gateway.store import index, threads
from gateway.store.labels import MAX_LABEL, to_keyword
from gateway.store.pending_flags import add_pending, drop_pending
from gateway.store.queries.folders import add_unread_folder, folder_named
from gateway.store.queries.locations import change_flags, copies_of, mark_location_removed, put_location
from gateway.store.queries.messages import mail_of_inbox, mail_of_thread, unscoped_message_item
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

MAX_LABELS = 100
"""Labels that one request may name in one field."""
MAX_ON_MESSAGE = 200
"""Labels that a message may have by the API; what people's programs put on it counts, and is never taken away."""
MAX_KEYWORDS = 16_000
"""Octets of the keywords that those labels are on the mail server: one command names them all, and takes 64 KiB."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\u2028\u2029]")


def check_labels(labels: Sequence[object], field: str) -> list[str]:
    """The labels a caller gave, trimmed, each once. Raises Invalid naming ``field[n]``."""
    if len(labels) > MAX_LABELS:
        raise Invalid(
            f"{field} takes at most {MAX_LABELS} labels, and these are {len(labels)}",
            field=field,
            fix="change labels in several requests",
        )
    found: dict[str, None] = {}
    for number, label in enumerate(labels):
        where = f"{field}[{number}]"
        if not isinstance(label, str):
            raise Invalid(f"{where} is not a string", field=where)
        text = label.strip()
        if not text or len(text) > MAX_LABEL or _CONTROL.search(text):
            raise Invalid(
                f"{where} is not a label",
                field=where,
                fix=f"a label has 1 to {MAX_LABEL} characters and no control characters",
            )
        if text.startswith("folder:"):
            check_folder(text.removeprefix("folder:"))
        found[text] = None
    check_total(found, frozenset(), field)
    return list(found)


def check_total(labels: Collection[str], before: Collection[str], field: str) -> None:
    """Raise Invalid when a message, or a draft, would have more labels than it may and had fewer ``before``."""
    if len(labels) > MAX_ON_MESSAGE and len(labels) > len(before):
        raise Invalid(
            f"a message has at most {MAX_ON_MESSAGE} labels, and with {field} it would have {len(labels)}",
            field=field,
            fix="remove some with remove_labels first",
        )
    octets, had = _octets(labels), _octets(before)
    if octets > MAX_KEYWORDS and octets > had:
        raise Invalid(
            f"the labels of a message are {MAX_KEYWORDS} octets at most on the mail server (an octet outside "
            f"a-z0-9._- counts three times), and with {field} they would be {octets}",
            field=field,
            fix="use fewer or shorter labels, or remove some with remove_labels first",
        )


def _octets(labels: Collection[str]) -> int:
    return sum(len(to_keyword(one)) + 1 for one in labels)


class Change:
    """What is asked: a whole set (``replace``), or labels to add and remove (removal wins)."""

    def __init__(
        self,
        *,
        replace: Sequence[object] | None = None,
        add: Sequence[object] = (),
        remove: Sequence[object] = (),
    ) -> None:
        if replace is None and not add and not remove:
            raise Invalid(
                "nothing to change", field="labels", fix="give labels, or add_labels and remove_labels"
            )
        if replace is not None and (add or remove):
            raise Invalid(
                "labels replaces the set; add_labels and remove_labels cannot join it", field="labels"
            )
        self._replace = None if replace is None else frozenset(check_labels(replace, "labels"))
        self._add = frozenset(check_labels(add, "add_labels"))
        self._remove = frozenset(check_labels(remove, "remove_labels"))

    def apply(self, current: frozenset[str]) -> frozenset[str]:
        """The set that ``current`` becomes. Raises Invalid for more than a message may have."""
        if self._replace is not None:
            return self._replace
        wanted = (current | self._add) - self._remove
        check_total(wanted, current, "add_labels")
        return wanted


async def change_labels(core: Core, scope: Scope, inbox_ref: str, message_ref: str, change: Change) -> Mail:
    """Change one message's labels; returns it without its texts.

    Raises NotFound, Forbidden, Invalid, Unavailable (nothing changed).
    """
    require(scope, "message_update")
    inbox, mail = await core.store.read(lambda tx: _chosen(tx, scope, inbox_ref, [message_ref], strict=True))
    return (await relabel(core, inbox, mail, change))[0]


async def change_many(
    core: Core, scope: Scope, inbox_ref: str, refs: Sequence[str], change: Change
) -> list[Mail]:
    """The same for several messages in one go; unknown ids are left out. Raises Invalid over MAX_BATCH."""
    require(scope, "message_update")
    inbox, mail = await core.store.read(lambda tx: _chosen(tx, scope, inbox_ref, refs, strict=False))
    return await relabel(core, inbox, mail, change) if mail else []


async def change_thread(
    core: Core, scope: Scope, inbox_ref: str | None, thread_ref: str, change: Change
) -> tuple[Thread, list[str]]:
    """Change the labels of every message of a thread; returns the thread and its labels."""
    require(scope, "message_update")

    def read(tx: Tx) -> tuple[Inbox, Thread, list[Mail]]:
        inbox, thread = find_thread_and_inbox(tx, scope, inbox_ref, thread_ref)
        mail = mail_of_thread(tx, thread.id)
        require_own_test(scope, [one.message for one in mail], "thread")
        return inbox, thread, mail

    inbox, thread, mail = await core.store.read(read)
    mail = await relabel(core, inbox, mail, change) if mail else []
    return thread, sorted({label for one in mail for label in one.labels})


def _chosen(
    tx: Tx, scope: Scope, inbox_ref: str, refs: Sequence[str], *, strict: bool
) -> tuple[Inbox, list[Mail]]:
    inbox, mail = find_mail(tx, scope, inbox_ref, refs, texts=False, strict=strict)
    require_own_test(scope, [one.message for one in mail], "message")
    return inbox, mail


async def relabel(core: Core, inbox: Inbox, mail: Sequence[Mail], change: Change) -> list[Mail]:
    """Bring the mail server and then the index to the changed labels. Returns the messages as they are then."""

    def plan(tx: Tx) -> list[Plan]:
        return [
            make_plan(
                one.message.id,
                one.message.direction,
                copies_of(tx, one.message.id),
                frozenset(one.labels),
                change.apply(frozenset(one.labels)),
            )
            for one in mail
        ]

    plans = await core.store.read(plan)
    went: dict[str, Moved] = {}
    if any(one.copies for one in plans):
        went = await on_server(core, inbox.address, lambda client: carry_out(client, plans))
    return await core.store.write(lambda tx: _write(tx, inbox, plans, went))


def _write(tx: Tx, inbox: Inbox, plans: Sequence[Plan], went: dict[str, Moved]) -> list[Mail]:
    changed: list[MessageId] = []
    touched: set[ThreadId] = set()
    for plan in plans:
        message = unscoped_message_item(tx, plan.message_id)
        if message is None:  # deleted meanwhile
            continue
        for copy in plan.copies:
            _relocate(tx, inbox, plan, copy, went.get(plan.target) if plan.target else None)
        index.set_labels(tx, inbox, plan.message_id, plan.labels, note=True)
        if plan.copies:
            drop_pending(tx, plan.message_id, (*plan.add, *plan.remove))
        else:
            add_pending(tx, inbox.id, plan.message_id, add=plan.add, remove=plan.remove)
        touched.add(message.thread_id)
        changed.append(message.id)
    for thread in touched:
        threads.refresh(tx, thread, now_us())
    if not changed:
        raise NotFound("the message was deleted just now")
    return mail_of_inbox(tx, inbox.id, changed, texts=False)


def _relocate(tx: Tx, inbox: Inbox, plan: Plan, copy: Copy, moved: Moved | None) -> None:
    flags = changed_flags(copy.flags, plan)
    if moved is None or moved.folder == copy.folder:
        if copy.location_id is not None:
            change_flags(tx, copy.location_id, flags)
        return
    new = moved.uids.get((copy.folder, copy.uid))
    if copy.location_id is not None:
        mark_location_removed(tx, copy.location_id)
    if new is None:
        return  # the sync finds it in its new folder
    folder_id = _folder_row(tx, inbox.id, moved)
    if folder_id is None:
        return
    put_location(tx, folder_id, new, plan.message_id, inbox.id, flags)


def _folder_row(tx: Tx, inbox_id: InboxId, moved: Moved) -> int | None:
    """The folder's row, made with nothing read yet when the sync has not met it; None when it was rebuilt."""
    add_unread_folder(tx, inbox_id, moved.folder, moved.role, moved.uidvalidity)
    folder = folder_named(tx, inbox_id, moved.folder)
    return folder.id if folder and folder.uidvalidity == moved.uidvalidity else None
