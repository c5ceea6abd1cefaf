"""An inbox as MailboxKit shows it, in answers and in events alike (contract, "Endpoints")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.api.times import to_seconds
from gateway.store.ids import number_of


class InboxView(msgspec.Struct):
    """An inbox. ``email_address`` repeats ``email``: a client there is reads it under that name."""

    id: int
    name: str
    email: str
    email_address: str
    organization_id: int
    created_at: str


def inbox_view(facts: Mapping[str, Any]) -> InboxView:
    """``facts``: an inbox row, or the snapshot of one in an event. An inbox without a name is named by its address."""
    return InboxView(
        id=number_of(facts["id"]),
        name=facts["display_name"] or facts["address"],
        email=facts["address"],
        email_address=facts["address"],
        organization_id=number_of(facts["organization_id"]),
        created_at=to_seconds(facts["created_at"]),
    )
