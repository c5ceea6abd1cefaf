"""What a caller sees does not depend on the mail server under the gateway."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.gateway_process import GatewayProcess, Server, running_gateway
from tests.support.waiting import until


@pytest.mark.parametrize("server", ["embedded", pytest.param("postfix_dovecot", marks=pytest.mark.root)])
def test_mail_to_a_mailbox_that_is_not_there_bounces(tmp_path: Path, server: Server) -> None:
    with running_gateway(tmp_path, server) as gateway:
        home = gateway.organization
        inbox = gateway.inbox["id"]
        letter = {"to": "nobody-here@postern.test", "subject": "lost", "text": "x"}
        home.call("POST", f"inboxes/{inbox}/messages/send", json=letter)

        def told() -> dict[str, object]:
            counts: dict[str, object] = home.call("GET", "metrics/events")
            return {kind: rows for kind, rows in counts.items() if rows}

        until(lambda: {"message.bounced", "message.rejected"} & set(told()))
        assert "message.bounced" in told()
        assert "message.rejected" not in told()


@pytest.mark.parametrize("username", ["a..b", ".a", "a b", "a/b", "a@b", "ü", "x" * 65])
def test_a_username_the_mail_server_would_not_take_is_refused_with_its_field(
    gateway: GatewayProcess, username: str
) -> None:
    with gateway.organization.client() as client:
        answer = client.post("inboxes", json={"username": username})
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["field"] == "username"
