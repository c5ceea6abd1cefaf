"""Other programs' mail by their HTTP APIs: Mailpit's, and AgentMail's (which this gateway speaks too)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx2

from gateway.store.labels import SYSTEM, to_keyword
from gateway.transfer.dates import date_of
from gateway.transfer.imap_source import BadSource
from gateway.transfer.item import Item, to_wire

_PAGE = 100
_TIMEOUT = httpx2.Timeout(30.0, read=120.0)
_NO_KEYWORD = SYSTEM | {"sent", "draft", "inbox"}


def read_mailpit(base: str, login: tuple[str, str] | None, most: int) -> Iterator[Item]:
    """Every message of a Mailpit, newest first. Read ones are \\Seen, tags are labels. Raises BadSource."""
    base = base.rstrip("/")
    with httpx2.Client(auth=login, timeout=_TIMEOUT, trust_env=False) as http:
        start = 0
        while True:
            page = _json(http, f"{base}/api/v1/messages", {"start": str(start), "limit": str(_PAGE)})
            rows = page.get("messages") or []
            for row in rows:
                name = str(row.get("ID"))
                raw = to_wire(_octets(http, f"{base}/api/v1/message/{quote(name, safe='')}/raw", most))
                tags = [to_keyword(str(one).lower()) for one in row.get("Tags") or []]
                flags = (*(["\\Seen"] if row.get("Read") else []), *tags)
                date = _micros(row.get("Created")) or date_of(raw)
                yield Item("INBOX", "inbox", flags, date, f"Mailpit {name}", raw)
            start += len(rows)
            if not rows or start >= int(page.get("total") or page.get("messages_count") or 0):
                return


def read_agentmail(base: str, key: str, inbox: str, most: int) -> Iterator[Item]:
    """Every message of one inbox of AgentMail, oldest page last. Raises BadSource.

    ``base``: such as ``https://api.agentmail.to`` (``/v0`` is added) or a gateway's ``https://host/api/v0``.
    """
    base = base.rstrip("/")
    base = base if base.endswith("/v0") else f"{base}/v0"
    root = f"{base}/inboxes/{quote(inbox, safe='')}/messages"
    headers = {"Authorization": f"Bearer {key}"}
    with (
        httpx2.Client(headers=headers, timeout=_TIMEOUT, trust_env=False) as http,
        httpx2.Client(timeout=_TIMEOUT, trust_env=False, follow_redirects=True) as elsewhere,
    ):
        query = {"limit": str(_PAGE), "include_spam": "true", "include_trash": "true"}
        while True:
            page = _json(http, root, query)
            for row in page.get("messages") or page.get("data") or []:
                name = str(row.get("message_id"))
                raw = _agentmail_raw(http, elsewhere, f"{root}/{quote(name, safe='')}/raw", most)
                labels = [str(one) for one in row.get("labels") or []]
                yield _labelled(labels, row, f"AgentMail {name}", to_wire(raw))
            token = page.get("next_page_token")
            if not token:
                return
            query["page_token"] = str(token)


def _labelled(labels: list[str], row: dict[str, Any], origin: str, raw: bytes) -> Item:
    roles = {"spam": "junk", "trash": "trash", "archive": "archive", "sent": "sent", "draft": "drafts"}
    role = next((roles[one] for one in roles if one in labels), "")
    if not role:
        role = "sent" if row.get("direction") == "outbound" else "inbox"
    folder = next((one[7:] for one in labels if one.startswith("folder:")), "")
    if folder and role == "inbox":
        role = "other"
    flags = [] if "unread" in labels else ["\\Seen"]
    flags += ["\\Flagged"] if "starred" in labels else []
    flags += [to_keyword(one) for one in labels if one not in _NO_KEYWORD and not one.startswith("folder:")]
    date = _micros(row.get("timestamp")) or date_of(raw)
    return Item(folder or role.title(), role, tuple(flags), date, origin, raw)


def _agentmail_raw(http: httpx2.Client, elsewhere: httpx2.Client, url: str, most: int) -> bytes:
    """The octets themselves, or those at the ``download_url`` that is answered instead (without our key)."""
    data, kind = _fetch(http, url, most)
    if not kind.startswith("application/json"):
        return data
    import json

    try:
        where = json.loads(data)["download_url"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadSource(f"{url} answers no message") from error
    if not str(where).startswith(("https://", "http://")):
        raise BadSource(f"{url} answers no usable download_url")
    return _octets(elsewhere, str(where), most)


def _octets(http: httpx2.Client, url: str, most: int) -> bytes:
    return _fetch(http, url, most)[0]


def _fetch(http: httpx2.Client, url: str, most: int) -> tuple[bytes, str]:
    """At most one octet more than ``most``, and their media type."""
    try:
        with http.stream("GET", url) as answer:
            if answer.status_code != 200:
                raise BadSource(f"{url} answers {answer.status_code}{_advice(answer.status_code)}")
            data = bytearray()
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) > most:
                    break
            return bytes(data[: most + 1]), answer.headers.get("content-type", "")
    except httpx2.HTTPError as error:
        raise BadSource(f"{url}: {error or type(error).__name__}") from error


def _json(http: httpx2.Client, url: str, query: dict[str, str]) -> dict[str, Any]:
    try:
        answer = http.get(url, params=query)
        if answer.status_code != 200:
            raise BadSource(f"{url} answers {answer.status_code}{_advice(answer.status_code)}")
        found = answer.json()
    except httpx2.HTTPError as error:
        raise BadSource(f"{url}: {error or type(error).__name__}") from error
    except ValueError as error:
        raise BadSource(f"{url} does not answer in JSON: check the URL") from error
    if not isinstance(found, dict):
        raise BadSource(f"{url} does not answer as expected: check the URL")
    return found


def _advice(status: int) -> str:
    return {
        401: ": the key or password is wrong",
        403: ": the key may not",
        404: ": no such inbox or path",
    }.get(status, "")


def _micros(text: Any) -> int | None:
    try:
        return int(datetime.fromisoformat(str(text).replace("Z", "+00:00")).timestamp() * 1_000_000)
    except ValueError:
        return None
