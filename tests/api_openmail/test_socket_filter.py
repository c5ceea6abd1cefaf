"""Which event types a WebSocket client of ``/v1/ws`` hears: opt-in ones where it names them, beside whatever else."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.api.openmail.socket_filter import Filter
from gateway.records.events import EventHead
from gateway.records.ids import EventId, InboxId, OrganizationId

BOX = InboxId("box")
ANY: dict[str, Any] = {"everywhere": True}
RECEIVED: dict[str, Any] = {"everywhere": True, "types": frozenset({"message.received"})}
MERGED: dict[str, Any] = {
    "everywhere": True,
    "types": frozenset({"thread.merged"}),
    "named": frozenset({"thread.merged"}),
}


def _heard(filter: Filter) -> set[str]:
    kinds = ("message.received", "thread.merged", "inbox.suspended")
    heads = [EventHead(1, EventId("e"), OrganizationId("o"), None, BOX, kind, False, 0) for kind in kinds]
    return {head.type for head in heads if filter.wants(head)}


@pytest.mark.parametrize(
    ("asked", "heard"),
    [
        ([ANY], {"message.received"}),
        ([RECEIVED], {"message.received"}),
        ([MERGED], {"thread.merged"}),
        ([ANY, MERGED], {"message.received", "thread.merged"}),
        ([MERGED, ANY], {"message.received", "thread.merged"}),
        ([RECEIVED, MERGED], {"message.received", "thread.merged"}),
    ],
)
def test_opt_in_types_are_heard_where_they_are_named(asked: list[dict[str, Any]], heard: set[str]) -> None:
    filter = Filter()
    for one in asked:
        filter = filter.plus(Filter(**one))
    assert _heard(filter) == heard
    assert _heard(filter.minus(frozenset({InboxId("another")}))) == heard
