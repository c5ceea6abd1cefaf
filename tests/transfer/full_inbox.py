"""An inbox with everything in it that has to survive, and what the API shows of it."""

from __future__ import annotations

import imaplib
import secrets
import smtplib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import psycopg

from gateway.backup import catalog
from gateway.backup.postgres import put_back
from tests.support.databases import database_url
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.servers import data_directory

LOOSE = {"profile": "development", "mail__smtp_port": 0, "mail__imap_port": 0, "mail__submission_port": 0}


def mail(to: str, subject: str, text: str = "hello\n", **headers: str) -> EmailMessage:
    """A mail from outside."""
    made = EmailMessage()
    made["From"] = headers.pop("From", "Ann <ann@outside.example>")
    made["To"] = to
    made["Subject"] = subject
    made["Message-ID"] = headers.pop("Message_ID", f"<{secrets.token_hex(8)}@outside.example>")
    made["Date"] = headers.pop("Date", "Tue, 03 Feb 2026 10:00:00 +0000")
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(text)
    return made


def deliver(gateway: GatewayProcess, *messages: EmailMessage) -> None:
    """Hand mails to the gateway as the world does."""
    with smtplib.SMTP("127.0.0.1", gateway.port("smtp"), timeout=30) as smtp:
        for one in messages:
            # send_message would quote "From " lines
            smtp.sendmail("ann@outside.example", [one["To"]], one.as_bytes())


@contextmanager
def person(gateway: GatewayProcess, address: str, password: str) -> Iterator[imaplib.IMAP4]:
    """A person's IMAP session."""
    client = imaplib.IMAP4("127.0.0.1", gateway.port("imap"))
    try:
        client.login(address, password)
        yield client
    finally:
        client.logout()


def shown(organization: Organization, inbox: str) -> dict[str, dict[str, Any]]:
    """What the API says of every message of an inbox, by id: what a restore must not change."""
    kept = ("thread_id", "subject", "labels", "timestamp", "from", "to", "direction", "attachments")
    found: dict[str, dict[str, Any]] = {}
    token = None
    while True:
        query = {"limit": 100, "include_spam": "true", "include_trash": "true"}
        page = organization.call(
            "GET", f"inboxes/{inbox}/messages", params=query | ({"page_token": token} if token else {})
        )
        for one in page["messages"]:
            found[one["message_id"]] = {name: one.get(name) for name in kept}
        token = page.get("next_page_token")
        if not token:
            return found


@contextmanager
def empty_place(tmp_path: Path, name: str = "other", **settings: Any) -> Iterator[GatewayProcess]:
    """A data directory that does not exist yet, for commands and then perhaps a gateway."""
    with data_directory(tmp_path) as parent:
        gateway = GatewayProcess(parent / name, settings=LOOSE | settings)
        try:
            yield gateway
        finally:
            if gateway.process is not None and gateway.process.poll() is None:
                gateway.stop()


def rows_of(backup: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of the records in a backup, of either engine."""
    dump = backup / catalog.DUMP
    if not dump.exists():
        with closing(sqlite3.connect(f"file:{backup / catalog.RECORDS}?mode=ro", uri=True)) as database:
            return database.execute(query).fetchall()
    url = database_url(backup / secrets.token_hex(8))  # a fresh one
    put_back(url, dump)
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()
