"""Which records a mail domain needs.

MX (RFC 5321 §5.1), SPF (RFC 7208), DKIM (RFC 6376 §3.6), DMARC (RFC 9989 §4.7): without them mail does not come or is
not believed. MTA-STS (RFC 8461 §3.1), TLS-RPT (RFC 8460 §3), SRV for mail clients (RFC 6186, RFC 8314 §5.1),
names that mail clients ask for their settings, and the addresses of the host itself: what makes it good.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from mailserver.dns.mta_sts import Policy
from mailserver.dns.record import Record


@dataclass(frozen=True, slots=True)
class Service:
    """A service that mail clients look for by SRV. ``port`` 0: not offered here (target ".", RFC 6186 §3.4)."""

    name: str  # such as _imaps
    port: int
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """What domains point at: the mail host, the host that serves HTTPS, public addresses, services for people."""

    mail_host: str
    web_host: str
    addresses: tuple[str, ...] = ()
    services: tuple[Service, ...] = ()


def records_for(domain: str, *, mail_host: str, dkim_selector: str, dkim_public_key: str) -> list[Record]:
    """What ``domain`` must publish so that ``mail_host`` receives its mail and may send it: MX, SPF, DKIM, DMARC.

    ``dkim_public_key``: base64, the ``p=`` of the record.
    """
    return [
        Record("MX", domain, mail_host, 10, purpose="mx"),
        Record("TXT", domain, f"v=spf1 mx a:{mail_host} ~all", purpose="spf"),
        dkim_record(domain, dkim_selector, f"v=DKIM1; k=rsa; p={dkim_public_key}"),
        Record(
            "TXT", f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:postmaster@{domain}", purpose="dmarc"
        ),
    ]


def dkim_record(domain: str, selector: str, value: str) -> Record:
    """The record of a signing key."""
    return Record("TXT", f"{selector}._domainkey.{domain}", value, purpose="dkim")


def further_records(domain: str, site: Site, policy: Policy) -> list[Record]:
    """What ``domain`` should publish beside :func:`records_for`; the host's own records too where it is below it."""
    found = [
        Record("TXT", f"_mta-sts.{domain}", f"v=STSv1; id={policy.id};", purpose="mta_sts"),
        Record(
            "TXT", f"_smtp._tls.{domain}", f"v=TLSRPTv1; rua=mailto:postmaster@{domain}", purpose="tls_rpt"
        ),
    ]
    found += [
        Record("CNAME", f"{label}.{domain}", site.web_host, purpose="web_name")
        for label in ("mta-sts", "autoconfig", "autodiscover")
        if f"{label}.{domain}" != site.web_host
    ]
    for one in site.services:
        value = f"{one.priority} 1 {one.port} {site.mail_host}" if one.port else "0 0 0 ."
        found.append(Record("SRV", f"{one.name}._tcp.{domain}", value, purpose="service"))
    found.append(Record("SRV", f"_autodiscover._tcp.{domain}", f"0 1 443 {site.web_host}", purpose="service"))
    if within(site.mail_host, domain):
        found += host_records(site, domain)
    return found


def host_records(site: Site, domain: str = "") -> list[Record]:
    """The mail host's own: A and AAAA, SPF of its name in EHLO (what bounces are checked by, RFC 7208 §2.3), PTR."""
    host = site.mail_host
    found = [
        Record("AAAA" if ":" in address else "A", host, address, purpose="address")
        for address in site.addresses
    ]
    if host != domain:  # else its SPF is the domain's
        found.append(Record("TXT", host, "v=spf1 a -all", purpose="helo_spf"))
    found += [
        Record("PTR", ipaddress.ip_address(address).reverse_pointer, host, purpose="ptr")
        for address in site.addresses
    ]
    return found


def within(name: str, domain: str) -> bool:
    """Whether ``name`` is ``domain`` or is below it."""
    return name == domain or name.endswith(f".{domain}")
