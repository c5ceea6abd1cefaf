"""The official Python SDK, unchanged, against the mail endpoints."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.support.waiting import until_async

agentmail = pytest.importorskip("agentmail", reason="the official SDK is not installed")

from agentmail import AsyncAgentMail  # noqa: E402
from agentmail.core.api_error import ApiError  # noqa: E402
from agentmail.environment import AgentMailEnvironment  # noqa: E402

from tests.support.filled_store import mail  # noqa: E402
from tests.support.mail_api import KEY, MailApi, mail_api  # noqa: E402

pytestmark = pytest.mark.anyio
BOT = "bot@postern.test"
FRIEND = "friend@postern.test"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[MailApi]:
    async with mail_api(tmp_path) as made:
        await made.inbox(BOT)
        await made.inbox(FRIEND)
        yield made


async def test_a_session_of_the_sdk(running: MailApi) -> None:
    async with httpx.AsyncClient(transport=running.api._transport) as wire:
        sdk = AsyncAgentMail(
            api_key=KEY,
            environment=AgentMailEnvironment(http="https://gw.test/api", websockets="wss://gw.test/api"),
            httpx_client=wire,
        )
        inbox = sdk.inboxes
        for n in range(3):
            await running.arrived(BOT, mail(n, subject=f"n{n}"), f"n{n}")
        page = await inbox.messages.list(BOT, limit=2, labels=["unread", "received"])
        assert [one.subject for one in page.messages] == ["n2", "n1"]
        rest = await inbox.messages.list(BOT, limit=2, labels=["unread"], page_token=page.next_page_token)
        assert [one.subject for one in rest.messages] == ["n0"]
        assert rest.next_page_token is None
        first = page.messages[0]
        assert isinstance(first.timestamp, datetime)
        assert isinstance(first.updated_at, datetime)
        whole = await inbox.messages.get(BOT, "<m2@far.example>")
        assert (whole.message_id, (whole.text or "").strip()) == (first.message_id, "hello")
        changed = await inbox.messages.update(
            BOT, first.message_id, add_labels=["read"], remove_labels=["unread"]
        )
        assert changed.labels == ["read", "received"]
        many = await inbox.messages.batch_get(BOT, message_ids=[first.message_id])
        assert many.count == 1
        raw = await inbox.messages.get_raw(BOT, first.message_id)
        assert raw.size > 0
        assert raw.expires_at > datetime.now(UTC)
        assert (await inbox.messages.search(BOT, q="n1")).messages[0].subject == "n1"

        file = {"filename": "a.txt", "content": base64.b64encode(b"bytes").decode()}
        sent = await inbox.messages.send(
            BOT, to=[FRIEND], subject="From SDK", text="t", attachments=[file], labels=["l"]
        )

        async def look() -> object:
            return await running.messages(FRIEND)

        await until_async(look)
        (got,) = (await inbox.messages.list(FRIEND)).messages
        attachment = (got.attachments or [])[0]
        link = await sdk.threads.get_attachment(got.thread_id, attachment.attachment_id)
        assert (await wire.get(link.download_url)).content == b"bytes"
        answer = await inbox.messages.reply(FRIEND, got.message_id, text="re")
        assert answer.thread_id == got.thread_id
        thread = await sdk.threads.get(sent.thread_id)
        assert thread.messages[0].message_id == sent.message_id
        assert thread.count >= 1
        assert (await sdk.threads.list(labels=["l"])).threads[0].thread_id == sent.thread_id
        updated = await inbox.threads.update(BOT, sent.thread_id, add_labels=["seen-by-me"])
        assert "seen-by-me" in updated.labels

        draft = await inbox.drafts.create(
            BOT, to=[FRIEND], subject="D", text="x", send_at=datetime.now(UTC) + timedelta(hours=1)
        )
        assert draft.send_status == "scheduled"
        draft = await inbox.drafts.update(BOT, draft.draft_id, subject="D2")
        assert (await sdk.drafts.list()).drafts[0].subject == "D2"
        gone = await inbox.drafts.send(BOT, draft.draft_id, add_labels=["x"])
        assert gone.message_id.startswith("msg_")
        await inbox.threads.delete(BOT, first.thread_id)
        with pytest.raises(ApiError) as caught:
            await inbox.messages.get(BOT, first.message_id)
        assert caught.value.status_code == 404
