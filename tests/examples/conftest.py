"""The examples as their users have them: imported from their directory, with the environment they ask for."""

from __future__ import annotations

import importlib
import secrets
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.gateway_process import GatewayProcess, Organization

EXAMPLES = Path(__file__).parent.parent.parent / "scripts/examples"
_NAMES = [one.stem for one in EXAMPLES.glob("*.py")]


@pytest.fixture
def environment(organization: Organization, gateway: GatewayProcess) -> dict[str, str]:
    """What an example reads to find its inbox, a new one."""
    inbox = organization.new_inbox(f"agent-{secrets.token_hex(5)}")
    return {
        "POSTERN_URL": gateway.base_url,
        "POSTERN_KEY": organization.api_key,
        "POSTERN_INBOX": inbox["email"],
    }


@pytest.fixture
def example(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], ModuleType]]:
    """Imports an example anew, by name."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("no_proxy", "*")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    yield importlib.import_module
    for name in _NAMES:
        sys.modules.pop(name, None)
