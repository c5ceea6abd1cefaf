"""A gateway's API in the production profile, on a name server of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.core.accounts import bootstrap
from tests.support.running_api import RunningApi, running_api
from tests.support.servers import NameServer

Zones = dict[tuple[str, str], list[str] | None]


@dataclass
class Place:
    """``zones`` is what DNS says; change it at will. ``operator`` is the API with the operator's key."""

    running: RunningApi
    zones: Zones
    operator: httpx.AsyncClient

    async def call(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        answer = await self.running.api.request(method, f"/api/v0/{path}", json=body)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def publish(self, *records: dict[str, Any]) -> None:
        """Put records of ``GET /domains/{id}/setup`` into the DNS."""
        for one in records:
            self.zones[(one["name"], one["type"])] = [one["data"]]

    async def setup(self, domain: str, *, check: bool = False) -> Any:
        path = f"domains/{domain}/setup"
        return await self.call("POST", f"{path}/check") if check else await self.call("GET", path)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    zones: Zones = {}
    async with (
        NameServer(zones) as dns,
        running_api(
            tmp_path,
            profile="production",
            dns__port=dns.port,
            dns__timeout=5.0,
            mail__hostname="mx.postern.test",
            mail__public_ipv4="192.0.2.10",
            mail__public_ipv6="2001:db8::10",
            mail__tls_cert="/cert.pem",
        ) as made,
    ):
        key = await bootstrap.make_key(made.core, "operator", operator=True)
        async with made.as_key(key) as operator:
            yield Place(made, zones, operator)


def by_purpose(setup: Any) -> dict[str, Any]:
    """The records by purpose (one of each)."""
    return {one["purpose"]: one for one in setup["records"]}
