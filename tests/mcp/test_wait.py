"""Waiting for mail: what matches, what does not, what came before; and giving up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp import Client

from tests.mcp.clients import TRANSPORTS, Era, Transport, arrived, done, eventually, over_http, refused
from tests.support.gateway_process import GatewayProcess, Organization, running_gateway
from tests.support.mails import deliver, new_mail

pytestmark = pytest.mark.anyio


async def waiting(client: Client, found: list[dict[str, Any]], **arguments: object) -> None:
    found.append(await done(client, "wait_for_email", timeout=60, **arguments))


@pytest.mark.parametrize("transport", ["http", "stdio"])
async def test_a_mail_that_comes_ends_the_wait(
    gateway: GatewayProcess, organization: Organization, transport: Transport
) -> None:
    inbox = organization.new_inbox()["email"]
    port = gateway.port("smtp")
    async with TRANSPORTS[transport](organization.base_url, organization.api_key) as client:
        deliver(port, new_mail(inbox, "Your code, of yesterday"), inbox)
        old = await arrived(client, inbox, "Your code, of yesterday")
        found: list[dict[str, Any]] = []
        async with anyio.create_task_group() as group:
            group.start_soon(waiting, client, found)
            await _listening(client)
            group.cancel_scope.deadline = anyio.current_time() + 50
            deliver(port, new_mail(inbox, "Other"), inbox)
        assert found[0]["message"]["untrusted"]["subject"] == "Other", (
            "any mail, but none from before the call"
        )
        async with anyio.create_task_group() as group:
            for arguments in (
                {"subject": "your CODE"},
                {"from_": "code@"},
                {"text": "is 7"},
                {"subject": "/c.de$/"},
            ):
                group.start_soon(lambda kept=arguments: waiting(client, found, **kept))
            await _listening(client)
            deliver(port, new_mail(inbox, "Nothing"), inbox)
            mail = new_mail(inbox, "Here is your code", "It is 7.\n", sender="Code <code@abroad.test>")
            deliver(port, mail, inbox)
        assert [one["message"]["untrusted"]["subject"] for one in found[1:]] == ["Here is your code"] * 4
        again = await done(client, "wait_for_email", subject="of yesterday", since=old["date"])
        assert again["message"]["message_id"] == old["message_id"], "with since, what came before counts too"
        later = await done(client, "wait_for_email", since=old["message_id"])
        assert later["message"]["untrusted"]["subject"] == "Other"


async def _listening(client: Client) -> None:
    """Long enough for calls made before to be at their wait: they go before this one, and it takes longer."""
    for _ in range(5):
        await done(client, "list_inboxes")
    await anyio.sleep(0.3)


async def test_nothing_came(organization: Organization) -> None:
    inbox = organization.new_inbox()["email"]
    beats: list[float] = []

    async def beat(progress: float, total: float | None, message: str | None) -> None:
        beats.append(progress)

    async with over_http(organization.base_url, organization.api_key) as client:
        result = await client.call_tool("wait_for_email", {"timeout": 3}, progress_callback=beat)
    assert result.structured_content["found"] is False
    assert not result.is_error
    assert f"wait_for_email again with since={result.structured_content['since']}" in result.content[0].text
    assert inbox in result.content[0].text
    assert beats, "a client that listens is told that the call still lives"


async def test_what_cannot_match_is_refused(organization: Organization) -> None:
    organization.new_inbox()
    async with over_http(organization.base_url, organization.api_key) as client:
        _, error = await refused(client, "wait_for_email", subject="/(unclosed/")
        assert error["argument"] == "subject"
        _, error = await refused(client, "wait_for_email", since="yesterday")
        assert error["argument"] == "since"


async def test_an_expression_that_would_run_for_ever_does_not(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = organization.new_inbox()["email"]
    deliver(gateway.port("smtp"), new_mail(inbox, "a" * 200), inbox)
    async with over_http(organization.base_url, organization.api_key) as client:
        message = await arrived(client, inbox, "a" * 200)
        with anyio.fail_after(20):
            found = await done(client, "wait_for_email", subject="/^(a+)+$/", since=message["date"])
            assert found["found"]
            none = await done(
                client, "wait_for_email", subject="/^(a+)+b$/", since=message["date"], timeout=1
            )
            assert not none["found"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_gives_up_frees_the_wait(organization: Organization, mode: Era) -> None:
    """By closing its request, or as clients of 2025 do it, by saying so in another one."""
    organization.new_inbox()
    before = _waits(organization)

    async def waits() -> bool:
        return _waits(organization) > before

    async def ended() -> bool:
        return _waits(organization) == before

    async with over_http(organization.base_url, organization.api_key, mode=mode) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.call_tool, "wait_for_email", {"timeout": 300})
            await eventually(waits, "it did not wait")
            group.cancel_scope.cancel()
        await eventually(ended, "it still waits")
        await done(client, "list_inboxes")


def _waits(organization: Organization) -> float:
    """How many waits the gateway counts."""
    text = httpx.get(f"{organization.base_url}/metrics", trust_env=False).text
    return float(next(line for line in text.splitlines() if line.startswith("postern_waits ")).split()[1])


async def test_a_stopping_gateway_ends_the_wait(tmp_path: Path) -> None:
    """It says so, and does not hold the stop up."""
    with running_gateway(tmp_path) as own:
        async with over_http(own.base_url, own.api_key) as client, anyio.create_task_group() as group:
            words: list[str] = []

            async def wait() -> None:
                text, _ = await refused(client, "wait_for_email", timeout=300)
                words.append(text)

            group.start_soon(wait)
            await _listening(client)
            await anyio.to_thread.run_sync(own.stop)
    # an answer, so it was not cut off as requests are that do not end within 8 s
    assert "the gateway stops" in words[0]
