"""From the settings to what the checks use: the database if there is one, the gateway if it runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.core.domains.check import checker_of
from gateway.core.domains.records import site_of
from gateway.doctor.context import Door, Scene
from gateway.settings import Settings
from gateway.store.database_url import database_url, sqlite_file
from gateway.store.engine import Store


@asynccontextmanager
async def arrived(
    settings: Settings, data_dir: Path, config: Path | None, door: Door | None
) -> AsyncIterator[Scene]:
    """The scene. Raises ValueError for a public address that is none."""
    site = await asyncio.to_thread(site_of, settings)
    checker = await checker_of(settings)
    store = await asyncio.to_thread(_store, settings, data_dir)
    try:
        yield Scene(settings, config, data_dir, store, door, checker, site)
    finally:
        if store is not None:
            await asyncio.to_thread(store.close)


def _store(settings: Settings, data_dir: Path) -> Store | None:
    """Opened to read only: it has no writer, and nothing is made or migrated."""
    url = database_url(settings.database.url, data_dir)
    file = sqlite_file(url)
    return Store(url) if file is None or file.exists() else None
