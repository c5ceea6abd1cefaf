"""The figures of ``postern status`` when no gateway runs: read from the database, where nothing is written."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from gateway.api.operator_status import status_view
from gateway.core.accounts.status import figures
from gateway.settings import Settings
from gateway.store.database_url import database_url, sqlite_file
from gateway.store.engine import Store


async def read_figures(settings: Settings, data_dir: Path) -> dict[str, Any]:
    """The figures as ``/operator/status`` has them; only the disks where there is no database yet."""
    url = database_url(settings.database.url, data_dir)
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return {}
    store = await asyncio.to_thread(Store, url)
    try:
        return status_view(await figures(settings, data_dir, store))
    finally:
        await asyncio.to_thread(store.close)
