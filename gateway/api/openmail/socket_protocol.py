"""The frames of ``/v1/ws`` (contract §9): what a client may send, and how the server says things."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.errors import from_msgspec
from gateway.core.errors import CoreError, Invalid
from gateway.core.webhooks.webhooks import MAX_IDS

_Refs = Annotated[list[Annotated[str, msgspec.Meta(max_length=320)]], msgspec.Meta(max_length=MAX_IDS)]
_Types = Annotated[list[Annotated[str, msgspec.Meta(max_length=320)]], msgspec.Meta(max_length=100)]


class Subscribe(msgspec.Struct, tag="subscribe"):
    """Adds to what is subscribed to; an absent or empty list means all. ``last_event_id``: first what came after it."""

    inbox_ids: _Refs | None = None
    event_types: _Types | None = None
    last_event_id: str | None = None


class Unsubscribe(msgspec.Struct, tag="unsubscribe"):
    """Takes inboxes off what is subscribed to; an absent or empty list takes everything."""

    inbox_ids: _Refs | None = None


class Ping(msgspec.Struct, tag="ping"):
    """Is answered with a pong."""


_Frame = Subscribe | Unsubscribe | Ping
_decoder: msgspec.json.Decoder[_Frame] = msgspec.json.Decoder(_Frame)


def frame_of(data: bytes) -> _Frame:
    """A client's frame. Raises Invalid for anything else."""
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError as error:
        refusal = from_msgspec(error)
        if refusal.field in ("type", "body", None):
            raise Invalid(_KNOWN) from error
        raise refusal from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid(f"that is not JSON; {_KNOWN}") from None


_KNOWN = (
    'a message is a JSON object whose type is subscribe, unsubscribe or ping, such as {"type":"subscribe"}'
)


def error_frame(error: CoreError) -> dict[str, object]:
    """How an error is shown; the connection stays."""
    message = error.message if error.fix is None else f"{error.message}: {error.fix}"
    return {"type": "error", "message": message}


def subscribed(inboxes: list[str], types: list[str]) -> dict[str, object]:
    """The accumulated filter, in public ids; an empty list means all."""
    return {"type": "subscribed", "inbox_ids": inboxes, "event_types": types}


def unsubscribed(inboxes: list[str]) -> dict[str, object]:
    """What was taken off; an empty list means everything."""
    return {"type": "unsubscribed", "inbox_ids": inboxes}


PONG: dict[str, object] = {"type": "pong"}
