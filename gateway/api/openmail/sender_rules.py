"""Sender rules: whose mail comes through, for the account or one inbox (contract §11).

Upstream keeps these in its dashboard; the routes are ours. Filtered mail does not exist for ``/v1``: no
message, no event, no bounce.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.openmail.offset_paging import OffsetQuery, Page, page, window_of
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import iso_of
from gateway.core.access import ORGANIZATION, changes, reads
from gateway.core.inboxes import sender_rules
from gateway.records.ids import INBOX_ID, POD_ID, InboxId
from gateway.records.lists import Action, ListEntry, Mode

table = Table("sender rules")

Doc = msgspec.Meta
_INBOX = Doc(description="an inbox: only its own rules; without it the account's")


class NewRule(msgspec.Struct, rename="camel"):
    """A sender rule to make."""

    action: Action
    sender: Annotated[
        str,
        Doc(
            description="an address, a domain, or *.domain for it and all below it; compared with the From header"
        ),
    ]
    inbox_id: Annotated[str | None, _INBOX] = None
    reason: str | None = None


class RulesQuery(OffsetQuery, rename="camel"):
    inbox_id: Annotated[str | None, _INBOX] = None
    action: Action | None = None


class ModeQuery(msgspec.Struct, rename="camel"):
    inbox_id: Annotated[str | None, _INBOX] = None


class SetMode(msgspec.Struct, rename="camel"):
    """Whether an allow rule is needed."""

    mode: Mode
    inbox_id: Annotated[str | None, _INBOX] = None


class RuleView(msgspec.Struct, rename="camel"):
    """A sender rule. ``type`` is address or domain; ``podId`` and ``inboxId`` null: a rule of the account."""

    id: str
    action: str
    type: str
    sender: str
    pod_id: str | None
    inbox_id: str | None
    reason: str | None
    created_at: str


class ModeView(msgspec.Struct, rename="camel"):
    """none: everybody but the blocked; allowlist: only whom an allow rule names."""

    mode: Mode
    inbox_id: str | None


def rule_view(rule: ListEntry) -> RuleView:
    return RuleView(
        id=rule.public_id,
        action=rule.list_type,
        type="address" if rule.entry_type == "email" else "domain",
        sender=rule.entry,
        pod_id=POD_ID.public(rule.pod_id),
        inbox_id=INBOX_ID.public(rule.inbox_id),
        reason=rule.reason,
        created_at=iso_of(rule.created_at),
    )


def mode_view(mode: Mode, inbox_id: InboxId | None) -> ModeView:
    return ModeView(mode, INBOX_ID.public(inbox_id))


@table.get("/sender-rules", access=reads("list_entry_read", kinds=ORGANIZATION))
async def list_rules(call: Call[NoBody, RulesQuery]) -> Page[RuleView]:
    """List sender rules, newest first."""
    query = call.query
    found = await sender_rules.list_rules(
        call.core, call.scope, window_of(query), inbox=query.inbox_id, action=query.action
    )
    return page(found, rule_view)


@table.post("/sender-rules", status=201, access=changes("list_entry_create", kinds=ORGANIZATION))
async def create_rule(call: Call[NewRule, NoQuery]) -> RuleView:
    """Block or allow a sender. A block always wins; a rule there is already is answered with 200."""
    body = call.body
    rule, new = await sender_rules.add(
        call.core, call.scope, body.action, body.sender, inbox=body.inbox_id, reason=body.reason
    )
    if not new:
        call.status = 200
    return rule_view(rule)


@table.delete("/sender-rules/{rule_id}", access=changes("list_entry_delete", kinds=ORGANIZATION))
async def delete_rule(call: Call[NoBody, NoQuery]) -> None:
    """Take a sender rule away. Mail it filtered stays filtered."""
    await sender_rules.delete(call.core, call.scope, call.ids["rule_id"])


@table.get("/sender-rules/mode", access=reads("list_entry_read", kinds=ORGANIZATION))
async def get_mode(call: Call[NoBody, ModeQuery]) -> ModeView:
    """Whether an allow rule is needed to come through."""
    return mode_view(*await sender_rules.get_mode(call.core, call.scope, inbox=call.query.inbox_id))


@table.put("/sender-rules/mode", access=changes("list_entry_create", kinds=ORGANIZATION))
async def set_mode(call: Call[SetMode, NoQuery]) -> ModeView:
    """Switch the allow list on (allowlist) or off (none)."""
    body = call.body
    return mode_view(*await sender_rules.set_mode(call.core, call.scope, body.mode, inbox=body.inbox_id))
