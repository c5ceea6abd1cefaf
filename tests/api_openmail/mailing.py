"""Sending through ``/v1`` in tests, one by one and many at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from gateway.store.sql import sql
from tests.api_openmail.calls import client
from tests.support.gateway_process import GatewayProcess, Organization


def stranger() -> str:
    """An address that nobody here has heard of."""
    return f"stranger-{uuid.uuid4().hex[:12]}@abroad.test"


def send(organization: Organization, inbox: str, to: str, **fields: Any) -> httpx.Response:
    """One send; whatever it answers."""
    with client(organization) as http:
        return http.post(
            f"inboxes/{inbox}/send",
            json={"to": to, "subject": "Hello", "body": "A line.", **fields},
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )


def send_at_once(organization: Organization, mails: Iterable[tuple[str, str]]) -> list[httpx.Response]:
    """A send of each (inbox, recipient), all at the same time."""
    mails = list(mails)
    with ThreadPoolExecutor(len(mails)) as pool:
        return list(pool.map(lambda one: send(organization, *one), mails))


def accepted(answers: list[httpx.Response]) -> list[httpx.Response]:
    """Those that were taken; every other one must be a 429."""
    assert {one.status_code for one in answers} <= {200, 429}, [one.text for one in answers]
    return [one for one in answers if one.status_code == 200]


def told(answer: httpx.Response) -> dict[str, int]:
    """The X-RateLimit headers: limit, remaining, reset."""
    return {
        name.removeprefix("x-ratelimit-"): int(value)
        for name, value in answer.headers.items()
        if name.startswith("x-ratelimit-")
    }


def change(gateway: GatewayProcess, query: str, *args: object) -> int:
    """Change the gateway's database, as passing time would; answers the rows touched."""
    return gateway.database(lambda tx: sql(tx).run(query, *args))
