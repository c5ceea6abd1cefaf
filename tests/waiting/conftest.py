"""Fixtures of the waiting tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.gateway_process import GatewayProcess
from tests.waiting.waits import Desk, a_desk


@pytest.fixture
def desk(gateway: GatewayProcess) -> Iterator[Desk]:
    """An organization of the shared gateway with an inbox to wait at."""
    with a_desk(gateway) as made:
        yield made
