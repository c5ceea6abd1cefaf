"""With whom an inbox has exchanged mail, and since when.

Those of the mail that is there: whom an inbox wrote to, and whose mail passed DMARC and is shown.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
from peewee import SqliteDatabase

from gateway.mime.types import Address
from gateway.store.contact_keys import keys_of

_SOME = 1000
_SELECT = (
    "SELECT seq, organization_id, inbox_id, direction, timestamp, from_json, to_json, cc_json, bcc_json FROM message "
    "WHERE seq > {mark} AND test = 0 AND (direction = 'outbound' OR (hidden = 0 AND auth_json LIKE {mark})) "
    "ORDER BY seq LIMIT {mark}"
)
_PASSED = '%"dmarc":"pass"%'


def up(migrator: Any, db: Any) -> None:
    sqlite = isinstance(db, SqliteDatabase)
    number, key = (
        ("INTEGER", "INTEGER NOT NULL PRIMARY KEY") if sqlite else ("BIGINT", "BIGSERIAL PRIMARY KEY")
    )
    db.execute_sql(
        f'CREATE TABLE "contact" ("id" {key}, "organization_id" VARCHAR(255) NOT NULL, '
        f'"inbox_id" VARCHAR(255) NOT NULL, "value" TEXT NOT NULL, "about" TEXT NOT NULL, "since" {number} NOT NULL)'
    )
    mark = "?" if sqlite else "%s"
    insert = (
        'INSERT INTO "contact" ("organization_id", "inbox_id", "value", "about", "since") '  # noqa: S608
        f"VALUES ({', '.join([mark] * 5)})"
    )
    for (organization, inbox, value, about), since in _contacts(db, _SELECT.format(mark=mark)).items():
        db.execute_sql(insert, (organization, inbox, value, about, since))
    db.execute_sql(
        'CREATE INDEX "contact_organization_id_value_since" ON "contact" ("organization_id", "value", "since")'
    )
    db.execute_sql(
        'CREATE UNIQUE INDEX "contact_inbox_id_value_about" ON "contact" ("inbox_id", "value", "about")'
    )


def _contacts(db: Any, query: str) -> dict[tuple[str, str, str, str], int]:
    found: dict[tuple[str, str, str, str], int] = {}
    for organization, inbox, since, people in _mail(db, query):
        for one in people:
            for key in keys_of(one.email, one.name):
                row = (organization, inbox, key.value, key.about)
                found[row] = min(since, found.get(row, since))
    return found


def _mail(db: Any, query: str) -> Iterator[tuple[str, str, int, list[Address]]]:
    seq = 0
    while rows := db.execute_sql(query, (seq, _PASSED, _SOME)).fetchall():
        seq = rows[-1][0]
        for _, organization, inbox, direction, at, author, *others in rows:
            people = [] if author is None else [msgspec.json.decode(author, type=Address)]
            if direction == "outbound":
                for text in others:
                    people += msgspec.json.decode(text, type=list[Address])
            yield organization, inbox, at, people
