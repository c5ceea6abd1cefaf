"""Mail domains and their signing keys."""

from __future__ import annotations

from typing import ClassVar, Literal

import msgspec

from gateway.records.base import Record, Secret
from gateway.records.ids import OrganizationId, PodId

DomainStatus = Literal["NOT_STARTED", "PENDING", "INVALID", "FAILED", "VERIFYING", "VERIFIED"]
MtaStsMode = Literal["testing", "enforce", "none"]
RecordStatus = Literal["VALID", "INVALID", "MISSING"]
KeyState = Literal["next", "retired"]


class Domain(Record, frozen=True):
    """A mail domain with the key that signs its mail. ``organization_id`` None: the platform's own, usable by
    everyone."""

    table: ClassVar[str] = "domain"

    name: str  # A-labels, lower case
    number: int  # the id of the dialects that count
    organization_id: OrganizationId | None
    pod_id: PodId | None
    client_id: str | None
    status: DomainStatus
    feedback_enabled: bool
    subdomains_enabled: bool
    dkim_selector: str
    dkim_private: Secret
    dkim_public: str  # the DNS TXT value
    checked_json: str | None
    verified_at: int | None
    ready_at: int | None  # since when MX, SPF and DKIM are all there, DMARC or not
    proven_at: int | None  # since when mail for it is ours: see ``core.domains.proof``
    mta_sts: MtaStsMode
    checked_at: int | None
    changed_at: int | None  # when DNS last answered otherwise than before
    created_at: int
    updated_at: int

    @property
    def checked(self) -> dict[str, RecordStatus]:
        """The last known status of each DNS record, by its name and type."""
        if self.checked_json is None:
            return {}
        return msgspec.json.decode(self.checked_json, type=dict[str, RecordStatus])


class DkimKey(Record, frozen=True):
    """A key of a domain beside the one that signs (``store.dkim_keys``)."""

    table: ClassVar[str] = "dkim_key"

    id: int
    domain: str
    selector: str
    private: Secret  # empty once retired
    public: str  # the DNS TXT value
    state: KeyState
    since: int
