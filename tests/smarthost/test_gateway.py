"""A running gateway behind a relay that renames messages and posts what became of them."""

from __future__ import annotations

import asyncio
import smtplib
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.store.sql import sql
from tests.smarthost.relay import SECRET
from tests.smarthost.test_names import BREVO_ID
from tests.support.gateway_process import GatewayProcess, Server, running_gateway
from tests.support.servers import Sink

pytestmark = pytest.mark.anyio


class Brevo(Sink):
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        await super().handle_DATA(server, session, envelope)
        return f"250 2.0.0 OK: queued as {BREVO_ID}"


def answer_to(gateway: GatewayProcess, address: str, in_reply_to: str) -> None:
    raw = (
        f"From: bob@world.test\r\nTo: {address}\r\nSubject: Re: hello\r\nMessage-ID: <answer@world.test>\r\n"
        f"In-Reply-To: {in_reply_to}\r\n\r\nyes\r\n"
    )
    with smtplib.SMTP("127.0.0.1", gateway.port("smtp"), timeout=30) as client:
        client.sendmail("bob@world.test", [address], raw.encode())


@pytest.mark.parametrize("server", ["embedded", pytest.param("postfix_dovecot", marks=pytest.mark.root)])
async def test_replies_and_news_find_what_was_sent(tmp_path: Path, server: Server) -> None:
    """Postfix tells what its relay said in a report on having relayed it."""
    async with Brevo() as sink:
        relay = {
            "mail__smarthost": f"127.0.0.1:{sink.port}",
            "mail__smarthost_tls": "none",
            "mail__smarthost_profile": "brevo",
            "mail__smarthost_hook_secret": SECRET,
        }
        with running_gateway(tmp_path, server, **relay) as gateway:
            await asyncio.to_thread(_talk, gateway)
            (mail,) = sink.messages
            assert b"X-Mailin-custom: postern:msg_" in mail.data


def _talk(gateway: GatewayProcess) -> None:
    people = gateway.organization
    inbox = gateway.inbox["address"]
    send = {"to": ["bob@world.test"], "subject": "hello", "text": "hi"}
    sent = people.call("POST", f"inboxes/{inbox}/messages/send", json=send)
    url = f"{gateway.base_url}/hooks/brevo"
    news = {
        "event": "hard_bounce",
        "email": "bob@world.test",
        "message-id": BREVO_ID,
        "reason": "550 5.1.1 nobody",
    }
    with httpx.Client(trust_env=False, timeout=30) as client:
        refused = client.post(url, json=news)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, 'Basic realm="postern"')
        assert SECRET not in refused.text
        assert client.post(f"{gateway.base_url}/hooks/mailgun", json=news).status_code == 404
        assert client.post(url, content=b"{", auth=("postern", SECRET)).status_code == 400
        assert client.post(url, content=b"x" * 1_100_000, auth=("postern", SECRET)).status_code == 413

        _until(lambda: gateway.database(lambda tx: sql(tx).value("SELECT count(*) FROM sent_alias")))
        answer_to(gateway, inbox, BREVO_ID)
        _until(lambda: _thread(gateway, inbox, sent["thread_id"])["message_count"] == 2)
        assert client.post(url, json=news, auth=("postern", SECRET)).json() == {"messages": 1}
    with people.client() as client:
        again = client.post(f"inboxes/{inbox}/messages/send", json=send)
    assert (again.is_success, "suppress" in again.text) == (False, True), again.text


def _thread(gateway: GatewayProcess, inbox: str, thread: str) -> dict[str, Any]:
    found: dict[str, Any] = gateway.organization.call("GET", f"inboxes/{inbox}/threads/{thread}")
    return found


def _until(done: Any) -> None:

    end = time.monotonic() + 30
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)
