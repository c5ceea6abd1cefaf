"""The DNS records of a domain: the four that the dialects show, and all that it should have."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from gateway.published_ports import outside_port
from gateway.records.domains import DkimKey, Domain
from gateway.records.ids import now_us
from gateway.settings import Settings
from gateway.store.dkim_keys import next_key, retired_keys
from gateway.store.transaction import Tx
from mailserver.dns import Record, Service, Site, further_records, records_for
from mailserver.dns.addresses import public_addresses
from mailserver.dns.mta_sts import Policy
from mailserver.dns.needed import dkim_record
from mailserver.dns.record import Purpose
from mailserver.dns.zone import zone_of

DAY_US = 86_400_000_000
REQUIRED = ("mx", "spf", "dkim", "dmarc")
"""Purposes of the records without which a domain is not VERIFIED."""


def hostname_of(settings: Settings) -> str:
    """The name of the mail host, as MX and SPF give it."""
    return settings.mail.hostname or f"mail.{settings.mail.domain}"


def web_host_of(settings: Settings) -> str:
    """The name that serves HTTPS: that of ``http.public_url`` where it is a public one, else the mail host."""
    host = (urlsplit(settings.http.public_url).hostname or "").rstrip(".")
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host if "." in host else hostname_of(settings)
    return hostname_of(settings)


def services_of(settings: Settings) -> tuple[Service, ...]:
    """What mail clients may look for. TLS from the start goes first (RFC 8314 §3), and POP is not offered."""
    mail = settings.mail
    secure = bool(mail.tls_cert)
    return (
        Service("_imaps", outside_port(mail, mail.imaps_port) if secure else 0),
        Service("_imap", outside_port(mail, mail.imap_port), priority=10),
        Service("_submissions", outside_port(mail, mail.submissions_port) if secure else 0),
        Service("_submission", outside_port(mail, mail.submission_port), priority=10),
        Service("_pop3s", 0),
        Service("_pop3", 0),
    )


def site_of(settings: Settings) -> Site:
    """This machine as DNS should know it. Looks at the machine's addresses: call it in a thread."""
    found = public_addresses(settings.mail.public_ipv4, settings.mail.public_ipv6)
    return Site(hostname_of(settings), web_host_of(settings), found, services_of(settings))


def policy_of(settings: Settings, domain: Domain) -> Policy:
    """The MTA-STS policy of a domain."""
    return Policy(domain.mta_sts, hostname_of(settings))


def records_of(settings: Settings, domain: Domain) -> list[Record]:
    """The records of a domain (MX, SPF, DKIM, DMARC) with their last known statuses."""
    wanted = records_for(
        domain.name,
        mail_host=hostname_of(settings),
        dkim_selector=domain.dkim_selector,
        dkim_public_key=domain.dkim_public.rpartition("p=")[2],
    )
    return _with_statuses(domain, wanted)


def named_records(settings: Settings, domain: Domain) -> dict[str, Record]:
    """The same by what they are for: ``mx``, ``spf``, ``dkim``, ``dmarc``."""
    return {str(one.purpose): one for one in records_of(settings, domain)}


def zone_file(settings: Settings, domain: Domain) -> str:
    """The same in master file format (RFC 1035 §5)."""
    return zone_of(domain.name, records_of(settings, domain))


@dataclass(frozen=True, slots=True)
class Keys:
    """The signing keys beside the active one, as records: ``coming`` is to be published before it signs, ``kept``
    has to stay for mail on its way, ``outlived`` may be taken out of DNS."""

    coming: Record | None
    kept: tuple[Record, ...]
    outlived: tuple[Record, ...]


def keys_of(tx: Tx, settings: Settings, name: str) -> Keys:
    """The keys of a domain as they are now."""
    coming = next_key(tx, name)
    oldest = now_us() - int(settings.dns.dkim_overlap_days * DAY_US)
    retired = [(key.since < oldest, _key_record(key, "dkim_retired")) for key in retired_keys(tx, name)]
    return Keys(
        _key_record(coming, "dkim_next") if coming is not None else None,
        tuple(one for over, one in retired if not over),
        tuple(one for over, one in retired if over),
    )


def _key_record(key: DkimKey, purpose: Purpose) -> Record:
    return replace(dkim_record(key.domain, key.selector, key.public), purpose=purpose)


def all_records(settings: Settings, domain: Domain, keys: Keys, site: Site) -> list[Record]:
    """Every record that the domain should have, required ones first, with their last known statuses."""
    more = [*([keys.coming] if keys.coming else []), *keys.kept]
    more += further_records(domain.name, site, policy_of(settings, domain))
    return records_of(settings, domain) + _with_statuses(domain, more)


def whole_zone(
    settings: Settings, domain: Domain, records: Sequence[Record], name_servers: Sequence[str]
) -> str:
    """All records in master file format; a zone of its own when name servers are named."""
    serial = int(datetime.now(UTC).timestamp())
    return zone_of(domain.name, records, serial=serial, name_servers=name_servers)


def _with_statuses(domain: Domain, wanted: Sequence[Record]) -> list[Record]:
    known = domain.checked
    return [replace(one, status=known.get(one.key, "MISSING")) for one in wanted]
