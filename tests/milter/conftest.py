"""One Postfix with a milter for all tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.milter.running_milter import Post, post


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> AsyncIterator[Post]:
    path: Path = tmp_path_factory.mktemp("milter")
    async with post(path) as made:
        yield made
