"""The queue on the command line: a send whose relay cannot be reached waits, is tried again, and is given up."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.store.sql import sql
from mailserver.postfix_dovecot.config import postfix_binary
from tests.cli.terminal import in_terminal
from tests.cli.test_commands import answer
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.ports import keep_port
from tests.support.servers import Sink
from tests.support.waiting import until


@pytest.fixture(scope="module")
def relay_port() -> int:
    return keep_port()


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory, relay_port: int) -> Iterator[GatewayProcess]:
    """A gateway whose relay does not answer yet; a second attempt is made after five minutes."""
    settings: dict[str, Any] = {"mail__smarthost": f"127.0.0.1:{relay_port}", "mail__smarthost_tls": "none"}
    with running_gateway(tmp_path_factory.mktemp("queue"), **settings) as gateway:
        yield gateway


def send(gateway: GatewayProcess, *people: str, subject: str = "Waits") -> str:
    """A message that waits: its first attempt is over."""
    body = {"to": list(people), "subject": subject, "text": "t"}
    path = f"inboxes/{gateway.inbox['address']}/messages/send"
    message: str = gateway.organization.call("POST", path, json=body)["message_id"]

    def waits() -> bool:
        rows = gateway.organization.call("GET", "queue", params={"limit": 100})["queue"]
        return any(row["id"] == message and row["attempts"] and not row["sending"] for row in rows)

    until(waits)
    return message


def row_of(gateway: GatewayProcess, message: str) -> dict[str, Any] | None:
    rows = answer(gateway, "queue", "list", "--limit", "1000")["queue"]
    return next((one for one in rows if one["id"] == message), None)


def status_of(gateway: GatewayProcess, message: str) -> str:
    ulid = message.removeprefix("msg_")
    return str(gateway.database(lambda tx: sql(tx).value("SELECT status FROM message WHERE id = ?", ulid)))


def bounces_of(gateway: GatewayProcess, message: str) -> list[dict[str, Any]]:
    events = gateway.organization.call("GET", "events", params={"limit": 100})["events"]
    return [
        one["bounce"]
        for one in events
        if one["event_type"] == "message.bounced" and one["bounce"]["message_id"] == message
    ]


def test_what_waits_is_listed_with_each_recipients_reply(cut_off: GatewayProcess) -> None:
    message = send(cut_off, "bob@far.example", "ann@elsewhere.example", subject="\u202eWaits")
    row = row_of(cut_off, message)
    assert row is not None
    assert (row["inbox"], row["attempts"], row["sending"]) == (cut_off.inbox["address"], 1, False)
    people = {one["address"]: one for one in row["recipients"]}
    assert people["bob@far.example"]["state"] == "queued"
    assert people["bob@far.example"]["code"] == 421
    assert "Connect call failed" in people["ann@elsewhere.example"]["reply"]
    assert [one["state"] for one in row["recipients"] if one["role"] == "copy"] == ["delivered"]
    assert "+sent-" not in json.dumps(row)
    for width in (80, 120):
        seen = in_terminal(cut_off, "queue", "list", width=width, NO_COLOR="1", PAGER="cat")
        assert message in seen.text
        assert "<U+202E>" in seen.text
        assert "bob@far.example" in seen.text
        assert "1 attempt, next" in seen.text
        assert all(len(line) <= width for line in seen.lines)
    assert answer(cut_off, "queue", "list", "--inbox", cut_off.inbox["address"])["total"] >= 1
    plain = cut_off.postern("queue", "list", "--inbox", "nobody@postern.test")
    assert plain.returncode == 3


def test_retry_tries_now_and_a_relay_that_is_back_gets_it_once(
    cut_off: GatewayProcess, relay_port: int
) -> None:
    message = send(cut_off, "carl@far.example")
    done = answer(cut_off, "queue", "retry", message)
    assert [one["id"] for one in done["retried"]] == [message]
    until(
        lambda: (row := row_of(cut_off, message)) is not None and row["attempts"] == 2 and not row["sending"]
    )

    async def relay() -> list[str]:
        async with Sink(port=relay_port) as sink:
            shown = await asyncio.to_thread(cut_off.postern, "queue", "retry", "--all")
            assert "tried now" in shown.stdout
            await asyncio.to_thread(until, lambda: row_of(cut_off, message) is None)
            return [to for one in sink.messages for to in one.recipients]

    assert asyncio.run(relay()).count("carl@far.example") == 1
    assert status_of(cut_off, message) == "sent"
    again = cut_off.postern("queue", "retry", message)
    assert again.returncode == 3
    assert "is not in the queue" in again.stderr
    assert answer(cut_off, "queue", "list")["queue"] == []
    assert cut_off.postern("queue", "list").stdout == "nothing waits\n"


def test_drop_asks_and_bounces_who_waits(cut_off: GatewayProcess) -> None:
    neighbour = cut_off.organization.new_inbox()["email_address"]
    message = send(cut_off, "dora@far.example", neighbour)
    asked = cut_off.postern("queue", "drop", message, input="n\n")
    assert asked.returncode == 130
    assert "Give up on dora@far.example?" in asked.stderr
    assert neighbour not in asked.stderr  # who has it already
    assert row_of(cut_off, message) is not None
    done = answer(cut_off, "queue", "drop", message, "--yes")
    assert done["dropped"] == [{"id": message, "dropped": ["dora@far.example"]}]
    assert row_of(cut_off, message) is None
    assert status_of(cut_off, message) == "bounced"
    (bounce,) = bounces_of(cut_off, message)
    assert bounce["type"] == "Transient"
    assert [one["address"] for one in bounce["recipients"]] == ["dora@far.example"]
    states = cut_off.database(
        lambda tx: sql(tx).rows(
            "SELECT address, state FROM outbox_recipient WHERE outbox_id = ? AND role <> 'sent'",
            message.removeprefix("msg_"),
        )
    )
    assert {one["address"]: one["state"] for one in states} == {
        "dora@far.example": "bounced",
        neighbour: "delivered",
    }
    other = send(cut_off, "dora2@far.example")
    again = cut_off.postern("queue", "drop", other, message, "--yes")
    assert again.returncode == 3
    assert again.stdout == f"{other}: gave up on dora2@far.example\n"  # though the next one is refused
    assert "postern queue list" in again.stderr


@pytest.mark.slow
def test_what_waits_survives_and_is_seen_without_a_running_gateway(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"mail__smarthost": f"127.0.0.1:{keep_port()}", "mail__smarthost_tls": "none"}
    with running_gateway(tmp_path, **settings) as gateway:
        message = send(gateway, "bob@far.example")
        gateway.stop()
        assert row_of(gateway, message) is not None
        answer(gateway, "queue", "drop", message, "--yes")
        gateway.start()
        assert status_of(gateway, message) == "bounced"
        assert len(bounces_of(gateway, message)) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["retry"], 2, "name the messages, or give --all"),
        (["retry", "x", "--all"], 2, "name the messages, or give --all"),
        (["retry", "--inbox", "a@b.test", "x"], 2, "--inbox goes with --all"),
        (["retry", f"msg_{'0' * 26}"], 3, "is not in the queue"),
        (["retry", "3Vzq8N1Yq8z6k"], 3, "is not in the queue"),
        (["drop", f"out_{'0' * 26}", "--yes"], 3, "is not in the queue"),
        (["drop", "3Vzq8N1Yq8z6k", "--yes"], 3, "is not in the queue"),
    ],
)
def test_mistakes_have_one_clear_sentence(
    cut_off: GatewayProcess, arguments: list[str], code: int, words: str
) -> None:
    done = cut_off.postern("queue", *arguments)
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert done.stdout == ""


def test_an_ordinary_key_sees_its_own_and_changes_nothing(cut_off: GatewayProcess) -> None:
    message = send(cut_off, "emil@far.example")
    other = cut_off.new_organization()

    def run(key: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            cut_off.command(*arguments),
            env=cut_off.environment() | {"POSTERN_URL": cut_off.base_url, "POSTERN_KEY": key},
            capture_output=True,
            text=True,
            timeout=60,
        )

    own = json.loads(run(cut_off.api_key, "queue", "list", "--json").stdout)
    assert message in [one["id"] for one in own["queue"]]
    assert own["postfix"] is None
    assert json.loads(run(other.api_key, "queue", "list", "--json").stdout)["queue"] == []
    for arguments in (
        ["queue", "retry", message],
        ["queue", "drop", message, "--yes"],
        ["queue", "retry", "--all"],
    ):
        refused = run(cut_off.api_key, *arguments)
        assert refused.returncode == 3
        assert "the gateway's machine" in refused.stderr
    assert run(other.api_key, "queue", "drop", message, "--yes").returncode == 3
    answer(cut_off, "queue", "drop", message, "--yes")


@pytest.mark.slow
@pytest.mark.root
def test_postfix_queue_is_listed_tried_and_given_up(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"mail__smarthost": f"127.0.0.1:{keep_port()}", "mail__smarthost_tls": "none"}
    with running_gateway(tmp_path, "postfix_dovecot", **settings) as gateway:
        body = {"to": ["bob@far.example"], "subject": "Waits in Postfix", "text": "t"}
        path = f"inboxes/{gateway.inbox['address']}/messages/send"
        message = gateway.organization.call("POST", path, json=body)["message_id"]

        def deferred() -> Any:
            found = answer(gateway, "queue", "list")["postfix"]["messages"]
            return next((one for one in found if one["queue"] == "deferred"), None)

        waits = until(deferred)
        assert waits["message_id"] == message
        assert "Connection refused" in waits["recipients"][0]["reply"]
        shown = gateway.postern("queue", "list")
        assert waits["queue_id"] in shown.stdout
        assert f"{gateway.inbox['address']}\n" in shown.stdout  # without the token of its return path
        answer(gateway, "queue", "retry", waits["queue_id"])
        assert answer(gateway, "queue", "retry", "--all")["postfix"] == 1
        asked = gateway.postern("queue", "drop", waits["queue_id"], input="n\n")
        assert asked.returncode == 130
        assert "bob@far.example" in asked.stderr
        until(deferred)
        hold = [postfix_binary("postsuper"), "-c", str(gateway.data / "postfix"), "-h", waits["queue_id"]]
        subprocess.run(hold, check=True, capture_output=True, timeout=60)
        assert answer(gateway, "queue", "list")["postfix"]["messages"][0]["queue"] == "hold"
        done = answer(gateway, "queue", "drop", waits["queue_id"], "--yes")
        assert done["dropped"] == [{"id": waits["queue_id"], "dropped": ["bob@far.example"]}]
        until(lambda: status_of(gateway, message) == "bounced")
        (bounce,) = bounces_of(gateway, message)
        assert [one["address"] for one in bounce["recipients"]] == ["bob@far.example"]
        until(lambda: answer(gateway, "queue", "list")["postfix"]["total"] == 0)
