"""Running gateways for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.house import House, a_house, missing


@pytest.fixture(
    scope="module",
    params=["embedded", pytest.param("postfix_dovecot", marks=pytest.mark.root)],
)
def house(request: pytest.FixtureRequest) -> Iterator[House]:
    """A gateway that a module's tests share, on each mail server in turn."""
    reason = missing(request.param)
    if reason:
        pytest.skip(reason)
    with a_house(request.param) as made:
        yield made
