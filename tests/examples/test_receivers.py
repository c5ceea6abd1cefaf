"""The webhook receivers in Python and Node, posted to by the gateway: they take what it signed, once, nothing else."""

from __future__ import annotations

import os
import subprocess
import sys

import httpx
import pytest

from tests.examples.conftest import EXAMPLES
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.node_receiver import Receiver, node
from tests.support.ports import keep_port
from tests.support.waiting import until

PROGRAMS = {"python": [sys.executable, "webhook_receiver.py"], "node": [node or "", "webhook_receiver.mjs"]}


@pytest.mark.parametrize("language", PROGRAMS)
def test_a_receiver_takes_what_is_signed_once(
    language: str, gateway: GatewayProcess, organization: Organization
) -> None:
    if language == "node" and node is None:
        pytest.skip("Node is not installed")
    port = keep_port()  # the program must be told the secret of a webhook whose URL names its port
    url = f"http://127.0.0.1:{port}/webhooks"
    inbox = organization.new_inbox()
    with httpx.Client(
        base_url=f"{gateway.base_url}/api/v1/", headers=organization.headers, trust_env=False, verify=False
    ) as http:
        made = http.post("webhooks", json={"url": url, "events": ["message.received"]})
        assert made.is_success, made.text
        hook = made.json()["data"]
        environment = {**os.environ, "WEBHOOK_SECRET": hook["secret"]}
        with subprocess.Popen(
            [*PROGRAMS[language], str(port)],
            cwd=EXAMPLES,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                program = Receiver(process)
                assert program.url == url
                assert http.post(program.url, content=b"{}").status_code == 401
                forged = {"X-MailboxKit-Signature": "ab" * 32, "X-MailboxKit-Event-Id": "evt_1"}
                assert http.post(program.url, content=b"{}", headers=forged).status_code == 401
                mail = new_mail(inbox["email"], "Grüße, 日本", sender="ann@abroad.test")
                deliver(gateway.port("smtp"), mail, inbox["email"])
                assert program.next() == ["message.received", "Grüße, 日本", "ann@abroad.test"]
                attempts = f"webhooks/{hook['id']}/attempts"
                (first,) = until(lambda: http.get(attempts).json()["data"], why="the attempt")
                assert first["status"] == "success", first
                assert http.post(f"{attempts}/{first['id']}/resend").status_code == 202
                again = until(lambda: http.get(attempts).json()["data"][1:], why="the second attempt")
                assert [one["status"] for one in again] == ["success"]
                deliver(gateway.port("smtp"), new_mail(inbox["email"], "The next one"), inbox["email"])
                assert program.next()[1] == "The next one"
            finally:
                process.kill()


def test_a_receiver_without_the_secret_says_so() -> None:
    for command in PROGRAMS.values():
        if not command[0]:
            continue
        environment = {name: value for name, value in os.environ.items() if name != "WEBHOOK_SECRET"}
        done = subprocess.run(
            command,
            cwd=EXAMPLES,
            env=environment,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 1
        assert "WEBHOOK_SECRET" in done.stderr
