"""Running gateways for the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.own_gateway import OwnGateway, missing, start_gateway


@pytest.fixture(
    scope="module",
    params=["embedded", pytest.param("postfix_dovecot", marks=pytest.mark.root)],
)
def own_gateway(request: pytest.FixtureRequest) -> Iterator[OwnGateway]:
    """A gateway that a module's tests share, on each mail server in turn."""
    reason = missing(request.param)
    if reason:
        pytest.skip(reason)
    with start_gateway(request.param) as made:
        yield made
