"""What a message is (``mime.types.Traits``), as one JSON value.

Bulk and list mail that is there is found by its header fields; from which list it is, is known after a rebuild.
Messages with a calendar or with winmail.dat are read again.
"""

from typing import Any

from peewee import SqliteDatabase

_FIELDS = ("list-id", "list-post", "list-unsubscribe")
_READ_AGAIN = ("text/calendar", "application/ms-tnef", "application/vnd.ms-tnef")


def up(migrator: Any, db: Any) -> None:
    like, mark = ("LIKE", "?") if isinstance(db, SqliteDatabase) else ("ILIKE", "%s")
    db.execute_sql('ALTER TABLE "message" ADD COLUMN "traits_json" TEXT NOT NULL DEFAULT \'{}\'')
    # a quotation mark inside of a value has a backslash before it
    bulk = [f'%{before}"{name}":"%' for name in _FIELDS for before in "{,"]
    bulk += [f'%"precedence":"{value}"%' for value in ("bulk", "list", "junk")]
    found = " OR ".join([f'"headers_json" {like} {mark}'] * len(bulk))
    db.execute_sql(
        f'UPDATE "message" SET "traits_json" = {mark} WHERE {found}',  # noqa: S608
        ('{"bulk":true}', *bulk),
    )
    kinds = [f'%"content_type":"{name}"%' for name in _READ_AGAIN]
    found = " OR ".join([f'"attachments_json" {like} {mark}'] * len(kinds))
    db.execute_sql(
        'INSERT INTO "reread" ("message_id", "inbox_id", "due_at", "tries") '  # noqa: S608
        f'SELECT "id", "inbox_id", 0, 0 FROM "message" WHERE "test" = 0 AND ({found}) '
        'AND "id" NOT IN (SELECT "message_id" FROM "reread")',
        tuple(kinds),
    )
