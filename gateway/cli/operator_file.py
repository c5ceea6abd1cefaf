"""What a gateway that answers writes for the commands on its machine (``operator``)."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import Any

from gateway.cli import operator
from gateway.cli.failure import Failure
from gateway.core.accounts import bootstrap
from gateway.core.context import Core
from gateway.store.engine import StoreDown

log = logging.getLogger("postern.operator")

_LOOK_EVERY = 5.0


async def announce(core: Core, local_url: str, given: Mapping[str, Any] | None = None) -> operator.Operator:
    """Write the file of a gateway that answers at ``local_url`` (``unix:PATH`` for a Unix socket).

    ``given``: settings from its command line; None keeps those in the file.
    """
    settings = operator.settings_of(core.data_dir) if given is None else dict(given)
    held = operator.read_private(core.data_dir / operator.NAME).get("api_key")
    scope = await core.keys.identify(core.store, str(held)) if held else None
    key = str(held) if scope is not None and scope.operator else None
    if key is None:
        key = await bootstrap.make_key(core, "operator", operator=True)
    path = local_url.removeprefix("unix:") if local_url.startswith("unix:") else None
    made = operator.Operator("http://localhost" if path else local_url, key, os.getpid(), path)
    value: dict[str, Any] = {"base_url": made.base_url, "api_key": made.api_key, "pid": made.pid}
    if settings:
        value["settings"] = settings
    if made.unix_socket:
        value["unix_socket"] = made.unix_socket
    operator.write_private(core.data_dir / operator.NAME, value)
    return made


async def stand_in(core: Core, local_url: str) -> None:
    """Where several gateways share the directory: announce this one when the one that is announced is gone. Never
    ends; cancel it."""
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        try:
            found = await asyncio.to_thread(operator.operator_of, core.data_dir)
            if found is None or not operator.lives(found):
                await announce(core, local_url)
        except (StoreDown, Failure, OSError) as error:
            log.warning("%s cannot be kept: %s", operator.NAME, error)
