"""The gateway that the official SDKs are pointed at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.own_gateway import OwnGateway, missing, start_gateway


@pytest.fixture(scope="module")
def own_gateway() -> Iterator[OwnGateway]:
    """A gateway on the embedded mail server, shared by a module's tests."""
    reason = missing("embedded")
    if reason:
        pytest.skip(reason)
    with start_gateway() as made:
        yield made
