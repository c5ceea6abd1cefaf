"""What is done at one process is seen at another at once; and who may not run beside whom is told so."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from gateway.app.roles import ROLES, roles_of
from gateway.configuration import BadSettings
from tests.processes.fleet import Fleet, Member, fleet
from tests.support.databases import on_postgres
from tests.support.gateway_process import GatewayProcess
from tests.support.mails import deliver, new_mail
from tests.support.postgres_server import PostgresCluster
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint

_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def gateways(postgres: PostgresCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """``a`` runs the mail server and serves the API, ``b`` serves the API, ``c`` does the rest."""
    with fleet(postgres, tmp_path_factory.mktemp("together"), webhooks__retry_scale=0.01) as made:
        for name, roles in (("a", "api,mail"), ("b", "api"), ("c", "sync,outbox,events")):
            one = made.member(name, roles)
            one.begin()
            if name == "a":
                one.wait()
        for one in made.members:
            one.wait()
        yield made


@pytest.fixture
def pair(gateways: Fleet) -> tuple[Member, Member, str]:
    return gateways.members[0], gateways.members[1], gateways.key()[1]


def test_what_is_made_at_one_is_there_at_the_other(pair: tuple[Member, Member, str], gateways: Fleet) -> None:
    a, b, key = pair
    for here, there in ((a, b), (b, a)):
        inbox = here.call("POST", "/api/v0/inboxes", key, json={"username": f"box-{uuid.uuid4().hex[:8]}"})
        path = f"/api/v0/inboxes/{inbox['inbox_id']}"
        assert there.call("GET", path, key)["inbox_id"] == inbox["inbox_id"]
        # made at any process, the world can write to it at once
        deliver(gateways.smtp_port, new_mail(inbox["email"], "to a new one"), inbox["email"])
        got = there.call("GET", f"{path}/messages/wait?timeout=20&since=2020-01-01T00:00:00Z", key)
        assert "to a new one" in json.dumps(got)
        there.call("DELETE", path, key)
        gone = httpx.get(here.base_url + path, headers={"Authorization": f"Bearer {key}"}, trust_env=False)
        assert gone.status_code == 404


def test_one_client_id_makes_one_thing_wherever_it_is_asked_for(pair: tuple[Member, Member, str]) -> None:
    a, b, key = pair
    inbox = a.call("POST", "/api/v0/inboxes", key, json={"username": f"box-{uuid.uuid4().hex[:8]}"})
    wanted: list[tuple[str, str, dict[str, Any]]] = [
        ("/v1/inboxes", "id", {"mailboxName": f"box-{uuid.uuid4().hex[:8]}"}),
        (
            "/api/v0/webhooks",
            "webhook_id",
            {"url": "http://127.0.0.1:9000/x", "event_types": ["message.received"]},
        ),
        (f"/api/v0/inboxes/{inbox['inbox_id']}/drafts", "draft_id", {"subject": "once"}),
        ("/api/v0/pods", "pod_id", {"name": "once"}),
    ]
    for path, name, body in wanted:
        if path != "/v1/inboxes":
            body["client_id"] = uuid.uuid4().hex

        def make(
            member: Member, path: str = path, name: str = name, body: dict[str, Any] = body
        ) -> str | None:
            headers = {"Authorization": f"Bearer {key}"}
            answer = httpx.post(
                member.base_url + path, headers=headers, json=body, trust_env=False, timeout=30
            )
            return str(answer.json()[name]) if answer.is_success else None

        with ThreadPoolExecutor(6) as pool:
            made = set(pool.map(make, [a, b] * 3)) - {None}
        assert len(made) == 1, path


def test_an_address_is_an_inbox_or_an_alias_and_never_both(pair: tuple[Member, Member, str]) -> None:
    a, b, key = pair
    inbox = a.call("POST", "/api/v0/inboxes", key, json={"username": f"box-{uuid.uuid4().hex[:8]}"})
    domain = inbox["email"].partition("@")[2]

    def make(member: Member, path: str, body: dict[str, Any]) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        url = f"{member.base_url}/api/v0/{path}"
        return httpx.post(url, headers=headers, json=body, trust_env=False, timeout=30).status_code

    with ThreadPoolExecutor(2) as pool:
        for number in range(20):
            name = f"box-{uuid.uuid4().hex[:8]}"
            alias = {"address": f"{name}@{domain}", "inbox_ids": [inbox["inbox_id"]]}
            here, there = (a, b) if number % 2 else (b, a)
            answers = [
                pool.submit(make, here, "inboxes", {"username": name}),
                pool.submit(make, there, "aliases", alias),
            ]
            codes = sorted(one.result() for one in answers)
            assert codes[0] in (200, 201), codes
            assert codes[1] in (403, 409), codes


def test_a_revoked_key_is_refused_everywhere(pair: tuple[Member, Member, str]) -> None:
    a, b, key = pair
    made = a.call("POST", "/api/v0/api-keys", key, json={"name": "short"})
    b.call("GET", "/api/v0/inboxes", made["api_key"])
    a.call("DELETE", f"/api/v0/api-keys/{made['api_key_id']}", key)

    def refused() -> bool:
        headers = {"Authorization": f"Bearer {made['api_key']}"}
        return httpx.get(f"{b.base_url}/api/v0/inboxes", headers=headers, trust_env=False).status_code == 401

    until(refused, 10, "the key is refused", pause=0.01)


def test_waits_hear_of_mail_that_another_process_indexed(
    pair: tuple[Member, Member, str], gateways: Fleet
) -> None:
    a, b, key = pair
    made = a.call("POST", "/api/v0/inboxes", key, json={"username": f"box-{uuid.uuid4().hex[:8]}"})
    inbox = made["inbox_id"]
    answers: list[Any] = []

    def wait() -> None:
        answers.append(b.call("GET", f"/api/v0/inboxes/{inbox}/messages/wait?timeout=25", key))

    waiter = threading.Thread(target=wait)
    waiter.start()
    until(lambda: _waits(b) > 0, 10, "it waits")
    sent = a.call(
        "POST",
        f"/api/v0/inboxes/{inbox}/messages/send",
        key,
        json={"to": made["email"], "subject": "to myself", "text": "x"},
    )
    waiter.join(30)
    assert sent["message_id"]
    assert "to myself" in json.dumps(answers)


def _waits(member: Member) -> float:
    text = httpx.get(f"{member.base_url}/metrics", trust_env=False).text
    found = [line for line in text.splitlines() if line.startswith("postern_waits ")]
    return float(found[0].rpartition(" ")[2]) if found else 0.0


def test_a_socket_of_another_process_spares_the_webhook(
    pair: tuple[Member, Member, str], gateways: Fleet
) -> None:
    """OpenMail tells an event on the socket or by webhook, and the process that delivers has no socket."""
    a, b, key = pair
    with webhook_endpoint() as hook:
        inbox = a.call("POST", "/v1/inboxes", key, json={"webhookUrl": hook.url})
        url = b.base_url.replace("http", "ws") + "/v1/ws"
        with connect(url, additional_headers={"Authorization": f"Bearer {key}"}, proxy=None) as socket:
            socket.send(json.dumps({"type": "subscribe", "event_types": ["message.received"]}))
            deliver(gateways.smtp_port, new_mail(inbox["address"], "on the socket"), inbox["address"])
            text = ""
            while "on the socket" not in text:
                text += str(socket.recv(timeout=20))
            until(
                lambda: not gateways.rows("SELECT 1 FROM delivery WHERE state = 'pending'"),
                40,
                "it is settled",
            )
            assert hook.posts == []
        until(lambda: not _sockets(b), 10, "the socket is closed")
        deliver(gateways.smtp_port, new_mail(inbox["address"], "by webhook"), inbox["address"])
        until(lambda: hook.posts, 40, "the webhook is called")


def _sockets(member: Member) -> float:
    text = httpx.get(f"{member.base_url}/metrics", trust_env=False).text
    found = [line for line in text.splitlines() if line.startswith("postern_websockets")]
    return sum(float(line.rpartition(" ")[2]) for line in found)


def test_a_process_without_the_role_serves_no_api(gateways: Fleet) -> None:
    c = gateways.members[2]
    assert httpx.get(f"{c.base_url}/health", trust_env=False).status_code == 200
    assert httpx.get(f"{c.base_url}/ready", trust_env=False).status_code == 200
    assert httpx.get(f"{c.base_url}/api/v0/inboxes", trust_env=False).status_code == 404


def test_a_second_mail_server_is_refused_with_words(gateways: Fleet) -> None:
    one = gateways.member("second", "mail")
    one.begin()
    assert one.process is not None
    assert one.process.wait(30) != 0
    assert "another process runs the mail server" in one.log


def test_roles_that_cannot_be_had(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="there is no role 'cook'"):
        roles_of("api,cook")
    assert roles_of("all") == roles_of("") == ROLES
    command = [
        sys.executable,
        "-m",
        "gateway.cli.main",
        "serve",
        "--roles",
        "api,sync",
        "--data",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode != 0
    assert "several processes need PostgreSQL" in done.stderr


@pytest.mark.skipif(on_postgres(), reason="it is about SQLite")
def test_with_sqlite_a_second_process_is_refused_with_words(gateway: GatewayProcess) -> None:
    done = gateway.postern("serve", "--port", "0")
    assert done.returncode != 0
    assert "need a PostgreSQL database" in done.stderr
