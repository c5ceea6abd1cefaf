"""With whom an inbox, a pod or an organization exchanges mail: mode and rules as one value, read and replaced whole.

They are the entries and the mode of the lists that ``sender_rules`` and ``list_entries`` change one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gateway.core.address_entries import check_entry
from gateway.core.context import Core
from gateway.core.errors import Invalid, TooLarge
from gateway.core.inboxes.list_entries import owner_of
from gateway.core.lookup import require
from gateway.records.lists import Action, Direction, ListEntry, Mode
from gateway.store.queries.list_entries import (
    ListOwner,
    allows_anybody,
    entries_of,
    mode_of,
    replace_entries,
    set_mode,
)
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

Way = Literal["inbound", "outbound"]

WAYS: Mapping[Way, Direction] = {"inbound": "receive", "outbound": "send"}
"""The list direction of each way that mail goes."""

MOST_RULES = 1000


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to hold one way. ``rules``: what each does, and to whom."""

    mode: Mode
    rules: Sequence[tuple[Action, str]] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """What holds one way. ``entries``: in the order of their text."""

    mode: Mode
    entries: Sequence[ListEntry]


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds in both ways, of the inbox or pod of ``owner``, else of the organization."""

    owner: ListOwner
    ways: Mapping[Way, Held]


async def get(core: Core, scope: Scope, *, pod: str | None = None, inbox: str | None = None) -> Policy:
    """The own rules of an inbox, else of a pod, else of the organization. Raises NotFound, Forbidden."""
    require(scope, "list_entry_read")
    return await core.store.read(lambda tx: _read(tx, scope, pod, inbox))


async def put(
    core: Core,
    scope: Scope,
    wanted: Mapping[Way, Wanted],
    *,
    pod: str | None = None,
    inbox: str | None = None,
) -> Policy:
    """Replace mode and rules of each way that is named; the other stays. Answers as ``get``.

    Raises Invalid naming the rule, TooLarge, NotFound, Forbidden.
    """
    require(scope, "list_entry_create")
    require(scope, "list_entry_delete")
    checked = {way: _checked(way, one.rules) for way, one in wanted.items()}

    def write(tx: Tx) -> Policy:
        for way, entries in checked.items():
            owner = owner_of(tx, scope, WAYS[way], pod, inbox)
            replace_entries(tx, owner, entries)
            set_mode(tx, owner, wanted[way].mode)
        return _read(tx, scope, pod, inbox)

    return await core.store.write(write)


def _checked(
    way: Way, rules: Sequence[tuple[Action, str]]
) -> list[tuple[Action, str, Literal["email", "domain"]]]:
    if len(rules) > MOST_RULES:
        raise TooLarge(
            f"{len(rules)} rules are too many: at most {MOST_RULES}",
            field=f"{way}.rules",
            fix="name domains instead of their addresses",
        )
    found: dict[tuple[Action, str], Literal["email", "domain"]] = {}
    for number, (action, value) in enumerate(rules):
        try:
            text, kind = check_entry(value)
        except Invalid as error:
            raise Invalid(
                f"{value[:100]!r} is neither an address nor a domain",
                field=f"{way}.rules[{number}].value",
                fix=error.fix,
            ) from None
        found.setdefault((action, text), kind)
    return [(action, text, kind) for (action, text), kind in found.items()]


def _read(tx: Tx, scope: Scope, pod: str | None, inbox: str | None) -> Policy:
    owners = {way: owner_of(tx, scope, direction, pod, inbox) for way, direction in WAYS.items()}
    return Policy(owners["inbound"], {way: _held(tx, owner) for way, owner in owners.items()})


def _held(tx: Tx, owner: ListOwner) -> Held:
    implied: Mode = "allowlist" if allows_anybody(tx, owner) else "none"
    return Held(mode_of(tx, owner) or implied, entries_of(tx, owner))
