"""The outbox, Postfix's queue, failing webhooks, and the milter."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.doctor import checks_queue, checks_service
from gateway.records.ids import new_ulid, now_us
from gateway.store.queries.outbox import FAR
from gateway.store.sql import sql
from tests.doctor.contexts import says, scene, told

pytestmark = pytest.mark.anyio
HOUR = 3_600_000_000


@pytest.mark.parametrize(("hours", "level"), [(0, "ok"), (2, "warn"), (30, "fail")])
async def test_what_waits_in_the_outbox(tmp_path: Path, hours: int, level: str) -> None:
    async with scene(tmp_path) as made:
        assert made.store is not None
        assert await told(checks_queue.outbox, made) == [("ok", "outbox")]
        then = now_us() - hours * HOUR - 1
        row = {
            **{name: new_ulid() for name in ("id", "organization_id", "inbox_id", "token", "message_id")},
            "mail_from": "",
            "size": 1,
            "state": "queued",
            "next_at": then,
            "created_at": then,
            "updated_at": then,
        }
        done = {**row, "id": new_ulid(), "token": "t2", "state": "done", "next_at": FAR, "created_at": 1}
        await made.store.write(lambda tx: (sql(tx).insert("outbox", row), sql(tx).insert("outbox", done)))
        (found,) = await checks_queue.outbox(made)
        assert found.level == level
        assert "1 messages wait" in found.text


async def test_what_waits_in_postfix(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    (spool / "deferred" / "A").mkdir(parents=True)
    settings: dict[str, Any] = {
        "mail__server": "postfix_dovecot",
        "mail__postfix_spool": str(spool),
        "mail__postfix_dir": "/etc/p",
    }
    async with scene(tmp_path, database=False, **settings) as made:
        assert await told(checks_queue.postfix, made) == [("ok", "postfix queue")]
        late = spool / "deferred" / "A" / "AB12"
        late.write_text("x")
        os.utime(late, (time.time() + 600, time.time() + 600))  # Postfix: its next try
        (found,) = await checks_queue.postfix(made)
        assert found.level == "ok"
        assert "1 messages wait" in found.text
        os.utime(late, (time.time() - 7200, time.time() - 7200))
        (found,) = await checks_queue.postfix(made)
        assert (found.level, "postqueue -c /etc/p -p" in found.fix) == ("warn", True)
        (spool / "hold").mkdir()
        (spool / "hold" / "CD").write_text("x")
        assert await told(checks_queue.postfix, made) == [("warn", "postfix queue"), ("warn", "postfix hold")]
    async with scene(tmp_path, database=False, **{**settings, "mail__postfix_spool": "/nowhere"}) as made:
        assert await told(checks_queue.postfix, made) == [("warn", "postfix")]


async def test_webhooks_that_fail(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        assert made.store is not None
        assert await told(checks_queue.webhooks, made) == [("ok", "webhooks")]
        base = {"number": 1, "organization_id": "o", "secret": "s", "created_at": 1, "updated_at": 1}
        base["url"] = "https://user:pass@hooks.test/x?token=hidden"
        rows = (
            {**base, "id": "A", "enabled": 0, "disabled_reason": "failed for 5 days"},
            {**base, "id": "B", "enabled": 1, "failing_since": now_us() - 3 * HOUR},
            {**base, "id": "C", "enabled": 0},  # its owner's wish
            {**base, "id": "D", "enabled": 1},
        )
        await made.store.write(lambda tx: [sql(tx).insert("webhook", one) for one in rows])
        found = await checks_queue.webhooks(made)
    assert {one.subject: one.level for one in found} == {"wh_A": "warn", "wh_B": "warn"}
    assert not any("hidden" in one.text or "pass" in one.text for one in found)
    assert "hooks.test" in found[0].text


async def test_the_milter(tmp_path: Path) -> None:
    path = tmp_path / "milter.sock"
    async with scene(tmp_path, database=False) as made:
        assert await told(checks_service.milter, made) == [("ok", "milter")]  # embedded needs none
    settings: dict[str, Any] = {"mail__server": "postfix_dovecot"}
    async with scene(tmp_path, database=False, **settings) as made:
        assert await told(checks_service.milter, made) == [("warn", "milter")]
    async with scene(tmp_path, database=False, mail__milter=f"unix:{path}", **settings) as made:
        assert await told(checks_service.milter, made) == [("fail", "milter")]
        async with says(b"", path=path):
            assert await told(checks_service.milter, made) == [("ok", "milter")]
