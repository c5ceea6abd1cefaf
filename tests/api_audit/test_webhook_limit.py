"""How many webhooks an organization has, whichever dialects and inboxes they belong to, and how one more is refused."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.store.sql import sql
from tests.support.gateway_process import GatewayProcess, running_gateway

HOOK = "http://127.0.0.1:9099/hook"


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    path: Path = tmp_path_factory.mktemp("few")
    with running_gateway(path, limits__webhooks=2) as gateway:
        yield gateway


class Caller:
    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway, self.organization = gateway, gateway.new_organization()
        self.inbox = self.organization.new_inbox()["inbox_id"]

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        headers = {**self.organization.headers, "Idempotency-Key": uuid.uuid4().hex}
        return httpx.request(
            method, self.gateway.base_url + path, json=body, headers=headers, timeout=30, trust_env=False
        )

    def add(self, dialect: str) -> httpx.Response:
        if dialect == "agentmail":
            return self.ask("POST", "/api/v0/webhooks", {"url": HOOK, "event_types": ["message.received"]})
        if dialect == "mailboxkit":
            hook = {"url": HOOK, "events": ["message.received"], "name": "one"}
            return self.ask("POST", "/api/v1/webhooks", hook)
        return self.ask("PUT", "/v1/webhook", {"url": HOOK})

    def webhooks(self) -> int:
        organization = self.organization.id.removeprefix("org_")
        count = "SELECT count(*) FROM webhook WHERE organization_id = ? AND url <> ''"
        return int(self.gateway.database(lambda tx: sql(tx).value(count, organization)))


@pytest.mark.parametrize(("dialect", "status"), [("agentmail", 403), ("mailboxkit", 403), ("openmail", 422)])
def test_one_webhook_too_many_is_refused(few: GatewayProcess, dialect: str, status: int) -> None:
    caller = Caller(few)
    for _ in range(2):
        made = caller.add("agentmail")
        assert made.status_code == 201, made.text
    refused = caller.add(dialect)
    assert refused.status_code == status, refused.text
    for word in ("limits.webhooks", "2 webhooks", "url", "delete a webhook"):
        assert word in refused.text
    assert caller.webhooks() == 2
    first = caller.ask("GET", "/api/v0/webhooks").json()["webhooks"][0]["webhook_id"]
    assert caller.ask("DELETE", f"/api/v0/webhooks/{first}").is_success
    assert caller.add(dialect).is_success
    assert caller.webhooks() == 2


def test_the_urls_of_inboxes_count(few: GatewayProcess) -> None:
    caller = Caller(few)
    assert caller.add("agentmail").is_success
    assert caller.add("openmail").is_success
    assert caller.add("openmail").is_success, "the same webhook again"
    made = caller.ask("POST", "/v1/inboxes", {"mailboxName": f"h{uuid.uuid4().hex[:8]}", "webhookUrl": HOOK})
    assert (made.status_code, made.json()["error"]) == (422, "webhook_limit_reached")
    assert "webhookUrl" in made.json()["message"]
    changed = caller.ask("PATCH", f"/v1/inboxes/{caller.inbox}", {"webhookUrl": HOOK})
    assert (changed.status_code, changed.json()["error"]) == (422, "webhook_limit_reached")
    assert caller.ask("GET", "/v1/inboxes").json()["total"] == 1, "no inbox was made"
    assert caller.ask("DELETE", "/v1/webhook").is_success
    assert caller.ask("PATCH", f"/v1/inboxes/{caller.inbox}", {"webhookUrl": HOOK}).is_success


def test_one_that_is_switched_off_counts(few: GatewayProcess) -> None:
    caller = Caller(few)
    for _ in range(2):
        hook = caller.add("agentmail").json()["webhook_id"]
        assert caller.ask("PATCH", f"/api/v0/webhooks/{hook}", {"enabled": False}).is_success
    assert caller.add("agentmail").status_code == 403


def test_test_posts_that_hang_are_so_many_and_no_more(few: GatewayProcess) -> None:
    """Eight wait for an endpoint that accepts connections and says nothing; the others are refused at once."""
    caller = Caller(few)
    with socket.create_server(("127.0.0.1", 0)) as endpoint, ThreadPoolExecutor(12) as threads:
        url = f"http://127.0.0.1:{endpoint.getsockname()[1]}/"
        assert caller.ask("PUT", "/v1/webhook", {"url": url}).is_success
        asked = [threads.submit(caller.ask, "POST", "/v1/webhook/test") for _ in range(12)]
        held, refused = [], []
        for one in as_completed(asked):
            if one.result().status_code != 429:
                held.append(one.result())
                continue
            refused.append(one.result())
            if len(refused) == 4:
                endpoint.close()  # and with it the connections that nobody accepted
        assert [one.status_code for one in held] == [502] * 8
        assert len(refused) == 4
        assert "8 test posts" in refused[0].text
        assert int(refused[0].headers["Retry-After"]) >= 1
    assert caller.ask("POST", "/v1/webhook/test").status_code == 502, "there is room again"
