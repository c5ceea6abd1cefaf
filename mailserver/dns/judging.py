"""Whether what is in DNS does what a record is needed for. Another text may do: SPF that names our host by
another way, any DMARC policy, any host that leads to our addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence

import dns.rdata
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from mailserver.dns.record import Record, RecordStatus


def status_of(record: Record, found: Sequence[dns.rdata.Rdata]) -> RecordStatus:
    """Judge the records of the type and name; for those that are judged by what is there (not ``web_name``)."""
    if record.type == "MX":
        return _mx_status(found, record.value)
    if record.type == "TXT":
        return _text_status(record, texts_of(found))
    held = {text_of(one) for one in found}
    if record.type == "SRV":
        # priority and weight are the owner's to choose
        held = {one.split(" ", 2)[2] for one in held}
        return _among(record.value.lower().split(" ", 2)[2], held)
    return _among(record.value.lower(), held)


def texts_of(found: Sequence[dns.rdata.Rdata]) -> list[str]:
    """TXT records, their strings joined (RFC 7208 §3.3)."""
    return [b"".join(one.strings).decode("ascii", "replace").strip() for one in found if isinstance(one, TXT)]


def text_of(one: dns.rdata.Rdata) -> str:
    """A record as :class:`Record` writes values, in lower case."""
    text = one.to_text().lower()
    return text if text.endswith(" .") else text.removesuffix(".")


def _among(wanted: str, held: set[str]) -> RecordStatus:
    if not held:
        return "MISSING"
    return "VALID" if wanted in held else "INVALID"


def _text_status(record: Record, lines: Sequence[str]) -> RecordStatus:
    match record.purpose:
        case "spf" | "helo_spf":
            return _spf_status(lines, record)
        case "dmarc":
            return _dmarc_status(lines)
        case "mta_sts":
            return _mta_sts_status(lines, record)
        case "tls_rpt":
            return _tls_rpt_status(lines)
        case _:
            return _dkim_status(lines, record.value)


def _mx_status(found: Sequence[dns.rdata.Rdata], wanted: str) -> RecordStatus:
    """Ours must be the best one, or mail goes elsewhere first."""
    records = [one for one in found if isinstance(one, MX)]
    if not records:
        return "MISSING"
    best = min(one.preference for one in records)
    hosts = {one.exchange.to_text(omit_final_dot=True).lower() for one in records if one.preference == best}
    return "VALID" if wanted.lower().rstrip(".") in hosts else "INVALID"


def _policies(lines: Sequence[str], tag: str) -> list[str]:
    return [line for line in lines if re.match(rf"{tag}(?:[\s;]|$)", line, re.IGNORECASE)]


def _spf_status(lines: Sequence[str], record: Record) -> RecordStatus:
    policies = _policies(lines, "v=spf1")
    if not policies:
        return "MISSING"
    if len(policies) > 1:
        return "INVALID"  # RFC 7208 §4.5: several are a permanent error
    terms = [term.lower() for term in policies[0].split()[1:]]
    if {"all", "+all"} & set(terms):
        return "INVALID"  # lets anyone send
    ours = {term.lower() for term in record.value.split()[1:]} - {"~all", "-all"}
    named = {term.removeprefix("+") for term in terms}
    return "VALID" if named & (ours | {f"mx:{record.name}", f"a:{record.name}"}) else "INVALID"


def _dkim_status(lines: Sequence[str], wanted: str) -> RecordStatus:
    keys = [tags for line in lines if "p" in (tags := _tags(line))]
    if not keys:
        return "MISSING"
    mine = _tags(wanted)
    for tags in keys:
        if tags["p"] and tags["p"] == mine["p"] and tags.get("k", "rsa").lower() == mine.get("k", "rsa"):
            return "VALID"
    return "INVALID"


def _dmarc_status(lines: Sequence[str]) -> RecordStatus:
    policies = _policies(lines, "v=DMARC1")
    if not policies:
        return "MISSING"
    if len(policies) > 1:
        return "INVALID"  # RFC 9989 §4.10: several are none
    known = ("none", "quarantine", "reject")
    return "VALID" if _tags(policies[0]).get("p", "").lower() in known else "INVALID"


def _mta_sts_status(lines: Sequence[str], record: Record) -> RecordStatus:
    """RFC 8461 §3.1: several are none; another id shows senders that the policy they keep is still the one."""
    policies = _policies(lines, "v=STSv1")
    if not policies:
        return "MISSING"
    same = len(policies) == 1 and _tags(policies[0]).get("id") == _tags(record.value)["id"]
    return "VALID" if same else "INVALID"


def _tls_rpt_status(lines: Sequence[str]) -> RecordStatus:
    """RFC 8460 §3: several are none; the reports may go to anybody."""
    policies = _policies(lines, "v=TLSRPTv1")
    if not policies:
        return "MISSING"
    goes_to = _tags(policies[0]).get("rua", "").lower()
    return "VALID" if len(policies) == 1 and goes_to.startswith(("mailto:", "https:")) else "INVALID"


def _tags(text: str) -> dict[str, str]:
    """A tag-list (RFC 6376 §3.2); white space inside values goes."""
    pairs = (part.partition("=") for part in text.split(";") if "=" in part)
    return {name.strip().lower(): re.sub(r"\s+", "", value) for name, _, value in pairs}
