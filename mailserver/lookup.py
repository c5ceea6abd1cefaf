"""Where the lookup tables are, in the words of each who reads them: us, Postfix, Dovecot."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from mailserver.base import MailServerError
from mailserver.lookup_postgresql import SCHEMA, PostgresqlStorage, connection_parameters
from mailserver.lookup_sqlite import SqliteStorage
from mailserver.lookup_storage import Storage

_URL_SAFE = re.compile(r"[A-Za-z0-9._~:/?=&@\[\]%!*+-]+")


@dataclass(frozen=True, slots=True)
class Lookup:
    """The SQLite file ``path``, or with ``url`` (``postgresql://…``) that database.

    ``reader_url``: the same for Postfix and Dovecot, as a role that may only read; empty: they use ``url``. A URL holds
    a password, so the files that show it are for their readers only.
    """

    path: Path
    url: str = field(default="", repr=False)
    reader_url: str = field(default="", repr=False)

    @property
    def postgresql(self) -> bool:
        return bool(self.url)

    def storage(self) -> Storage:
        """For the gateway, which alone writes."""
        return PostgresqlStorage(self.url) if self.url else SqliteStorage(self.path)

    # -- SQL ----------------------------------------------------------------------------------------

    @property
    def prefix(self) -> str:
        """The prefix of a table's name."""
        return f"{SCHEMA}." if self.url else ""

    @property
    def locate(self) -> str:
        """The function that finds the place of a string in another."""
        return "strpos" if self.url else "instr"

    # -- Postfix ------------------------------------------------------------------------------------

    @property
    def map_type(self) -> str:
        """The prefix of a table's name in main.cf. PostgreSQL is asked through proxymap(8): a few
        connections, not one for each of hundreds of processes and tables."""
        return "proxy:pgsql" if self.url else "sqlite"

    @property
    def map_mode(self) -> int:
        """Of the files of the tables, whose group must be Postfix's."""
        return 0o640 if self.url else 0o644

    def map_file(self, query: str) -> str:
        """The text of one table's file."""
        if not self.url:
            return f"dbpath = {self.path}\nquery = {query}\n"
        url = self._reader()
        # libpq takes all from the URL, but the table must have a name of the database
        return f"hosts = {url}\ndbname = {unquote(urlsplit(url).path.lstrip('/'))}\nquery = {query}\n"

    # -- Dovecot ------------------------------------------------------------------------------------

    @property
    def driver(self) -> str:
        """``driver`` in dovecot-sql.conf.ext."""
        return "pgsql" if self.url else "sqlite"

    @property
    def connect(self) -> str:
        """``connect`` there, as Dovecot 2.3 takes it."""
        return self._reader() if self.url else str(self.path)

    def reader_parameters(self) -> dict[str, str]:
        """The readers' URL taken apart into libpq's parameters, as Dovecot 2.4 takes them. Raises MailServerError."""
        return connection_parameters(self._reader())

    def _reader(self) -> str:
        """The readers' URL with every octet that could end a value in their files percent-encoded."""
        url = "".join(
            one if _URL_SAFE.fullmatch(one) else quote(one, safe="") for one in self.reader_url or self.url
        )
        parts = urlsplit(url)
        if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
            raise MailServerError(
                "mail.lookup_url must name a database: postgresql://user:password@host/name"
            )
        return url
