"""An organization with something for every path parameter, and a key of every kind: what the access matrix walks."""

from __future__ import annotations

import json
import re
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from gateway.core.access import EVERY_KIND, Access
from gateway.records.ids import new_ulid, now_us
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until

HOOK = "http://127.0.0.1:8099/hook"
PERMISSIONS = tuple(
    f"{area}_{verb}"
    for area, verbs in {
        "inbox": "read create update delete credentials webhook",
        "message": "read send update delete",
        "draft": "read create update delete send",
        "pod": "read create update delete",
        "domain": "read create update delete",
        "webhook": "read create update delete",
        "api_key": "read create update delete",
        "list_entry": "read create delete",
        "metrics": "read",
        "policy": "read update",
        "review": "decide",
    }.items()
    for verb in verbs.split()
)
KEPT = (
    "organization",
    "pod",
    "inbox",
    "api_key",
    "domain",
    "dkim_key",
    "webhook",
    "list_entry",
    "policy",
    "draft",
)
MORE = (
    "message",
    "label",
    "alias",
    "alias_target",
    "suppression",
    "outbox",
    "review",
    "event",
    "delivery",
    "cli_login",
    "pause",
    "audit_entry",
)
_MOVES_BY_ITSELF = frozenset(
    {
        "notified_at",
        "used_at",
        "checked_at",
        "checked_json",
        "changed_at",
        "seen_at",
        "synced_at",
        "updated_at",
    }
)

BODIES: dict[str, Any] = {
    "POST /aliases": {"address": "many@{home}", "inbox_ids": ["{inbox_id}"]},
    "PUT /aliases/{address}": {"inbox_ids": ["{inbox_id}"]},
    "PUT /domains/{domain_id}/catch-all": {"inbox_id": "{inbox_id}"},
    "POST /domains/{domain_id}/mta-sts": {"mode": "testing"},
    "POST /domains": {"domain": "{word}.example", "name": "{word}.example"},
    "POST /pods/{pod_id}/domains": {"domain": "{word}.example"},
    "PUT /inboxes/{inbox_id}/quota": {"quota_bytes": 2_000_000},
    "PATCH /inboxes/{inbox_id}": {"display_name": "Changed", "displayName": "Changed"},
    "PATCH /pods/{pod_id}": {"name": "Changed"},
    "PATCH /domains/{domain_id}": {"feedback_enabled": False},
    "PATCH /domains/{domain}": {"podId": None},
    "POST /inboxes/{inbox_id}/messages/batch-get": {"message_ids": ["{message_id}"]},
    "POST /inboxes/{inbox_id}/messages/batch-update": {"message_ids": ["{message_id}"], "add_labels": ["x"]},
    "POST /inboxes/{inbox_id}/send": {"to": "{address_of}", "subject": "s", "body": "b"},
    "POST /inboxes/{inbox_id}/messages/send": {
        "to": ["{address_of}"],
        "subject": "s",
        "text": "t",
        "html": "t",
    },
    "PUT /webhook": {"url": HOOK},
    "POST /webhooks": {"url": HOOK, "event_types": ["message.received"], "events": ["message.received"]},
    "POST /inboxes": {"name": "{word}", "username": "{word}"},
    "POST /pods/{pod_id}/inboxes": {"username": "{word}"},
    "POST /sender-rules": {"action": "block", "sender": "{word}@evil.example"},
    "PUT /sender-rules/mode": {"mode": "none"},
    "POST /suppressions": {"address": "{word}@gone.example"},
    "PATCH /threads/{thread_id}": {"is_read": True, "add_labels": ["x"]},
    "POST /messages/search": {"query": "hello"},
    "POST /agent/sign-up": {"username": "{word}", "human_email": "{word}@example.org"},
    "POST /agent/human": {"human_email": "{word}@example.org"},
    "POST /agent/verify": {"otp_code": "000000"},
    "POST /register": {"name": "{word}", "owner_email": "{word}@example.org"},
    "POST /organizations/{organization_id}/wallet": {"mills": 1},
    "agentmail PUT /policy": {"sending": {"mode": "free"}},
    "PUT /policy": {"inbound": {"mode": "none", "rules": []}},
    "POST /feedback": {"type": "bug", "message": "made by a test"},
    "PATCH /drafts/{draft_id}": {"subject": "changed"},
}
_BY_END: list[tuple[str, Any]] = [
    ("POST .*/webhooks/polling", {"client_id": "made", "event_types": ["message.received"]}),
    ("POST .*/webhooks", {"url": HOOK, "event_types": ["message.received"]}),
    ("PATCH .*/webhooks/{webhook_id}", {"enabled": True}),
    ("PATCH .*/webhooks/{webhook_id}/headers", {"headers": {"X-A": "b"}}),
    ("POST .*/replay", {"failed": True}),
    ("POST .*/lists/{direction}/{type}", {"entry": "{word}@listed.example"}),
    ("POST .*/api[-_]keys", {"name": "made"}),
    ("PATCH .*/api-keys/{key_id}", {"name": "renamed"}),
    ("PATCH .*/messages/{message_id}", {"add_labels": ["x"]}),
    ("PATCH .*/threads/{thread_id}", {"add_labels": ["x"]}),
    ("PATCH .*/drafts/{draft_id}", {"subject": "changed"}),
    ("POST .*/drafts", {"to": ["{address_of}"], "subject": "d", "text": "t"}),
    ("PUT .*/policy", {"sending": {"mode": "free"}}),
    ("POST .*/rsvp", {"response": "accept"}),
    ("POST .*/(reply|reply-all|forward)", {"to": ["{address_of}"], "text": "t", "html": "t"}),
]


def body_of(name: str, place: dict[str, str], dialect: str = "") -> Any:
    """A body that the operation ``METHOD /path`` takes, with the names of a place filled in."""
    found = BODIES.get(f"{dialect} {name}") or BODIES.get(name)
    if found is None:
        found = next((body for pattern, body in _BY_END if re.fullmatch(_open(pattern), name)), None)
    if found is None:
        return {} if name.split(" ")[0] in ("POST", "PUT", "PATCH") else None
    values = place | {"word": "w" + uuid.uuid4().hex[:12]}
    text = re.sub(
        r"\{(word|home|address_of|inbox_id|message_id)\}", lambda one: values[one[1]], json.dumps(found)
    )
    return json.loads(text)


def _open(pattern: str) -> str:
    return re.sub(r"\{(\w+)\}", r"\\{\1\\}", pattern)


@dataclass
class Key:
    """A key of one kind. ``place``: what fills the paths for it, all within its reach."""

    name: str
    secret: str
    kind: str
    place: dict[str, str]
    permissions: frozenset[str] | None = None
    test: bool = False
    operator: bool = False


@dataclass
class Home:
    """The organization that is asked about, and every key."""

    gateway: GatewayProcess
    organization: Organization
    keys: dict[str, Key] = field(default_factory=dict)

    def snapshot(self) -> dict[str, Any]:
        """Every row of every table but what moves by itself."""

        def read(tx: Tx) -> dict[str, Any]:
            return {
                table: sorted(
                    json.dumps({k: v for k, v in row.items() if k not in _MOVES_BY_ITSELF}, default=str)
                    for row in sql(tx).rows(f"SELECT * FROM {table}")
                )
                for table in (*KEPT, *MORE)
            }

        return self.gateway.database(read)


def fill(path: str, place: dict[str, str]) -> str:
    """A path with its parameters."""
    return re.sub(r"\{(\w+)(?::rest)?\}", lambda one: quote(place[one[1]], safe=""), path)


def refused(access: Access, key: Key, names: set[str]) -> int | None:
    """With which status a route refuses a key, by its declaration alone; None when it lets it in."""
    if access.open:
        return None
    if key.kind == "none":
        return 401
    if access.operator:
        if key.operator:
            return None
        return 404 if key.kind == "foreign" and names & LOOKED_UP else 403
    if key.kind == "foreign":
        return 404 if names & NAMED else None
    if key.kind not in access.kinds:
        return 403
    if key.test and (access.test == "none" or (access.test == "own" and names & LIVE)):
        return 403
    if key.permissions is not None and not set(access.permissions) <= key.permissions:
        return 403
    return None


LIVE = {"message_id", "thread_id", "draft_id", "key_id", "webhook_id", "polling_id"}
"""Parameters that name rows which may be a sandbox's; at :func:`settle`'s places of live keys they are live."""
LOOKED_UP = {"inbox_id", "pod_id", "thread_id", "key_id", "domain_id"}
NAMED = LIVE | {"inbox_id", "pod_id", "domain_id", "domain", "review_id"}


def a_review(gateway: GatewayProcess, organization: Organization, address: str) -> str:
    """The ULID of a review of an inbox. Its message is gone, so that nobody decides it for the keys after them."""
    made = {
        "id": new_ulid(),
        "message_id": new_ulid(),
        "organization_id": organization.id.removeprefix("org_"),
    }
    now = now_us()
    facts = {"direction": "outbound", "reasons_json": "[]", "digest": "0" * 64, "state": "pending"}
    times = {"expires_at": now + 10**12, "created_at": now, "updated_at": now}

    def write(tx: Tx) -> None:
        inbox_id = sql(tx).value("SELECT id FROM inbox WHERE address = ?", address)
        sql(tx).insert("review", {**made, "inbox_id": inbox_id, **facts, **times})

    gateway.database(write)
    return made["id"]


def settle(gateway: GatewayProcess) -> Home:
    """Make the organization, its things and its keys."""
    organization, stranger = gateway.new_organization("Home"), gateway.new_organization("Stranger")
    home, call = Home(gateway, organization), organization.call
    pod = call("POST", "pods", json={"name": "shop"})["pod_id"]
    box = call("POST", "inboxes", json={"username": "own-" + uuid.uuid4().hex[:6], "pod_id": pod})
    names = [f"{word}{uuid.uuid4().hex[:6]}.example" for word in ("all", "pod")]
    call("POST", "domains", json={"domain": names[0]})
    call("POST", f"pods/{pod}/domains", json={"domain": names[1]})
    address = box["email"]
    alias = f"alias-{uuid.uuid4().hex[:6]}@{address.partition('@')[2]}"
    call("POST", "aliases", json={"address": alias, "inbox_ids": [address]})
    call("POST", "lists/receive/block", json={"entry": "bad@evil.example"})
    mail = new_mail(address, "to own")
    mail.add_attachment(b"a,b\n", maintype="text", subtype="csv", filename="a.csv")
    deliver(gateway.port("smtp"), mail, address)
    (got,) = until(lambda: call("GET", f"inboxes/{address}/messages")["messages"])
    shared = {
        "pod_id": pod,
        "inbox_id": address,
        "address_of": address,
        "home": address.partition("@")[2],
        "address": alias,
        "message_id": got["message_id"],
        "thread_id": got["thread_id"],
        "attachment_id": got["attachments"][0]["attachment_id"],
        "filename": "a.csv",
        "attempt_id": "1",
        "code": "BCDF-GHJK",
        "direction": "receive",
        "type": "block",
        "entry": "bad@evil.example",
        "organization_id": organization.id,
        "queue_id": "out_" + "0" * 26,
        "rule_id": "rule_x",
        "review_id": "rev_" + a_review(gateway, organization, address),
        "token": "none",
    }

    def place(under: str, domain: str, key: str | None = None) -> dict[str, str]:
        """Things that a key which reaches ``under`` may name."""
        owner = organization if key is None else Organization(organization.id, key, organization.base_url)
        draft = owner.call("POST", f"inboxes/{address}/drafts", json={"to": [address], "text": "t"})
        hook = owner.call("POST", f"{under}webhooks", json={"url": HOOK, "event_types": ["message.received"]})
        owner.call("PATCH", f"webhooks/{hook['webhook_id']}", json={"enabled": False})  # nobody listens there
        with httpx.Client(base_url=organization.base_url, headers=owner.headers, trust_env=False) as http:
            url = http.post(
                "/api/v1/webhooks",
                json={"url": HOOK, "events": ["message.bounced"], "name": uuid.uuid4().hex},
            )
        made = owner.call("POST", f"{under}api-keys", json={"name": "held"})
        polled = owner.call(
            "POST",
            f"{under}webhooks/polling",
            json={"client_id": uuid.uuid4().hex, "event_types": ["message.received"]},
        )
        return shared | {
            "domain_id": domain,
            "domain": domain,
            "draft_id": draft["draft_id"],
            "webhook_id": hook["webhook_id"],
            "polling_id": polled["webhook_id"],
            "mailboxkit_webhook_id": str(url.json()["data"]["id"]),
            "key_id": made["api_key_id"],
        }

    def key(name: str, kind: str, where: dict[str, str], path: str = "", **body: Any) -> Key:
        made = call("POST", f"{path}api-keys", json={"name": name, **body})
        granted = body.get("permissions")
        home.keys[name] = Key(
            name, made["api_key"], kind, where, None if granted is None else frozenset(granted)
        )
        return home.keys[name]

    account = place("", names[0])
    key("organization", "organization", account)
    key("pod", "pod", place(f"pods/{pod}/", names[1]), f"pods/{pod}/")
    key("inbox", "inbox", place(f"inboxes/{address}/", names[1]), f"inboxes/{address}/")
    for kind in ("pod", "inbox"):
        with httpx.Client(
            base_url=organization.base_url,
            headers={"Authorization": f"Bearer {home.keys[kind].secret}"},
            trust_env=False,
        ) as http:
            theirs = http.post("/api/v1/webhooks", json={"url": HOOK, "events": ["message.bounced"]})
        home.keys[kind].place["mailboxkit_webhook_id"] = str(theirs.json()["data"]["id"])
    key("narrowed", "organization", account, permissions={"none_of_ours": True})
    gone = key("revoked", "none", account)
    (held,) = [one for one in call("GET", "api-keys")["api_keys"] if one["name"] == "revoked"]
    call("DELETE", f"api-keys/{held['api_key_id']}")
    assert httpx.get(
        f"{organization.base_url}/api/v0/auth/me",
        headers={"Authorization": f"Bearer {gone.secret}"},
        trust_env=False,
    ).is_client_error
    home.keys["none"] = Key("none", "", "none", account)
    home.keys["foreign"] = Key("foreign", stranger.api_key, "foreign", account)
    with httpx.Client(base_url=organization.base_url, headers=organization.headers, trust_env=False) as http:
        test = http.post("/api/v1/api_keys", json={"name": "sandbox", "test": True}).json()["data"]["key"]
    sandbox = Organization(organization.id, test, organization.base_url)
    sent = sandbox.call("POST", f"inboxes/{address}/messages/send", json={"to": [address], "text": "t"})
    home.keys["test"] = Key("test", test, "organization", account, test=True)
    home.keys["test, its own"] = Key(
        "test, its own", test, "organization", place("", names[0], test) | sent, test=True
    )
    operator = json.loads((gateway.data / "operator.json").read_text())["api_key"]
    home.keys["operator"] = Key("operator", operator, "foreign", account, operator=True)
    for one in PERMISSIONS:
        key(
            f"without {one}", "organization", account, permissions=dict.fromkeys({*PERMISSIONS} - {one}, True)
        )
    quiet(home)
    return home


def quiet(home: Home) -> dict[str, Any]:
    """Wait until nothing moves any more; answers the snapshot."""
    before = home.snapshot()
    end = time.monotonic() + 60
    while time.monotonic() < end:
        time.sleep(1)
        after = home.snapshot()
        if after == before:
            return after
        before = after
    raise AssertionError("the database does not come to rest")


def cells_of(access: Access, home: Home) -> Iterator[Key]:
    """The keys that a route is tried with: one of every kind, and for each of its permissions a key without it."""
    for name in KINDS:
        yield home.keys[name]
    for one in access.permissions:
        yield home.keys[f"without {one}"]


KINDS = (
    "none",
    "revoked",
    "foreign",
    "organization",
    "pod",
    "inbox",
    "narrowed",
    "test",
    "test, its own",
    "operator",
)
assert {"organization", "pod", "inbox"} == EVERY_KIND
