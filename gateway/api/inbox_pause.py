"""Why nothing of an inbox leaves, as every dialect's inbox shows it while that is so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec

from gateway.api.times import iso_of
from gateway.records.pauses import Pause


class InboxPause(msgspec.Struct):
    """Why nothing of an inbox leaves: the widest pause that holds for it."""

    level: Annotated[str, msgspec.Meta(description="inbox, pod, organization or server: what is paused")]
    reason: Annotated[str | None, msgspec.Meta(description="what was said when it was paused")]
    since: Annotated[str, msgspec.Meta(description="since when, ISO 8601 in UTC")]


ShownPause = Annotated[
    InboxPause | msgspec.UnsetType, msgspec.Meta(description="why nothing leaves; absent when it may send")
]


def inbox_pause(pauses: Sequence[Pause]) -> InboxPause | msgspec.UnsetType:
    """``pauses``: those that hold for the inbox, the widest first."""
    if not pauses:
        return msgspec.UNSET
    return InboxPause(pauses[0].level, pauses[0].reason, iso_of(pauses[0].since))
