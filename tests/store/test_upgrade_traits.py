"""0012: bulk mail that was there is known as such after the upgrade; what may hold more is read again."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gateway.mime.types import Traits
from gateway.records.mail import MessageItem
from gateway.store import migrate as migrating
from gateway.store.engine import Store
from gateway.store.json_columns import dump
from gateway.store.migrate import migrate
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.store.earlier_migrations import migrations_before
from tests.support.postgres_server import PostgresCluster

LEVEL = "0012_traits"
HEADERS = {
    "plain": {"Subject": 'of ,"List-Id":"x" and {"precedence":"bulk"}'},
    "first": {"LIST-ID": "<dev.x.test>"},
    "later": {"Subject": "x", "List-Unsubscribe": "<https://x.test/u>"},
    "marked": {"Subject": "x", "precedence": "Bulk"},
}
ATTACHED = {"plain": "text/calendar", "first": "image/png", "later": "application/ms-tnef"}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path / 'one.db'}"
    cluster: PostgresCluster = request.getfixturevalue("postgres")
    return cluster.new_database()


def _fill(tx: Tx) -> None:
    for number, (name, headers) in enumerate(HEADERS.items()):
        row = {"id": name, "number": number, "organization_id": "o", "inbox_id": "i", "thread_id": "t"}
        row |= {"direction": "inbound", "subject": "x", "preview": "", "size": 1, "timestamp": 1}
        row |= {"status": "received", "created_at": 1, "updated_at": 1, "headers_json": dump(headers)}
        attached = [{"content_type": ATTACHED[name], "size": 1}] if name in ATTACHED else []
        sql(tx).insert("message", {**row, "attachments_json": dump(attached)})


def test_messages_keep_their_rows_and_bulk_mail_is_known(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, closing(Store(url)) as store:
        patched.setattr(migrating, "_DIRECTORY", migrations_before(LEVEL, tmp_path))
        assert LEVEL not in migrate(store)
        store.start()
        store.write_now(_fill)
    with closing(Store(url)) as store:
        assert LEVEL in migrate(store)
        messages = store.read_now(lambda tx: sql(tx).all(MessageItem, "ORDER BY number"))
        assert {one.id: one.traits for one in messages} == {
            "plain": Traits(),
            "first": Traits(bulk=True),
            "later": Traits(bulk=True),
            "marked": Traits(bulk=True),
        }
        again = store.read_now(lambda tx: sql(tx).rows("SELECT message_id FROM reread ORDER BY message_id"))
        assert [one["message_id"] for one in again] == ["later", "plain"]
