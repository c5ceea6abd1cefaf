"""Nothing new is taken in while a disk is full: what was accepted needs the rest of it."""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.errors import Unavailable

RETRY_SECONDS = 60


def disk_full() -> Unavailable:
    """What a caller is answered: where the disk is and how full is the operator's to know (``/ready``)."""
    return Unavailable(
        "the disk of the server is full",
        RETRY_SECONDS,
        fix="try again later; the operator must make room, /ready says where",
        code="disk_full",
    )


async def check_room(core: Core) -> None:
    """Raise Unavailable while there is too little room on a disk (``limits.disk_free``)."""
    if await core.disks.short() is not None:
        raise disk_full()
