"""The gateway that the official SDKs are pointed at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.house import House, a_house, missing


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A gateway on the embedded mail server, shared by a module's tests."""
    reason = missing("embedded")
    if reason:
        pytest.skip(reason)
    with a_house() as made:
        yield made
