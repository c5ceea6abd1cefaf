from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.running_api import RunningApi, running_api


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[RunningApi]:
    path: Path = tmp_path_factory.mktemp("api")
    async with running_api(path) as made:
        yield made
