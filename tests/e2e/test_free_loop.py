"""Nothing blocks the event loop (DESIGN §1.8): the whole gateway under blockbuster, mail in and mail out."""

from __future__ import annotations

import asyncio
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from blockbuster import blockbuster_ctx

from gateway.app.engines import open_gateway
from gateway.configuration import load_settings
from gateway.core.accounts.bootstrap import make_key
from tests.support.servers import data_directory, dovecot_missing

pytestmark = pytest.mark.anyio


async def test_nothing_blocks_the_event_loop(tmp_path: Path) -> None:
    reason = dovecot_missing()
    if reason:
        pytest.skip(reason)
    with data_directory(tmp_path) as data:
        settings, _ = load_settings(
            overrides={
                "profile": "development",
                "data_dir": str(data),
                "http.public_url": "http://gateway.test",
                "mail.smtp_port": 0,
                "mail.imap_port": 0,
                "mail.submission_port": 0,
            },
            environ={},
        )
        async with open_gateway(settings) as running:
            key = await make_key(running.core, "test")
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(running.app),
                base_url="http://gateway.test/api/v0",
                headers={"Authorization": f"Bearer {key}"},
            )
            with blockbuster_ctx(scanned_modules=["gateway", "mailserver"]):
                async with client:
                    await _a_day_in_the_life(client, running.core.mail.access().smtp.port)


async def _a_day_in_the_life(client: httpx.AsyncClient, smtp_port: int) -> None:
    inbox = (await _ok(client.post("/inboxes", json={"username": "agent"})))["email"]
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "ann@world.test", inbox, "hello"
    mail["Message-ID"] = "<hello@world.test>"
    mail.set_content("a question")
    mail.add_attachment(b"x" * 5000, maintype="application", subtype="octet-stream", filename="x.bin")

    def deliver() -> None:
        with smtplib.SMTP("127.0.0.1", smtp_port) as smtp:
            smtp.send_message(mail)

    await asyncio.to_thread(deliver)
    async with asyncio.timeout(20):
        while not (rows := (await _ok(client.get(f"/inboxes/{inbox}/messages")))["messages"]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    one = f"/inboxes/{inbox}/messages/{rows[0]['message_id']}"
    whole = await _ok(client.get(one))
    file = await _ok(client.get(f"{one}/attachments/{whole['attachments'][0]['attachment_id']}"))
    assert (await client.get(file["download_url"])).content == b"x" * 5000
    await _ok(client.patch(one, json={"add_labels": ["seen it"], "remove_labels": ["unread"]}))
    await _ok(client.post(f"{one}/reply", json={"text": "an answer"}))
    await _ok(client.post(f"{one}/forward", json={"to": inbox}))
    await _ok(client.post(f"/inboxes/{inbox}/drafts", json={"to": [inbox], "subject": "later", "text": "x"}))
    await _ok(client.get("/threads"))
    await _ok(client.get(f"/inboxes/{inbox}/messages/search", params={"q": "question"}))
    await _ok(
        client.post("/webhooks", json={"url": "http://127.0.0.1:9099/x", "event_types": ["message.sent"]})
    )
    await _ok(client.delete(f"/inboxes/{inbox}"))


async def _ok(call: Any) -> Any:
    answer = await call
    assert answer.is_success, answer.text
    return answer.json() if answer.content else None
