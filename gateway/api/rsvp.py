"""The answer to an invitation, as every dialect takes it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.core.sending.rsvp import Response, Rsvp

Doc = msgspec.Meta


class RsvpBody(msgspec.Struct, kw_only=True):
    """An answer to an invitation."""

    response: Annotated[Response, Doc(description="accept, decline or tentative")]
    text: Annotated[str | None, Doc(description="what to say with it")] = None
    uid: Annotated[
        str | None,
        Doc(description="which event; default: the first one of the message that asks for an answer"),
    ] = None

    def rsvp(self) -> Rsvp:
        """The answer for ``core.sending.rsvp``."""
        return Rsvp(response=self.response, text=self.text, uid=self.uid)
