"""An inbox whose mailbox the mail server refuses: nothing is left of it, and its name is free."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.inboxes import inboxes
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.sql import sql
from mailserver.base import MailServerError
from tests.support.mail_api import mail_api

pytestmark = pytest.mark.anyio


async def test_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with mail_api(tmp_path) as running:
        core = running.core
        domain = {
            "name": "postern.test",
            "number": 1,
            "dkim_selector": "p1",
            "dkim_private": "",
            "dkim_public": "",
            "proven_at": 1,
            "created_at": 0,
            "updated_at": 0,
        }
        await core.store.write(lambda tx: sql(tx).insert("domain", domain, ignore=True))
        new = inboxes.NewInbox(username="late", pod=None)
        scope = running.scope
        pod = {
            "id": "pod",
            "organization_id": scope.organization,
            "is_default": 1,
            "created_at": 0,
            "updated_at": 0,
        }
        await core.store.write(lambda tx: sql(tx).insert("pod", pod, ignore=True))

        async def refuse(address: str, password: str | None = None) -> None:
            raise MailServerError("the disk of the mailboxes is full")

        with monkeypatch.context() as broken:
            broken.setattr(core.mail, "add_mailbox", refuse)
            with pytest.raises(MailServerError):
                await inboxes.create(core, scope, new)
        assert await core.store.read(lambda tx: unscoped_inbox_at(tx, "late@postern.test")) is None
        made = await inboxes.create(core, scope, new)
        assert (made.new, made.inbox.address, made.inbox.status) == (True, "late@postern.test", "active")
