"""Policies as the API shows them: the own rule, and each value that holds with its origin."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.agentmail.views import inbox_name
from gateway.api.times import iso, iso_of
from gateway.core.context import Core
from gateway.core.policy.manage import Held
from gateway.core.policy.resolve import CAPS, Policy, Value
from gateway.records.ids import KEY_ID, ORGANIZATION_ID, POD_ID
from gateway.records.policies import PolicyVersion, Rule
from gateway.store.queries.policies import PolicyOwner

Doc = msgspec.Meta
_ORIGIN = Doc(description="whose policy says so: organization, pod, inbox, or default where none does")
_LOCKED = Doc(description="whose policy lets narrower ones be stricter only; null: it is not locked")


class SendingView(msgspec.Struct, omit_defaults=True):
    """What a policy says about sending; a value that it leaves to the wider policy is left out."""

    mode: str | None = None
    allow: Annotated[list[str] | None, Doc(description="recipients who make no message risky")] = None
    only: Annotated[list[str] | None, Doc(description="mail goes to these alone")] = None
    block: Annotated[list[str] | None, Doc(description="no mail goes to these")] = None
    reviewers: Annotated[list[str] | None, Doc(description="who gets mail about held messages")] = None
    risky: Annotated[list[str] | None, Doc(description="what makes a message risky")] = None
    caps_action: Annotated[str | None, Doc(description="beyond a cap: refuse or hold")] = None
    caps: Annotated[
        dict[str, int], Doc(description="how much each inbox may send, by name; 0: no limit")
    ] = {}


class RuleView(msgspec.Struct):
    """What one policy says by itself."""

    sending: Annotated[SendingView, Doc(description="what is said about sending")]
    locked: Annotated[list[str], Doc(description="values that narrower policies may only make stricter")]


class ModeView(msgspec.Struct):
    """The mode that holds."""

    value: Annotated[
        str,
        Doc(description="free, monitored, approve_risky, approve_all, or receive_only: nothing goes out"),
    ]
    origin: Annotated[str, _ORIGIN]
    locked_by: Annotated[str | None, _LOCKED]


class PatternsView(msgspec.Struct):
    """The patterns of recipients that hold."""

    value: Annotated[
        list[str], Doc(description="addresses, domains, *.domain (it and all below), * (everybody)")
    ]
    origin: Annotated[str, _ORIGIN]
    locked_by: Annotated[str | None, _LOCKED]


class PeopleView(msgspec.Struct):
    """The people that hold."""

    value: Annotated[list[str], Doc(description="their addresses")]
    origin: Annotated[str, _ORIGIN]
    locked_by: Annotated[str | None, _LOCKED]


class RisksView(msgspec.Struct):
    """The reasons that count."""

    value: Annotated[
        list[str],
        Doc(
            description="suspicious_thread, provenance, outside_thread, attachment_to_stranger, first_contact"
        ),
    ]
    origin: Annotated[str, _ORIGIN]
    locked_by: Annotated[str | None, _LOCKED]


class ActionView(msgspec.Struct):
    """The action that holds."""

    value: Annotated[str, Doc(description="refuse, or hold where the mode holds messages")]
    origin: Annotated[str, _ORIGIN]
    locked_by: Annotated[str | None, _LOCKED]


class CapView(msgspec.Struct):
    """A cap that holds."""

    value: Annotated[int, Doc(description="0: no limit")]
    origin: Annotated[str, _ORIGIN]
    locked_by: Annotated[str | None, _LOCKED]


class EffectiveSendingView(msgspec.Struct):
    """What holds for sending."""

    mode: Annotated[ModeView, Doc(description="what becomes of a message that is sent")]
    allow: Annotated[PatternsView, Doc(description="recipients who make no message risky")]
    only: Annotated[PatternsView, Doc(description="mail goes to these alone")]
    block: Annotated[PatternsView, Doc(description="no mail goes to these")]
    reviewers: Annotated[PeopleView, Doc(description="who gets mail about held messages")]
    risky: Annotated[RisksView, Doc(description="what makes a message risky")]
    caps_action: Annotated[ActionView, Doc(description="what becomes of a message beyond a cap")]
    caps: Annotated[dict[str, CapView], Doc(description="how much each inbox may send, by name")]


class EffectiveView(msgspec.Struct):
    """What holds, by all policies over it."""

    sending: Annotated[EffectiveSendingView, Doc(description="what holds for sending")]


class PolicyView(msgspec.Struct):
    """The policy of an organization, a pod or an inbox."""

    scope_type: Annotated[str, Doc(description="organization, pod or inbox")]
    scope_id: Annotated[str, Doc(description="whose policy it is")]
    version: Annotated[int, Doc(description="of the own policy, from 1; 0: there never was one")]
    updated_at: Annotated[str | None, Doc(description="when it was changed last, ISO 8601 in UTC")]
    updated_by: Annotated[str | None, Doc(description="id of the key that changed it")]
    own: Annotated[RuleView | None, Doc(description="what it says by itself; null: it cannot be read")]
    effective: Annotated[
        EffectiveView | None,
        Doc(description="what holds; null: a policy cannot be read, and nothing is sent"),
    ]


class PolicyVersionView(msgspec.Struct):
    """A version of a policy."""

    version: Annotated[int, Doc(description="from 1")]
    created_at: str
    created_by: Annotated[str | None, Doc(description="id of the key that made the change")]
    rule: Annotated[RuleView | None, Doc(description="what it said; null: it cannot be read")]


async def policy_view(core: Core, held: Held) -> PolicyView:
    """A policy."""
    own = held.own
    kind, name = await _scope(core, held.owner)
    return PolicyView(
        scope_type=kind,
        scope_id=name,
        version=own.version if own else 0,
        updated_at=iso(own.created_at if own else None),
        updated_by=KEY_ID.public(own.key_id) if own else None,
        own=_rule_view(own.rule() if own else Rule()),
        effective=_effective_view(held.policy) if isinstance(held.policy, Policy) else None,
    )


def version_view(version: PolicyVersion) -> PolicyVersionView:
    """A version of a policy."""
    return PolicyVersionView(
        version=version.version,
        created_at=iso_of(version.created_at),
        created_by=KEY_ID.public(version.key_id),
        rule=_rule_view(version.rule()),
    )


async def _scope(core: Core, owner: PolicyOwner) -> tuple[str, str]:
    if owner.inbox_id is not None:
        addresses = await core.addresses.of(core.store, [owner.inbox_id])
        return "inbox", inbox_name(owner.inbox_id, addresses)
    if owner.pod_id is not None:
        return "pod", POD_ID.public(owner.pod_id)
    return "organization", ORGANIZATION_ID.public(owner.organization_id)


def _rule_view(rule: Rule | None) -> RuleView | None:
    if rule is None:
        return None
    said = rule.sending
    sending = SendingView(
        mode=said.mode,
        allow=None if said.allow is None else list(said.allow),
        only=None if said.only is None else list(said.only),
        block=None if said.block is None else list(said.block),
        reviewers=None if said.reviewers is None else list(said.reviewers),
        risky=None if said.risky is None else list(said.risky),
        caps_action=said.caps_action,
        caps={cap: value for cap in CAPS if (value := getattr(said.caps, cap)) is not None},
    )
    return RuleView(sending, list(rule.locked))


def _effective_view(policy: Policy) -> EffectiveView:
    mode, people, risky, action = policy.mode, policy.reviewers, policy.risky, policy.caps_action
    return EffectiveView(
        EffectiveSendingView(
            mode=ModeView(mode.value, mode.origin, mode.locked),
            allow=_patterns(policy.allow),
            only=_patterns(policy.only),
            block=_patterns(policy.block),
            reviewers=PeopleView(list(people.value), people.origin, people.locked),
            risky=RisksView(list(risky.value), risky.origin, risky.locked),
            caps_action=ActionView(action.value, action.origin, action.locked),
            caps={cap: CapView(held.value, held.origin, held.locked) for cap, held in policy.caps.items()},
        )
    )


def _patterns(held: Value[tuple[str, ...]]) -> PatternsView:
    return PatternsView(list(held.value), held.origin, held.locked)
