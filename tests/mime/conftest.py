"""What the tests of gateway/mime share."""

from __future__ import annotations

from pathlib import Path

import pytest

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"


def corpus(*names: str) -> list[Path]:
    """Messages of the named corpora, of all when none is named; empty where they are absent."""
    roots = [CORPORA / name for name in names] if names else [CORPORA]
    return sorted(path for root in roots if root.is_dir() for path in root.rglob("*.eml"))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def corpus_messages() -> list[Path]:
    found = corpus()
    if not found:
        pytest.skip("shared/corpora is not here")
    return found
