"""Whose mail comes through: block and allow rules on the From address, account-wide or of one inbox.

They are the entries of the receive lists (``list_entries``), read with a mode: ``none`` (allow rules only name
friends) or ``allowlist`` (what no allow rule names is filtered). Block wins over allow in every scope. What is
filtered bears the label ``blocked``: hidden from every list, without an event. OpenMail §11.
"""

from __future__ import annotations

from gateway.core.address_entries import check_entry
from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.core.inboxes.list_entries import owner_of
from gateway.core.lookup import find_inbox, require
from gateway.core.text import clean_text
from gateway.records.ids import RULE_ID, InboxId
from gateway.records.lists import Action, ListEntry, Mode
from gateway.store.listing import Listing, Window
from gateway.store.queries import list_entries as queries
from gateway.store.queries.list_entries import ListOwner, allows_anybody, mode_of, put_entry, remove_rule
from gateway.store.scope import Scope
from gateway.store.transaction import Tx


async def add(
    core: Core,
    scope: Scope,
    action: Action,
    sender: str,
    *,
    inbox: str | None = None,
    reason: str | None = None,
) -> tuple[ListEntry, bool]:
    """Make a rule on an address or an exact domain; answers it and whether it is new.

    Raises Invalid, NotFound (the inbox), Forbidden.
    """
    require(scope, "list_entry_create")
    try:
        text, kind = check_entry(sender)
    except Invalid as error:
        raise Invalid(
            f"{sender[:100]!r} is neither an address nor a domain", field="sender", fix=error.fix
        ) from None
    reason = clean_text(reason, "reason", 1000)

    def write(tx: Tx) -> tuple[ListEntry, bool]:
        owner = owner_of(tx, scope, "receive", None, inbox)
        if action == "allow" and mode_of(tx, owner) is None and not allows_anybody(tx, owner):
            # said in so many words, for an allow rule alone would make its list a complete one
            queries.set_mode(tx, owner, "none")
        return put_entry(tx, owner, action, text, kind, reason)

    return await core.store.write(write)


async def list_rules(
    core: Core, scope: Scope, window: Window, *, inbox: str | None = None, action: Action | None = None
) -> Listing[ListEntry]:
    """The account's rules, or those of one inbox."""
    require(scope, "list_entry_read")

    def read(tx: Tx) -> Listing[ListEntry]:
        inbox_id = find_inbox(tx, scope, inbox).id if inbox is not None else None
        return queries.list_rules(tx, scope, window, inbox_id=inbox_id, action=action)

    return await core.store.read(read)


async def delete(core: Core, scope: Scope, ref: str) -> None:
    """Take a rule away, by its id. Raises NotFound."""
    require(scope, "list_entry_delete")

    def write(tx: Tx) -> None:
        if not remove_rule(tx, scope, RULE_ID.parse(ref)):
            raise NotFound(f"there is no sender rule {ref[:100]!r}", fix="GET /sender-rules lists the rules")

    await core.store.write(write)


async def get_mode(core: Core, scope: Scope, *, inbox: str | None = None) -> tuple[Mode, InboxId | None]:
    """The mode of the account, or of one inbox's own rules; with that inbox's ULID."""
    require(scope, "list_entry_read")

    def read(tx: Tx) -> tuple[Mode, InboxId | None]:
        owner = owner_of(tx, scope, "receive", None, inbox)
        return _mode_of(tx, owner), owner.inbox_id

    return await core.store.read(read)


async def set_mode(
    core: Core, scope: Scope, mode: Mode, *, inbox: str | None = None
) -> tuple[Mode, InboxId | None]:
    """Set the mode of the account, or of one inbox's own rules; answers as ``get_mode``."""
    require(scope, "list_entry_create")

    def write(tx: Tx) -> tuple[Mode, InboxId | None]:
        owner = owner_of(tx, scope, "receive", None, inbox)
        queries.set_mode(tx, owner, mode)
        return mode, owner.inbox_id

    return await core.store.write(write)


def _mode_of(tx: Tx, owner: ListOwner) -> Mode:
    """The mode that was set, else what the entries mean by themselves (``store.allow_block_lists``)."""
    return mode_of(tx, owner) or ("allowlist" if allows_anybody(tx, owner) else "none")
