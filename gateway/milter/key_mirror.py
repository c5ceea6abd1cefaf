"""The engine that writes the domains' signing keys to files, for the milter (``key_files``)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from gateway.milter.key_files import KeyFiles
from gateway.mime.dkim_sign import Signing
from gateway.store.dkim_keys import active_keys
from gateway.store.engine import Store, StoreDown

log = logging.getLogger("postern.milter")

DIRECTORY = "dkim"
_PAUSE = 5.0


class KeyMirror:
    """Keeps the files as the table is. A key that another process of the gateway made is there seconds later, which
    is soon enough: before it signs, its record has to be seen in DNS. ``changed``: fields that the relay of this
    gateway replaces, so that no signature covers them."""

    def __init__(self, store: Store, data_dir: Path, changed: tuple[str, ...] = ()) -> None:
        self._store = store
        self._changed = changed
        self._files = KeyFiles(data_dir / DIRECTORY)
        self._last: list[Signing] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Write the files, then go on. Raises OSError, StoreDown."""
        await self.refresh()
        self._task = asyncio.create_task(self._run(), name="key-mirror")

    async def stop(self) -> None:
        """Stop; the files stay."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def refresh(self) -> None:
        """Make the files as the table is now. Raises OSError, StoreDown."""
        keys = await self._store.read(lambda tx: active_keys(tx, self._changed))
        if keys != self._last:
            await asyncio.to_thread(self._files.replace, keys)
            self._last = keys

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE)
            try:
                await self.refresh()
            except (OSError, StoreDown) as error:
                log.warning("the signing keys are not written: %s; it is tried again", error)
