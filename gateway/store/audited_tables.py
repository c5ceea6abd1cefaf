"""Which tables the audit log watches, and what it says of their rows.

``columns`` are shown as they were and are. ``veiled`` are secrets, or too large or too personal to be kept: it is said
that they changed, and nothing else. A column in neither is not watched. What is not in ``AUDITED`` is no management:
mail, labels, drafts, queues, counters. A new table of settings or rules belongs here
(``tests/audit/test_tables.py`` knows every table).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from gateway.records.ids import INBOX_ID, KEY_ID, ORGANIZATION_ID, POD_ID, POLICY_ID, REVIEW_ID, WEBHOOK_ID

_FLAGS = frozenset({"test", "operator", "enabled", "refused", "feedback_enabled", "subdomains_enabled"})
_TIMES = frozenset({"expires_at", "proven_at", "ended_at"})
_MAX_TEXT = 500
_MAX_JSON = 4000
_MAX_ITEMS = 100
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Audited:
    """A watched table. ``key``: the columns that tell its rows apart, the first one is the object's id; ``public``:
    how that is shown; ``name``: the column by which people know it; ``also``: what else is read. ``passing``: (column,
    value) of a step on the way to being made, which is not logged; ``creation``: whether a new row is logged."""

    table: str
    object_type: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    veiled: tuple[str, ...] = ()
    name: str | None = None
    public: Callable[[Any], str] = str
    also: tuple[str, ...] = ("organization_id",)
    passing: tuple[tuple[str, str], ...] = ()
    creation: bool = True

    @property
    def selected(self) -> str:
        """What of a row is read, for SELECT."""
        names = dict.fromkeys((*self.key, *self.also, *self.columns, *self.veiled))
        return ", ".join(f'"{name}"' for name in names)

    @property
    def watched(self) -> frozenset[str]:
        """The columns whose change matters."""
        return frozenset((*self.columns, *self.veiled))


def shown(row: Row, names: tuple[str, ...]) -> dict[str, Any]:
    """The columns ``names`` of a row as the log has them; what is empty is left out."""
    found = {}
    for name in names:
        value = _shown(name, row.get(name))
        if value not in (None, "", [], {}):
            found[name.removesuffix("_json")] = value
    return found


def _shown(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "url":
        return _host(str(value))
    if name.endswith("_json"):
        value = msgspec.json.decode(value)
        known = _PUBLIC.get(name.removesuffix("s_json"))
        if isinstance(value, list):
            some = value[:_MAX_ITEMS]
            return [known(one) for one in some] if known else [_cut(one) for one in some]
        return msgspec.json.encode(value).decode()[:_MAX_JSON]
    if name in _FLAGS:
        return bool(value)
    if name in _TIMES:
        return datetime.fromtimestamp(value / 1e6, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    public = _PUBLIC.get(name.removesuffix("_id")) if name.endswith("_id") else None
    return public(value) if public else _cut(value)


def _cut(value: Any) -> Any:
    return value[:_MAX_TEXT] if isinstance(value, str) else value


def _host(url: str) -> str:
    """The host alone: the rest of a URL may be a secret."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


_PUBLIC: dict[str, Callable[[Any], str]] = {
    "organization": ORGANIZATION_ID.public,
    "pod": POD_ID.public,
    "inbox": INBOX_ID.public,
    "inbox_id": INBOX_ID.public,
    "pod_id": POD_ID.public,
    "key": KEY_ID.public,
    "webhook": WEBHOOK_ID.public,
}

_ALL = (
    Audited(
        "organization",
        "organization",
        ("id",),
        ("name", "inbox_limit", "domain_limit"),
        ("owner_email",),
        "name",
        ORGANIZATION_ID.public,
        also=(),
    ),
    Audited("pod", "pod", ("id",), ("name", "client_id"), (), "name", POD_ID.public),
    Audited(
        "api_key",
        "api_key",
        ("id",),
        ("name", "prefix", "pod_id", "inbox_id", "permissions_json", "test", "operator", "expires_at"),
        ("hash",),
        "name",
        KEY_ID.public,
    ),
    Audited(
        "cli_login", "cli_login", ("id",), ("organization_id", "permissions_json", "test"), (), None, also=()
    ),
    Audited(
        "domain",
        "domain",
        ("name",),
        (
            "pod_id",
            "client_id",
            "status",
            "feedback_enabled",
            "subdomains_enabled",
            "dkim_selector",
            "proven_at",
            "mta_sts",
        ),
        ("dkim_private",),
        "name",
    ),
    Audited("dkim_key", "dkim_key", ("domain", "state"), ("selector", "state"), (), "domain", also=()),
    Audited(
        "inbox",
        "inbox",
        ("id",),
        ("address", "display_name", "pod_id", "client_id", "external_id", "status", "quota"),
        ("metadata_json",),
        "address",
        INBOX_ID.public,
        passing=(("status", "creating"),),
    ),
    Audited("alias", "alias", ("address",), ("refused",), (), "address"),
    Audited(
        "webhook",
        "webhook",
        ("id",),
        (
            "name",
            "url",
            "dialect",
            "pod_id",
            "inbox_id",
            "event_types_json",
            "inbox_ids_json",
            "pod_ids_json",
            "enabled",
            "test",
        ),
        ("headers_json", "secret"),
        "name",
        WEBHOOK_ID.public,
    ),
    Audited(
        "list_entry",
        "list_entry",
        ("id",),
        ("pod_id", "inbox_id", "direction", "list_type", "entry", "entry_type", "reason"),
        (),
        "entry",
    ),
    Audited(
        "policy",
        "policy",
        ("id",),
        ("version", "pod_id", "inbox_id", "rule_json"),
        (),
        None,
        POLICY_ID.public,
    ),
    Audited(
        "pause",
        "pause",
        ("id",),
        ("level", "subject", "reason", "paused_by", "ended_at", "ended_by"),
    ),
    Audited(
        "review",
        "review",
        ("id",),
        ("state", "decided_by"),
        ("digest",),
        None,
        REVIEW_ID.public,
        creation=False,
    ),
    Audited("suppression", "suppression", ("address", "organization_id"), ("type", "reason"), (), "address"),
)

AUDITED: Mapping[str, Audited] = {one.table: one for one in _ALL}
"""By table."""
