"""Policies: what an organization, a pod or an inbox says may be sent, each change of it a version of its own."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from gateway.records.base import Record
from gateway.records.ids import InboxId, KeyId, OrganizationId, PodId, PolicyId

Mode = Literal["free", "receive_only"]
"""What becomes of a message that is sent, the laxest first: it goes out; nothing goes out."""

Name = Literal["sending.mode", "sending.only", "sending.block"]
"""The values of a rule, as ``locked`` and the API name them."""

Level = Literal["organization", "pod", "inbox"]
"""Whose rule it is, the widest first."""


class SendingRule(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True, kw_only=True):
    """What is said about sending; None: nothing is said, and the wider rule holds.

    ``only`` and ``block`` are patterns of recipients (``core.policy.patterns``).
    """

    mode: Mode | None = None
    only: tuple[str, ...] | None = None
    block: tuple[str, ...] | None = None


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
