"""What was read out of a message for software to go on with (``gateway.mime.one_time.one_time``)."""

from __future__ import annotations

import msgspec


class Extracted(msgspec.Struct):
    """What a person would copy out of a mail that confirms something: the one-time code, the link; null if none."""

    code: str | None = None
    link: str | None = None
