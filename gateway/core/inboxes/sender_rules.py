"""Whose mail comes through: block and allow rules on the From address, account-wide or of one inbox.

They are the entries of the receive lists (``list_entries``), read with a mode: ``none`` (allow rules only name
friends) or ``allowlist`` (what no allow rule names is filtered). Block wins over allow in every scope. What is
filtered bears the label ``blocked``: hidden from every list, without an event. OpenMail §11.
"""

from __future__ import annotations

from typing import Literal, cast

from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.core.inboxes.list_entries import check_entry, matching, place_of, put
from gateway.core.lookup import find_inbox, require
from gateway.core.paging import clean_text, page_of
from gateway.store.allow_block_lists import MODE, Mode
from gateway.store.engine import Row, Tx
from gateway.store.ids import parse_id
from gateway.store.listing import Listing, Window
from gateway.store.scope import Scope

Action = Literal["block", "allow"]


def _reach(scope: Scope) -> tuple[str, list[object]]:
    """The rules inside the reach."""
    where = "organization_id = ? AND direction = 'receive' AND list_type IN ('allow', 'block')"
    args: list[object] = [scope.organization]
    for column, value in (("pod_id", scope.pod), ("inbox_id", scope.inbox)):
        if value:
            where, args = f"{where} AND {column} = ?", [*args, value]
    return where, args


async def add(
    core: Core,
    scope: Scope,
    action: Action,
    sender: str,
    *,
    inbox: str | None = None,
    reason: str | None = None,
) -> tuple[Row, bool]:
    """Make a rule on an address or an exact domain; answers its row and whether it is new.

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

    def write(tx: Tx) -> tuple[Row, bool]:
        place = place_of(tx, scope, "receive", None, inbox)
        if action == "allow" and _mode_of(tx, place) == "none":
            # said in so many words, for an allow rule alone would make its list a complete one
            put(tx, {**place, "list_type": MODE}, "none", MODE)
        return put(tx, {**place, "list_type": action}, text, kind, reason)

    return await core.store.write(write)


async def list_rules(
    core: Core, scope: Scope, window: Window, *, inbox: str | None = None, action: Action | None = None
) -> Listing[Row]:
    """The account's rules, or those of one inbox."""
    require(scope, "list_entry_read")

    def read(tx: Tx) -> Listing[Row]:
        where, args = _reach(scope)
        if inbox is not None:
            where, args = f"{where} AND inbox_id = ?", [*args, find_inbox(tx, scope, inbox).id]
        if action is not None:
            where, args = f"{where} AND list_type = ?", [*args, action]
        return page_of(tx, "list_entry", where, args, window)

    return await core.store.read(read)


async def delete(core: Core, scope: Scope, ref: str) -> None:
    """Take a rule away, by its id. Raises NotFound."""
    require(scope, "list_entry_delete")

    def write(tx: Tx) -> None:
        where, args = _reach(scope)
        if not tx.run(f"DELETE FROM list_entry WHERE {where} AND id = ?", *args, parse_id("rule", ref) or ""):  # noqa: S608
            raise NotFound(f"there is no sender rule {ref[:100]!r}", fix="GET /sender-rules lists the rules")

    await core.store.write(write)


async def get_mode(core: Core, scope: Scope, *, inbox: str | None = None) -> tuple[Mode, str | None]:
    """The mode of the account, or of one inbox's own rules; with that inbox's ULID."""
    require(scope, "list_entry_read")

    def read(tx: Tx) -> tuple[Mode, str | None]:
        place = place_of(tx, scope, "receive", None, inbox)
        return _mode_of(tx, place), place["inbox_id"]

    return await core.store.read(read)


async def set_mode(
    core: Core, scope: Scope, mode: Mode, *, inbox: str | None = None
) -> tuple[Mode, str | None]:
    """Set the mode of the account, or of one inbox's own rules; answers as ``get_mode``."""
    require(scope, "list_entry_create")

    def write(tx: Tx) -> tuple[Mode, str | None]:
        place = place_of(tx, scope, "receive", None, inbox)
        columns = {**place, "list_type": MODE}
        where, args = matching(columns)
        tx.run(f"DELETE FROM list_entry WHERE {where}", *args)  # noqa: S608
        put(tx, columns, mode, MODE)
        return mode, place["inbox_id"]

    return await core.store.write(write)


def _mode_of(tx: Tx, place: Row) -> Mode:
    """The mode that was set, else what the entries mean by themselves (``store.allow_block_lists``)."""
    where, args = matching({**place, "list_type": MODE})
    said = tx.value(f"SELECT entry FROM list_entry WHERE {where}", *args)  # noqa: S608
    if said is not None:
        return cast(Mode, said)
    where, args = matching({**place, "list_type": "allow"})
    listed = tx.value(f"SELECT 1 FROM list_entry WHERE {where} LIMIT 1", *args)  # noqa: S608
    return "allowlist" if listed else "none"
