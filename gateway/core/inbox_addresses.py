"""The addresses of inboxes by their ids, for a dialect that names an inbox by its address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

from gateway.records.ids import InboxId
from gateway.store.engine import Store
from gateway.store.queries.inboxes import unscoped_inbox_addresses

MAX_KNOWN = 50_000
_AT_ONCE = 500


class InboxAddresses:
    """Addresses that this process has read. An inbox keeps its address as long as it exists, so each is read once."""

    def __init__(self) -> None:
        self._known: dict[InboxId, str] = {}

    async def of(self, store: Store, inbox_ids: Iterable[InboxId | None]) -> Mapping[InboxId, str]:
        """Addresses by ULID; None and inboxes that are gone are left out. Raises StoreDown."""
        wanted = {one for one in inbox_ids if one is not None}
        missing = [one for one in wanted if one not in self._known]
        found = {one: self._known[one] for one in wanted if one in self._known}
        for start in range(0, len(missing), _AT_ONCE):
            part = missing[start : start + _AT_ONCE]
            found |= await store.quick_read(partial(unscoped_inbox_addresses, inbox_ids=part))
        if missing:
            if len(self._known) + len(missing) > MAX_KNOWN:
                self._known.clear()
            self._known.update(found)
        return found
