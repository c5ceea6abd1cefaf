"""The same call again, one after the other and at the same time."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.mcp.clients import done, over_http, over_stdio, refused
from tests.support.gateway_process import Organization

pytestmark = pytest.mark.anyio


async def test_a_repeat_with_its_key_sends_once(organization: Organization) -> None:
    inbox = organization.new_inbox()["email"]
    mail = {"to": "a@abroad.test", "subject": "Once", "text": "x", "idempotency_key": "key of a model: 1"}
    answers: list[dict[str, Any]] = []
    async with over_http(organization.base_url, organization.api_key) as client:

        async def send() -> None:
            answers.append(await done(client, "send_email", **mail))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(send)
        assert len({one["message_id"] for one in answers}) == 1
        assert sorted(one.get("replayed", False) for one in answers) == [False, True, True, True, True]
        listed = await done(client, "check_inbox", inbox_id=inbox, include_sent=True)
        assert [one["untrusted"]["subject"] for one in listed["messages"] if one["direction"] == "sent"] == [
            "Once"
        ]
        text, error = await refused(client, "send_email", **{**mail, "subject": "Another"})
        assert error["argument"] == "idempotency_key"
        assert "new idempotency_key" in text


async def test_a_refused_call_leaves_its_key_free(organization: Organization) -> None:
    organization.new_inbox()
    async with over_http(organization.base_url, organization.api_key) as client:
        await refused(client, "send_email", to="nobody", subject="x", text="y", idempotency_key="k")
        await done(client, "send_email", to="a@abroad.test", subject="x", text="y", idempotency_key="k")


async def test_an_inbox_is_made_once(organization: Organization) -> None:
    async with over_http(organization.base_url, organization.api_key) as client:
        first = await done(client, "create_inbox", name="Scout", idempotency_key="k")
        again = await done(client, "create_inbox", name="Scout", idempotency_key="k")
    assert (first["created"], again["created"]) == (True, False)
    assert first["inbox"]["inbox_id"] == again["inbox"]["inbox_id"]


async def test_calls_at_the_same_time(organization: Organization) -> None:
    """Each gets its own answer, whichever client it comes from."""
    addresses = [organization.new_inbox()["email"] for _ in range(4)]
    base, key = organization.base_url, organization.api_key
    async with over_http(base, key) as one, over_http(base, key) as two, over_stdio(base, key) as three:

        async def look(number: int) -> None:
            client = (one, two, three)[number % 3]
            address = addresses[number % 4]
            made = await done(
                client, "create_draft", inbox_id=address, to="a@b.test", subject=str(number), text="x"
            )
            assert made["draft"]["untrusted"]["subject"] == str(number)

        async with anyio.create_task_group() as group:
            for number in range(24):
                group.start_soon(look, number)
        for number, address in enumerate(addresses):
            listed = await done(one, "list_drafts", inbox_id=address, limit=50)
            subjects = {int(draft["untrusted"]["subject"]) for draft in listed["drafts"]}
            assert subjects == {other for other in range(24) if other % 4 == number}
