"""Policies: what may be sent, by rules of the organization, a pod or an inbox."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.api.agentmail.policy_view import PolicyVersionView, PolicyView, policy_view, version_view
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION_OR_POD, changes, reads
from gateway.core.policy import manage
from gateway.core.policy.check import Wanted
from gateway.core.policy.resolve import CAPS

table = Table("policies")

Doc = msgspec.Meta


class CapsBody(msgspec.Struct, forbid_unknown_fields=True):
    """How much each inbox may send. 0: no limit; left out or null: left to the wider policy."""

    per_minute: Annotated[int | None, Doc(description="messages within a minute")] = None
    per_hour: Annotated[int | None, Doc(description="messages within an hour")] = None
    per_day: Annotated[int | None, Doc(description="messages within 24 hours")] = None
    new_recipients_per_day: Annotated[
        int | None, Doc(description="recipients a day (UTC) who never wrote to the inbox")
    ] = None
    per_recipient_per_day: Annotated[
        int | None, Doc(description="messages to one recipient within 24 hours")
    ] = None
    per_thread_per_day: Annotated[int | None, Doc(description="messages in one thread within 24 hours")] = (
        None
    )
    ramp_days: Annotated[
        int | None, Doc(description="days in which per_day and new_recipients_per_day of a new inbox grow")
    ] = None


class SendingBody(msgspec.Struct, forbid_unknown_fields=True):
    """What is said about sending. A value that is left out, or null, is left to the wider policy."""

    mode: Annotated[
        str | None,
        Doc(description="free, monitored, approve_risky, approve_all, or receive_only: nothing goes out"),
    ] = None
    allow: Annotated[list[str] | None, Doc(description="recipients who make no message risky")] = None
    only: Annotated[
        list[str] | None,
        Doc(description="mail goes to these alone: a@x.com, x.com, *.x.com or *; an empty list is nobody"),
    ] = None
    block: Annotated[list[str] | None, Doc(description="no mail goes to these; a block always wins")] = None
    reviewers: Annotated[
        list[str] | None,
        Doc(description="addresses of people who get mail about held messages, and decide by its links"),
    ] = None
    risky: Annotated[
        list[str] | None,
        Doc(
            description="what makes a message risky: some of suspicious_thread, provenance, outside_thread, "
            "attachment_to_stranger, first_contact"
        ),
    ] = None
    caps_action: Annotated[
        str | None, Doc(description="beyond a cap: refuse, or hold where the mode holds messages")
    ] = None
    caps: Annotated[CapsBody | None, Doc(description="how much each inbox may send")] = None


class PolicyBody(msgspec.Struct, forbid_unknown_fields=True):
    """The whole rule of an organization, a pod or an inbox."""

    sending: Annotated[SendingBody | None, Doc(description="what is said about sending")] = None
    locked: Annotated[
        list[str],
        Doc(description="values that narrower policies may only make stricter, such as sending.mode"),
    ] = []
    version: Annotated[
        int | None, Doc(description="the version that this replaces, 0 for none; 409 when it is another one")
    ] = None


class RemoveQuery(msgspec.Struct):
    version: Annotated[
        int | None, Doc(description="the version that is meant; 409 when it is another one")
    ] = None


_POLICY = "/policy"
_VERSIONS = "/policy/versions"


def _also(path: str) -> list[str]:
    return [f"/pods/{{pod_id}}{path}", f"/inboxes/{{inbox_id}}{path}"]


def _which(call: Call[Any, Any]) -> dict[str, Any]:
    return {"pod": call.ids.get("pod_id"), "inbox": call.ids.get("inbox_id")}


@table.get(_POLICY, also=_also(_POLICY), access=reads("policy_read"))
async def get_policy(call: Call[NoBody, NoQuery]) -> PolicyView:
    """Get the policy of an inbox, a pod or the organization, and what holds for it.

    Without a pod or an inbox in the path it is that of what the key belongs to.
    """
    return await policy_view(call.core, await manage.get(call.core, call.scope, **_which(call)))


@table.put(_POLICY, also=_also(_POLICY), access=changes("policy_update", kinds=ORGANIZATION_OR_POD))
async def put_policy(call: Call[PolicyBody, NoQuery]) -> PolicyView:
    """Replace the policy of an inbox, a pod or the organization.

    The narrowest policy that says anything about a value decides; where a wider one has locked the value, a narrower
    one may only be stricter. Every change is kept as a version.
    """
    body, sending = call.body, call.body.sending or SendingBody()
    caps = sending.caps or CapsBody()
    wanted = Wanted(
        mode=sending.mode,
        allow=sending.allow,
        risky=sending.risky,
        caps_action=sending.caps_action,
        only=sending.only,
        block=sending.block,
        reviewers=sending.reviewers,
        caps={cap: getattr(caps, cap) for cap in CAPS},
        locked=body.locked,
    )
    held = await manage.put(call.core, call.scope, wanted, replaces=body.version, **_which(call))
    return await policy_view(call.core, held)


@table.delete(_POLICY, also=_also(_POLICY), access=changes("policy_update", kinds=ORGANIZATION_OR_POD))
async def delete_policy(call: Call[NoBody, RemoveQuery]) -> None:
    """Take the policy of an inbox, a pod or the organization away, so that only the wider ones hold."""
    await manage.remove(call.core, call.scope, replaces=call.query.version, **_which(call))


@table.get(
    _VERSIONS, rows=("versions", PolicyVersionView), also=_also(_VERSIONS), access=reads("policy_read")
)
async def list_versions(call: Call[NoBody, PageQuery]) -> dict[str, Any]:
    """List the versions of a policy, newest first: what was changed, when and with which key."""
    paging = read_paging(call.query, call.core.secret)
    found = await manage.versions(call.core, call.scope, paging.window, **_which(call))
    return answer(call, found, paging, "versions", version_view)
