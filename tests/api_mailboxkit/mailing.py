"""Mail at ``/api/v1`` in tests: sends in either form, letters from outside, and what an inbox then shows."""

from __future__ import annotations

import base64
import uuid
from email.message import EmailMessage
from typing import Any

import httpx

from gateway.store.sql import sql
from tests.api_mailboxkit.calls import answer, call, client
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until

Box = dict[str, Any]


def word(prefix: str = "w") -> str:
    """A word no other test uses."""
    return f"{prefix}{uuid.uuid4().hex[:10]}"


def stranger() -> str:
    """An address that nobody here has heard of."""
    return f"{word('stranger')}@abroad.test"


def new_box(organization: Organization, name: str = "Support Agent", **fields: Any) -> Box:
    """A new inbox."""
    box: Box = call(organization, "POST", "inboxes", {"name": name, **fields})["data"]
    return box


def try_send(organization: Organization, box: Box, body: dict[str, Any], **options: Any) -> httpx.Response:
    """A send as JSON, whatever it answers."""
    return answer(organization, "POST", f"inboxes/{box['id']}/messages/send", body, **options)


def send(organization: Organization, box: Box, to: str | list[str], **fields: Any) -> Any:
    """An accepted send; answers its ``data``. ``key``: another API key."""
    key = fields.pop("key", None)
    got = try_send(organization, box, {"to": to, "subject": "Hello", "text": "A line.", **fields}, key=key)
    assert got.status_code == 201, got.text
    return got.json()["data"]


def form(
    organization: Organization,
    path: str,
    fields: list[tuple[str, str]],
    files: list[tuple[str, tuple[str, bytes, str]]] | None = None,
) -> httpx.Response:
    """A POST as multipart/form-data."""
    parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in fields]
    with client(organization, timeout=120) as http:
        return http.post(path, files=[*parts, *(files or [])])


def reply(organization: Organization, box: Box, message_id: object, body: Any, **options: Any) -> Any:
    """An accepted reply; answers its ``data``."""
    got = answer(organization, "POST", f"inboxes/{box['id']}/messages/{message_id}/reply", body, **options)
    assert got.status_code == 201, got.text
    return got.json()["data"]


def file_of(content: bytes, filename: str = "report.pdf", **more: str) -> dict[str, str]:
    """An attachment as JSON has it."""
    return {"filename": filename, "content": base64.b64encode(content).decode(), **more}


def listed(organization: Organization, box: Box, count: int = 0, **query: Any) -> list[Any]:
    """The messages of an inbox, newest first, once there are ``count``."""
    path = f"inboxes/{box['id']}/messages"
    if count:
        until(
            lambda: call(organization, "GET", path)["meta"]["total"] >= count,
            why=f"{count} messages in {box['email']}",
        )
    rows: list[Any] = call(organization, "GET", path, params=query)["data"]
    return rows


def message(organization: Organization, box: Box, message_id: object) -> Any:
    """A message whole."""
    return call(organization, "GET", f"inboxes/{box['id']}/messages/{message_id}")["data"]


def receive(
    gateway: GatewayProcess,
    organization: Organization,
    box: Box,
    mail: EmailMessage | str,
    text: str = "Hello there.\n",
    **more: Any,
) -> Any:
    """Deliver a new_mail (or a plain one with this subject); answers it as the inbox shows it."""
    before = call(organization, "GET", f"inboxes/{box['id']}/messages?per_page=1")["meta"]["total"]
    if isinstance(mail, str):
        mail = new_mail(box["email"], mail, text, **more)
    deliver(gateway.port("smtp"), mail, box["email"])
    wanted = mail["Message-ID"]
    rows = listed(organization, box, before + 1, per_page=100)
    return next(one for one in rows if one["message_id"] == wanted)


def change(gateway: GatewayProcess, query: str, *args: object) -> int:
    """Change the gateway's database, as passing time would; answers the rows touched."""
    return gateway.database(lambda tx: sql(tx).run(query, *args))


def looked_up(gateway: GatewayProcess, query: str, *args: object) -> Any:
    """One value of the gateway's database."""
    return gateway.database(lambda tx: sql(tx).value(query, *args))
