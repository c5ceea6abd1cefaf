"""``postern serve --quickstart``: a first key and a first inbox, kept in ``DATA/quickstart.json`` (mode 0600).

A second start finds them there and reuses them; what is missing (a deleted inbox, a revoked key, a lost file)
is made again.
"""

from __future__ import annotations

import ipaddress
import json
import secrets
from pathlib import Path
from typing import Any

from gateway.cli import operator
from gateway.cli.failure import USAGE, Failure
from gateway.core.accounts import bootstrap
from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.inboxes import inboxes
from gateway.records.ids import ORGANIZATION_ID
from gateway.records.inboxes import Inbox
from gateway.settings import Settings
from gateway.store.scope import Scope
from mailserver.base import Endpoint

NAME = "quickstart.json"
USERNAME = "agent"

_WEBHOOK = {
    "urls": "http:// and https:// URLs are accepted, also on this machine (http://127.0.0.1:PORT/…)",
    "signature": "Svix: svix-signature is 'v1,' + base64 HMAC-SHA256, with the base64 part of the webhook's "
    "whsec_ secret as the key, over 'svix-id.svix-timestamp.body'; the same values are in the headers "
    "webhook-id, webhook-timestamp and webhook-signature (Standard Webhooks)",
    "create": "POST /api/v0/webhooks answers the secret, only then",
}


def check(settings: Settings) -> None:
    """Refuse a quickstart that others could reach. Raises Failure."""
    for name, host in (("http.host", settings.http.host), ("mail.host", settings.mail.host)):
        if not _loopback(host):
            raise Failure(
                f"--quickstart listens on this machine only, but {name} is {host}",
                USAGE,
                fix="leave --quickstart out, or take 127.0.0.1",
            )


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def prepare(core: Core) -> dict[str, Any]:
    """Find or make the first key and inbox, write the file, answer what it holds."""
    path = core.data_dir / NAME
    held = operator.read_private(path)
    key = str(held.get("api_key") or "")
    scope = await core.keys.identify(core.store, key) if key else None
    if scope is None:
        key = await bootstrap.make_key(core, "quickstart")
        scope = await core.keys.identify(core.store, key)
        assert scope is not None
    inbox, password = await _inbox(core, scope, held.get("inbox") or {})
    access = core.mail.access()
    found = {
        "base_url": core.settings.http.public_url,
        "api_key": key,
        "organization_id": ORGANIZATION_ID.public(scope.organization),
        "inbox": {"id": inbox.public_id, "address": inbox.address, "password": password},
        "smtp": _endpoint(access.smtp),
        "submission": _endpoint(access.submission),
        "imap": _endpoint(access.imap),
        "webhook": _WEBHOOK,
    }
    operator.write_private(path, found)
    return found


async def _inbox(core: Core, scope: Scope, held: dict[str, Any]) -> tuple[Inbox, str]:
    try:
        inbox = await inboxes.get(core, scope, str(held["id"]))
        if held["password"] and inbox.address == held["address"]:
            return inbox, str(held["password"])
    except (KeyError, NotFound):
        pass
    address = f"{USERNAME}@{core.settings.mail.domain}"
    try:
        inbox = await inboxes.get(core, scope, address)
    except NotFound:
        password = secrets.token_urlsafe(18)
        made = await inboxes.create(core, scope, inboxes.NewInbox(username=USERNAME, password=password))
        return made.inbox, password
    _, password, _ = await inboxes.set_credentials(core, scope, inbox.id)
    return inbox, password


def _endpoint(one: Endpoint) -> dict[str, Any]:
    return {"host": one.host, "port": one.port}


def screen(found: dict[str, Any], data_dir: Path) -> str:
    """What a first-time user reads."""
    base, key, inbox = found["base_url"], found["api_key"], found["inbox"]
    messages = f"{base}/api/v0/inboxes/{inbox['address']}/messages"
    mail = {"to": inbox["address"], "subject": "Hello", "text": "A mail to myself."}
    hook = {"url": "http://127.0.0.1:9000/mail", "event_types": ["message.received"]}
    auth = f"-H 'Authorization: Bearer {key}'"
    kind = "-H 'Content-Type: application/json'"

    def where(name: str) -> str:
        return f"{found[name]['host']}, port {found[name]['port']}"

    return f"""
Postern is running.

  API        {base}
  Docs       {base}/docs
  API key    {key}
  Inbox      {inbox["address"]}  ({inbox["id"]})

  In a mail client, without encryption:
  IMAP       {where("imap")}   user {inbox["address"]}   password {inbox["password"]}
  Sending    {where("submission")}   the same user and password
  SMTP (MX)  {where("smtp")}   where other servers deliver

Send a mail to itself, list the mails, have a webhook called:

curl -s {auth} {kind} -d '{json.dumps(mail)}' {messages}/send

curl -s {auth} {messages}

curl -s {auth} {kind} -d '{json.dumps(hook)}' {base}/api/v0/webhooks

This is the development profile: it listens on this machine only, limits are loose, any sender is accepted,
passwords travel in the clear, and webhooks may call this machine. It is not for the internet.
All of the above is in {data_dir / NAME} too. Ctrl-C stops.
"""
