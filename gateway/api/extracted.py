"""The one-time code and link found in a message (``gateway.mime.one_time.one_time``)."""

from __future__ import annotations

import msgspec


class Extracted(msgspec.Struct):
    """The one-time code and the confirmation link of a message; null if it has none."""

    code: str | None = None
    link: str | None = None
