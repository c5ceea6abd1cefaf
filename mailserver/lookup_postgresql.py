"""The lookup tables in a schema of their own in PostgreSQL, for mail hosts beside the gateway's or several gateways.

Postfix and Dovecot should log in as a role that may only read: the owner of the schema grants it, see ``READER``.
Each change notifies channel ``postern_mail``, so that other gateway processes read the rows anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, LiteralString

from mailserver.base import MailServerDown, MailServerError
from mailserver.lookup_storage import SELECT_ALIASES, SELECT_DOMAINS, SELECT_MAILBOXES, Rows

if TYPE_CHECKING:
    import psycopg

SCHEMA = "postern_mail"

READER = """\
CREATE ROLE postern_mail_reader LOGIN PASSWORD '...';
GRANT USAGE ON SCHEMA postern_mail TO postern_mail_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA postern_mail TO postern_mail_reader;
"""

_LOCK = 0x706F7374  # two processes that start at once make the tables one after the other
_TABLES: tuple[LiteralString, ...] = (
    "CREATE SCHEMA IF NOT EXISTS postern_mail",
    "CREATE TABLE IF NOT EXISTS postern_mail.domain (name text PRIMARY KEY)",
    """CREATE TABLE IF NOT EXISTS postern_mail.mailbox (
        address text PRIMARY KEY,
        home text NOT NULL UNIQUE,
        password text,
        enabled smallint NOT NULL DEFAULT 1,
        quota bigint
    )""",
    """CREATE TABLE IF NOT EXISTS postern_mail.alias (
        address text NOT NULL,
        mailbox text NOT NULL,
        PRIMARY KEY (address, mailbox)
    )""",
    "CREATE INDEX IF NOT EXISTS alias_mailbox ON postern_mail.alias (mailbox)",
)


class PostgresqlStorage:
    """Implements :class:`mailserver.lookup_storage.Storage`. A connection that was lost is made anew."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._db: psycopg.Connection[Any] | None = None
        self._opened = False
        self._missed = False  # a connection was lost, and with it what others notified

    def open(self, mode: int, group: int) -> None:
        """``mode`` and ``group`` mean nothing here. Raises MailServerDown, MailServerError (no driver)."""
        self._opened = True
        with self._connection() as db, db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            if db.execute("SELECT to_regclass('postern_mail.alias_mailbox')").fetchone() == (None,):
                for statement in _TABLES:
                    db.execute(statement)

    def close(self) -> None:
        self._opened = False
        if self._db is not None:
            self._db.close()
            self._db = None

    def rows(self) -> Rows:
        with self._connection() as db:
            # what is notified from here on may be missing from the rows; what was before is in them
            self._heard(db)
            self._missed = False
            with db.transaction():
                db.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                return Rows(
                    [name for (name,) in db.execute(SELECT_DOMAINS).fetchall()],
                    db.execute(SELECT_MAILBOXES).fetchall(),
                    db.execute(SELECT_ALIASES).fetchall(),
                )

    def changed(self) -> bool:
        with self._connection() as db:
            heard = self._heard(db)
        return heard or self._missed

    @contextmanager
    def change(self) -> Iterator[_Run]:
        with self._connection() as db, db.transaction():
            # acknowledged is durable, whatever the server's default
            db.execute("SET LOCAL synchronous_commit = on")
            yield _Run(db)
            db.execute("SELECT pg_notify('postern_mail', '')")

    def _heard(self, db: psycopg.Connection[Any]) -> bool:
        """Whether another session notified since the last time. Notices of our own changes come here as well."""
        db.execute("SELECT 1")  # what the server has for us comes with its answer
        own = db.info.backend_pid
        return bool([one for one in db.notifies(timeout=0) if one.pid != own])

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection[Any]]:
        psycopg = _driver()
        if not self._opened:
            raise RuntimeError("lookup database is not open")
        try:
            db = self._live()
            yield db
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if self._db is not None and (self._db.closed or self._db.broken):
                self._db.close()
                self._db = None
            raise MailServerDown(f"lookup database: {str(error).strip()}") from error

    def _live(self) -> psycopg.Connection[Any]:
        """The connection, made anew when the server ended it since."""
        psycopg = _driver()
        if self._db is not None:
            try:
                self._db.execute("SELECT 1")
            except psycopg.OperationalError:
                self._db.close()
                self._db = None
        if self._db is None:
            db = psycopg.connect(
                self._url, autocommit=True, connect_timeout=10, application_name="postern lookup",
                options="-c search_path=postern_mail",
            )  # fmt: skip
            db.execute("LISTEN postern_mail")
            self._db, self._missed = db, True
        return self._db


class _Run:
    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self._db = db

    def __call__(self, statement: str, values: Sequence[object]) -> int:
        return self._db.execute(statement.replace("?", "%s"), tuple(values)).rowcount


def connection_parameters(url: str) -> dict[str, str]:
    """What libpq reads from a URL: ``host``, ``user``, ``password``, ... Raises MailServerError."""
    psycopg = _driver()
    from psycopg.conninfo import conninfo_to_dict

    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items()}
    except psycopg.Error as error:
        raise MailServerError(f"mail.lookup_url or mail.lookup_reader_url: {str(error).strip()}") from error


def _driver() -> Any:
    try:
        import psycopg
    except ImportError as error:
        raise MailServerError(
            "the lookup tables are to be in PostgreSQL, whose driver is missing: pip install 'postern[postgres]'"
        ) from error
    return psycopg
