"""The history of a message: what happened to it, oldest first. Postern's own; the contract has none."""

from __future__ import annotations

from functools import partial

import msgspec
from msgspec import structs

from gateway.api.history_view import Complete, HistoryEntry, Missing, history_entry
from gateway.api.mailboxkit.listing import PageQuery, Rows, listed, window_of
from gateway.api.routing import Call, NoBody, Table
from gateway.api.times import to_seconds
from gateway.core.access import reads
from gateway.core.history.history import message_history
from gateway.records.ids import number_of

table = Table("messages")


class HistoryRows(Rows[HistoryEntry]):
    """Entries, oldest first."""

    complete: Complete = True
    missing: Missing = msgspec.field(default_factory=list)


@table.get("/inboxes/{inbox_id}/messages/{message_id:rest}/history", access=reads("message_read"))
async def get_history(call: Call[NoBody, PageQuery]) -> HistoryRows:
    """Get what happened to a message, oldest first: how it came or was accepted, each delivery attempt with the reply
    of the mail server, opens, complaints, and the webhooks it was posted to.

    `complete` is false when entries are missing; `missing` says why.
    """
    window = window_of(call.query, ascending=True)
    found = await message_history(call.core, call.scope, call.ids["inbox_id"], call.ids["message_id"], window)
    rows = listed(call, window, found.listing, partial(history_entry, time=to_seconds, ids=number_of))
    return HistoryRows(**structs.asdict(rows), complete=found.complete, missing=found.missing)
