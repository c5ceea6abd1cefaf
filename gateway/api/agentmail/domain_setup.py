"""The DNS of a domain beyond AgentMail's API: all records, zone file, key rotation. The routes are Postern's own; the
``postern domain`` command uses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import iso_of
from gateway.core.access import ORGANIZATION_OR_POD, changes, operator_only, reads
from gateway.core.domains import check as domains_check
from gateway.core.domains import domains
from gateway.core.domains import keys as domains_keys
from gateway.core.domains import proof as domains_proof
from gateway.core.domains.records import REQUIRED, Keys, all_records, policy_of, whole_zone
from gateway.core.errors import Invalid
from gateway.records.domains import Domain
from gateway.settings import Settings
from mailserver.dns import Record
from mailserver.dns.advice import fix_of
from mailserver.dns.zone import rdata_of

table = Table("domains")


class SetupRecordView(msgspec.Struct):
    """A record the domain should have. ``data`` is the record data (RDATA) in master file format (RFC 1035);
    ``found`` what DNS has now; ``fix`` how to put it right, null when it is right."""

    purpose: str
    type: str
    name: str
    data: str
    required: Annotated[bool, msgspec.Meta(description="without it the domain is not VERIFIED")]
    status: Literal["VALID", "INVALID", "MISSING"]
    found: list[str]
    fix: str | None


class ObsoleteView(msgspec.Struct):
    """A record that may be removed from DNS."""

    type: str
    name: str


class SetupView(msgspec.Struct):
    """The set-up of a domain. ``proven``: since when mail for it is accepted here; ``next_selector``: of the key that
    signs once DNS has its record."""

    domain_id: str
    status: str
    proven: str | None
    mta_sts: str
    selector: str
    next_selector: str | None
    records: list[SetupRecordView]
    obsolete: list[ObsoleteView]


class SetupLink(msgspec.Struct):
    """Whether one click sets the records of a domain. If not, they are added by hand."""

    supported: bool = False
    provider_name: str | None = None
    url: str | None = None


class RotatedView(SetupView):
    """``rotated``: the new key signs; false: DNS does not have its record yet."""

    rotated: bool


class ZoneView(msgspec.Struct):
    """A zone file."""

    domain_id: str
    zone: str


class ZoneQuery(msgspec.Struct):
    ns: Annotated[
        str, msgspec.Meta(description="name servers, with commas: answer a whole zone with SOA and NS")
    ] = ""


class Rotate(msgspec.Struct):
    """How to change the DKIM key."""

    force: Annotated[bool, msgspec.Meta(description="sign with the new key before DNS has its record")] = (
        False
    )


class SetPolicy(msgspec.Struct):
    """The MTA-STS policy to publish."""

    mode: Literal["testing", "enforce", "none"]


@table.get("/domains/{domain_id}/setup", access=reads("domain_read", kinds=ORGANIZATION_OR_POD))
async def get_domain_setup(call: Call[NoBody, NoQuery]) -> SetupView:
    """Get every record a domain should have, with its last known status."""
    domain = await domains.get(call.core, call.scope, call.ids["domain_id"])
    domain, keys, site = await domains_check.facts(call.core, domain.name)
    return setup_view(call.core.settings, domain, all_records(call.core.settings, domain, keys, site), keys)


@table.post("/domains/{domain_id}/setup/check", access=changes("domain_update", kinds=ORGANIZATION_OR_POD))
async def check_domain_setup(call: Call[NoBody, NoQuery]) -> SetupView:
    """Ask DNS about every record now."""
    domain, found, keys = await domains_check.examine_own(call.core, call.scope, call.ids["domain_id"])
    return setup_view(call.core.settings, domain, found, keys)


@table.get("/domains/{domain_id}/setup-link", access=reads("domain_read", kinds=ORGANIZATION_OR_POD))
async def get_setup_link(call: Call[NoBody, NoQuery]) -> SetupLink:
    """Get a link that sets the records at the DNS provider (Domain Connect).

    No provider holds a template of this server, so there is none: add the records of `GET /domains/{domain_id}`.
    """
    await domains.get(call.core, call.scope, call.ids["domain_id"])
    return SetupLink()


@table.get("/domains/{domain_id}/setup/zone", access=reads("domain_read", kinds=ORGANIZATION_OR_POD))
async def get_domain_setup_zone(call: Call[NoBody, ZoneQuery]) -> ZoneView:
    """Get every record in master file format (RFC 1035): to include into a zone, or a whole one."""
    names = [one.strip() for one in call.query.ns.split(",") if one.strip()]
    for one in names:
        if not domains.is_domain(one):
            raise Invalid(
                f"{one!r} is not a host name", field="ns", fix="write ns1.example.net,ns2.example.net"
            )
    domain = await domains.get(call.core, call.scope, call.ids["domain_id"])
    domain, keys, site = await domains_check.facts(call.core, domain.name)
    records = all_records(call.core.settings, domain, keys, site)
    return ZoneView(domain.name, whole_zone(call.core.settings, domain, records, names))


@table.post("/domains/{domain_id}/rotate", access=changes("domain_update", kinds=ORGANIZATION_OR_POD))
async def rotate_domain_key(call: Call[Rotate, NoQuery]) -> RotatedView:
    """Make a new DKIM key, or start to sign with the one made before once DNS has its record. Safe to repeat."""
    made = await domains_keys.rotate(call.core, call.scope, call.ids["domain_id"], force=call.body.force)
    domain, keys, site = await domains_check.facts(call.core, made.domain.name)
    shown = setup_view(call.core.settings, domain, all_records(call.core.settings, domain, keys, site), keys)
    return RotatedView(**{name: getattr(shown, name) for name in shown.__struct_fields__}, rotated=made.done)


@table.post("/domains/{domain_id}/mta-sts", access=changes("domain_update", kinds=ORGANIZATION_OR_POD))
async def set_domain_policy(call: Call[SetPolicy, NoQuery]) -> SetupView:
    """Set the MTA-STS policy (RFC 8461) of a domain; its TXT record then needs another id."""
    domain = await domains.set_mta_sts(call.core, call.scope, call.ids["domain_id"], call.body.mode)
    domain, keys, site = await domains_check.facts(call.core, domain.name)
    return setup_view(call.core.settings, domain, all_records(call.core.settings, domain, keys, site), keys)


@table.post(
    "/domains/{domain_id}/trust", access=operator_only("run `postern domain trust` on the gateway's machine")
)
async def trust_domain(call: Call[NoBody, NoQuery]) -> SetupView:
    """Accept mail for a domain though DNS does not show that it belongs to this server."""
    domain = await domains_proof.trust(call.core, call.ids["domain_id"])
    domain, keys, site = await domains_check.facts(call.core, domain.name)
    return setup_view(call.core.settings, domain, all_records(call.core.settings, domain, keys, site), keys)


def setup_view(settings: Settings, domain: Domain, records: Sequence[Record], keys: Keys) -> SetupView:
    return SetupView(
        domain_id=domain.name,
        status=domain.status,
        proven=iso_of(domain.proven_at) if domain.proven_at is not None else None,
        mta_sts=policy_of(settings, domain).mode,
        selector=domain.dkim_selector,
        next_selector=keys.coming.name.partition("._domainkey.")[0] if keys.coming else None,
        records=[
            SetupRecordView(
                purpose=one.purpose,
                type=one.type,
                name=one.name,
                data=rdata_of(one),
                required=one.purpose in REQUIRED,
                status=one.status,
                found=list(one.found),
                fix=fix_of(one) or None,
            )
            for one in records
        ],
        obsolete=[ObsoleteView(one.type, one.name) for one in keys.outlived],
    )
