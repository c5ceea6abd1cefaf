"""A kill between filing a draft's copy and recording it leaves one draft, for people and for the API."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from gateway.core.drafts.drafts import NewDraft, create_draft, delete_draft
from gateway.core.drafts.edit import DraftChange, update_draft
from gateway.core.drafts.schedule import DraftScheduler
from gateway.core.drafts.send import send_draft
from gateway.store.engine import Store, StoreDown
from gateway.store.json_columns import load
from tests.outbox.borrowed import borrowed
from tests.outbox.running_outbox import SCOPE

pytestmark = pytest.mark.anyio


async def texts(server: Any) -> list[str]:
    """What the drafts say that a person sees in the folder."""

    def read() -> list[str]:
        end = server.access().imap
        with IMAPClient(end.host, end.port, ssl=False) as client:
            client.login("agent@x.test", "secret")
            client.select_folder("Drafts", readonly=True)
            rows = client.fetch(client.search(), ["BODY.PEEK[TEXT]"]) if client.search() else {}
            return [row[b"BODY[TEXT]"].decode().strip() for row in rows.values()]

    return await asyncio.to_thread(read)


class Killed:
    """Nothing is recorded any more, as after SIGKILL; the mail server has what it was given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def __enter__(self) -> None:
        async def write(store: Store, work: Any) -> Any:
            raise StoreDown("killed")

        self._context = self._patch.context()
        self._context.__enter__().setattr(Store, "write", write)

    def __exit__(self, *what: Any) -> None:
        self._context.__exit__(*what)


async def test_a_draft_that_is_made_again_by_its_client_id_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with borrowed(tmp_path) as (r, server):
        inbox = await r.inbox()
        new = NewDraft(to=["bob@world.test"], text="one", client_id="c-1")
        with Killed(monkeypatch), pytest.raises(StoreDown):
            await create_draft(r.core, SCOPE, inbox.id, new)
        assert await texts(server) == ["one"]
        made = await create_draft(r.core, SCOPE, inbox.id, new)
        assert await texts(server) == ["one"]
        assert (await create_draft(r.core, SCOPE, inbox.id, new)).id == made.id
        assert await texts(server) == ["one"]
        await delete_draft(r.core, SCOPE, inbox.id, made.id)
        assert await texts(server) == []
        await create_draft(r.core, SCOPE, inbox.id, new)
        assert await texts(server) == ["one"]


@pytest.mark.parametrize("then", ["start", "edit", "send", "delete"])
async def test_an_edit_that_was_cut_short_leaves_one_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    async with borrowed(tmp_path) as (r, server):
        inbox = await r.inbox()
        made = await create_draft(r.core, SCOPE, inbox.id, NewDraft(to=["agent@x.test"], text="one"))
        change = DraftChange(text="two")
        with Killed(monkeypatch), pytest.raises(StoreDown):
            await update_draft(r.core, SCOPE, inbox.id, made.id, change)
        assert sorted(await texts(server)) == ["one", "two"]
        if then == "start":
            await DraftScheduler(r.core).pass_once()
            row = (await r.rows("SELECT content_json FROM draft"))[0]
            assert await texts(server) == [load(row["content_json"])["text"]] == ["one"]
        elif then == "edit":
            await update_draft(r.core, SCOPE, inbox.id, made.id, change)
            assert await texts(server) == ["two"]
        elif then == "send":
            await send_draft(r.core, SCOPE, inbox.id, made.id)
            assert await texts(server) == []
        else:
            await delete_draft(r.core, SCOPE, inbox.id, made.id)
            assert await texts(server) == []
