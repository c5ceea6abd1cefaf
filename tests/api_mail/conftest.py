from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.filled_store import FilledStore


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[FilledStore]:
    made = FilledStore(tmp_path)
    yield made
    made.close()
