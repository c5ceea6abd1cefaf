"""Policies: what an organization, a pod or an inbox says may be sent, each change of it a version of its own."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from gateway.records.base import Record
from gateway.records.ids import InboxId, KeyId, OrganizationId, PodId, PolicyId

Mode = Literal["free", "monitored", "approve_risky", "approve_all", "receive_only"]
"""What becomes of a message that is sent, the laxest first: it goes out; it goes out, and what is risky about it is
noted; it is held until a person approves it, where it is risky, or in any case; nothing goes out."""

Risk = Literal["suspicious_thread", "provenance", "outside_thread", "attachment_to_stranger", "first_contact"]
"""What makes a message risky, the most important first: see ``core.sending.risky``."""

CapsAction = Literal["hold", "refuse"]
"""What becomes of a message beyond a cap, the laxer first. Only a mode that holds messages holds it."""

Cap = Literal[
    "per_minute",
    "per_hour",
    "per_day",
    "new_recipients_per_day",
    "per_recipient_per_day",
    "per_thread_per_day",
    "ramp_days",
]
"""How much an inbox may send: the fields of :class:`Caps`."""

Name = Literal[
    "sending.mode",
    "sending.allow",
    "sending.only",
    "sending.block",
    "sending.reviewers",
    "sending.risky",
    "sending.caps_action",
    "sending.caps.per_minute",
    "sending.caps.per_hour",
    "sending.caps.per_day",
    "sending.caps.new_recipients_per_day",
    "sending.caps.per_recipient_per_day",
    "sending.caps.per_thread_per_day",
    "sending.caps.ramp_days",
]
"""The values of a rule, as ``locked`` and the API name them."""

Level = Literal["organization", "pod", "inbox"]
"""Whose rule it is, the widest first."""


class Caps(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """How much an inbox may send; None: nothing is said, 0: no limit.

    ``ramp_days``: for so many days a new inbox may send only a part of ``per_day`` and ``new_recipients_per_day``,
    which grows every day.
    """

    per_minute: int | None = None
    per_hour: int | None = None
    per_day: int | None = None
    new_recipients_per_day: int | None = None
    per_recipient_per_day: int | None = None
    per_thread_per_day: int | None = None
    ramp_days: int | None = None


NO_CAPS = Caps()


class SendingRule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What is said about sending; None: nothing is said, and the wider rule holds.

    ``allow``, ``only`` and ``block`` are patterns of recipients (``core.policy.patterns``); ``reviewers`` the addresses
    of people who get mail about held messages, and decide about them.
    """

    mode: Mode | None = None
    allow: tuple[str, ...] | None = None
    only: tuple[str, ...] | None = None
    block: tuple[str, ...] | None = None
    reviewers: tuple[str, ...] | None = None
    risky: tuple[Risk, ...] | None = None
    caps_action: CapsAction | None = None
    caps: Caps = NO_CAPS


class Rule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What one organization, pod or inbox says. ``locked``: values that narrower rules may only make stricter."""

    sending: SendingRule = SendingRule()
    locked: tuple[Name, ...] = ()


class PolicyVersion(Record, frozen=True):
    """The rule of an organization, pod or inbox since ``created_at`` (µs), until its next version."""

    table: ClassVar[str] = "policy"

    id: PolicyId  # ULID
    organization_id: OrganizationId
    pod_id: PodId | None  # of a pod's rule
    inbox_id: InboxId | None  # of an inbox's rule
    subject: str  # ULID of the inbox, else the pod, else the organization
    version: int  # from 1
    rule_json: str  # a Rule; of another Postern it may say what this one does not know
    key_id: KeyId | None  # whose key changed it
    created_at: int

    @property
    def level(self) -> Level:
        """Whose rule it is."""
        return "inbox" if self.inbox_id else "pod" if self.pod_id else "organization"

    def rule(self) -> Rule | None:
        """What it says; None when it cannot be read."""
        try:
            return msgspec.json.decode(self.rule_json, type=Rule)
        except (msgspec.MsgspecError, UnicodeError):
            return None
