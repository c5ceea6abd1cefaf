"""What to do about a record that is missing or wrong, in a sentence."""

from __future__ import annotations

from mailserver.dns.record import Record
from mailserver.dns.zone import rdata_of

_WRONG = {
    "mx": "another host has the best (lowest) preference, so mail goes there first: give ours the lowest",
    "spf": "the policy does not let this host send, lets everybody, or there are several: publish one, with what "
    "is needed added to your own terms",
    "helo_spf": "the policy does not let the host itself send: publish one",
    "dkim": "another key is there, so what is signed is not believed: replace it",
    "dkim_next": "another key is there: replace it",
    "dkim_retired": "another key is there, and mail signed with the old one may still be on its way: put it back",
    "dmarc": "there are several policies, or none of them has p=none, quarantine or reject: publish one",
    "mta_sts": "there are several, or the id is of an earlier policy (senders then keep that): publish one",
    "tls_rpt": "there are several, or no address for the reports: publish one",
    "web_name": "the name leads to another machine than {value}: make it an alias of that",
    "service": "it names another host or port: replace it",
    "address": "the name has other addresses; mail and clients go there: replace them, or correct mail.public_ipv4 "
    "and mail.public_ipv6",
    "ptr": "the address has another name, and many servers then refuse its mail: have it changed by whoever gave you "
    "the address (the panel of your provider)",
}


def fix_of(record: Record) -> str:
    """How to make the record valid; empty when it is."""
    if record.status == "VALID":
        return ""
    if not record.answered:
        return f"the name servers did not answer for {record.name}: try again, and check whether they work"
    wanted = f"{record.name} {record.type} {rdata_of(record)}"
    if record.status == "INVALID":
        return f"{_WRONG[record.purpose].format(value=record.value)}: {wanted}"
    if record.purpose == "ptr":
        return f"ask whoever gave you the address (the panel of your provider) for: {wanted}"
    return f"publish {wanted}"
