"""Whose mail comes in and to whom mail may go, read and replaced whole: what OpenMail's plugins set up an inbox with.

The same lists as ``/sender-rules`` and AgentMail's ``/lists`` change one by one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from gateway.api.routing import Call, NoBody, Table
from gateway.core.access import ORGANIZATION_OR_POD, changes, reads
from gateway.core.errors import Invalid
from gateway.core.inboxes import correspondents
from gateway.core.inboxes.correspondents import Held, Policy, Wanted, Way
from gateway.records.ids import INBOX_ID, POD_ID
from gateway.records.lists import Action, Mode

table = Table("policy")

Doc = msgspec.Meta
_MODE = Doc(description="allowlist: only whom an allow rule names; none: everybody who is not blocked")
_RULES = Doc(description="who is allowed or blocked")


class PolicyQuery(msgspec.Struct, rename="camel"):
    inbox_id: Annotated[str | None, Doc(description="the rules of this inbox alone")] = None
    pod_id: Annotated[str | None, Doc(description="the rules of this pod; without both: the account's")] = (
        None
    )

    def check(self) -> None:
        """Raise Invalid when both are given."""
        if self.inbox_id is not None and self.pod_id is not None:
            raise Invalid("inboxId and podId are both given", field="podId", fix="give one of them")


class PolicyRule(msgspec.Struct):
    """A sender or recipient who is allowed or blocked."""

    type: Annotated[Action, Doc(description="allow or block")]
    value: Annotated[str, Doc(description="a@x.com, x.com (also @x.com), or *.x.com: it and all below it")]


class WayBody(msgspec.Struct):
    """One way that mail goes. With mode allowlist and no allow rule nobody comes through."""

    mode: Annotated[Mode, _MODE]
    rules: Annotated[list[PolicyRule], _RULES] = []


class PolicyBody(msgspec.Struct):
    """What is to hold; a way that is left out stays as it is."""

    inbound: Annotated[WayBody | None, Doc(description="whose mail comes in")] = None
    outbound: Annotated[WayBody | None, Doc(description="to whom mail may go")] = None


class PolicyRuleView(msgspec.Struct):
    """A rule that holds."""

    id: Annotated[str, Doc(description="id of the rule")]
    type: Annotated[str, Doc(description="allow or block")]
    value: Annotated[str, Doc(description="the address or domain")]


class WayView(msgspec.Struct):
    """What holds one way."""

    mode: Annotated[Mode, _MODE]
    rules: Annotated[list[PolicyRuleView], _RULES]


class PolicyView(msgspec.Struct, rename="camel"):
    """The own rules of an inbox or pod, or those of the account (both ids null)."""

    pod_id: str | None
    inbox_id: str | None
    inbound: Annotated[WayView, Doc(description="whose mail comes in")]
    outbound: Annotated[WayView, Doc(description="to whom mail may go")]


@table.get("/policy", access=reads("list_entry_read", kinds=ORGANIZATION_OR_POD))
async def get_policy(call: Call[NoBody, PolicyQuery]) -> PolicyView:
    """Get the allow and block rules of an inbox, a pod or the account."""
    query = call.query
    query.check()
    held = await correspondents.get(call.core, call.scope, pod=query.pod_id, inbox=query.inbox_id)
    return _view(held)


@table.put("/policy", access=changes("list_entry_create", "list_entry_delete", kinds=ORGANIZATION_OR_POD))
async def put_policy(call: Call[PolicyBody, PolicyQuery]) -> PolicyView:
    """Replace the allow and block rules of an inbox, a pod or the account.

    In mode allowlist only whom an allow rule names comes through; a block always wins. What is filtered vanishes: no
    message, no event, no bounce. Mail to somebody whom ``outbound`` does not let through is refused.
    """
    query, body = call.query, call.body
    query.check()
    given: Mapping[Way, WayBody | None] = {"inbound": body.inbound, "outbound": body.outbound}
    wanted = {
        way: Wanted(one.mode, [(rule.type, rule.value) for rule in one.rules])
        for way, one in given.items()
        if one is not None
    }
    if not wanted:
        raise Invalid("neither inbound nor outbound is given", field="inbound", fix="give inbound")
    held = await correspondents.put(call.core, call.scope, wanted, pod=query.pod_id, inbox=query.inbox_id)
    return _view(held)


def _view(policy: Policy) -> PolicyView:
    return PolicyView(
        pod_id=POD_ID.public(policy.owner.pod_id),
        inbox_id=INBOX_ID.public(policy.owner.inbox_id),
        inbound=_way_view(policy.ways["inbound"]),
        outbound=_way_view(policy.ways["outbound"]),
    )


def _way_view(held: Held) -> WayView:
    return WayView(
        mode=held.mode,
        rules=[PolicyRuleView(one.public_id, one.list_type, one.entry) for one in held.entries],
    )
