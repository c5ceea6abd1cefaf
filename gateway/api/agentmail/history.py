"""The history of a message: what happened to it, oldest first."""

from __future__ import annotations

from functools import partial
from typing import Any

from gateway.api.history_view import HistoryEntry, history_entry
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, Table
from gateway.api.times import iso_of
from gateway.core.access import reads
from gateway.core.history.history import message_history

table = Table("Messages")


@table.get(
    "/inboxes/{inbox_id}/messages/{message_id:rest}/history",
    also=["/messages/{message_id}/history"],
    rows=("history", HistoryEntry),
    access=reads("message_read"),
)
async def get_history(call: Call[NoBody, PageQuery]) -> dict[str, Any]:
    """Get what happened to a message, oldest first: how it came or was accepted, each delivery attempt with the reply
    of the mail server, labels and moves, opens, complaints, and the webhooks it was posted to.

    `complete` is false when entries are missing; `missing` says why. Label changes, opens and webhooks are kept for
    `events.keep_days`, delivery attempts for `outbox.keep_days`.
    """
    paging = read_paging(call.query, call.core.secret, ascending=True)
    found = await message_history(
        call.core, call.scope, call.ids.get("inbox_id"), call.ids["message_id"], paging.window
    )
    body = answer(call, found.listing, paging, "history", partial(history_entry, time=iso_of))
    return body | {"complete": found.complete, "missing": found.missing}
