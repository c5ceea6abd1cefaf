"""Fixtures of the /v1 tests."""

from __future__ import annotations

import pytest

from tests.api_openmail.account_tree import AccountTree, settle
from tests.api_openmail.post import Post
from tests.support.gateway_process import GatewayProcess, Organization


@pytest.fixture(scope="package")
def account_tree(gateway: GatewayProcess) -> AccountTree:
    """One account with a key of every kind, shared: leave what it holds as it is."""
    return settle(gateway)


@pytest.fixture
def post(gateway: GatewayProcess, organization: Organization) -> Post:
    """Inboxes and mail of a fresh organization."""
    return Post(gateway, organization)
