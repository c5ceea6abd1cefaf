"""Records in master file format (RFC 1035 §5), as name servers load it and providers import it."""

from __future__ import annotations

from collections.abc import Sequence

from mailserver.dns.needed import within
from mailserver.dns.record import Record

TTL = 3600
_NAMES = frozenset({"MX", "CNAME", "PTR"})


def line_of(record: Record) -> str:
    """One record; long texts in strings of 255 octets."""
    return f"{record.name}.\t{TTL}\tIN\t{record.type}\t{rdata_of(record)}"


def rdata_of(record: Record) -> str:
    """The data of a record: names end in a dot, texts are quoted."""
    if record.type == "TXT":
        value = record.value
        parts = [value[at : at + 255] for at in range(0, len(value), 255)]
        return " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)
    dot = "." if record.type in _NAMES or (record.type == "SRV" and not record.value.endswith(".")) else ""
    priority = f"{record.priority} " if record.priority is not None else ""
    return f"{priority}{record.value}{dot}"


def zone_of(
    domain: str, records: Sequence[Record], *, serial: int = 0, name_servers: Sequence[str] = ()
) -> str:
    """The records of ``domain``, to be put (or included) into its zone; a whole zone when name servers are named.

    What belongs elsewhere (PTR; a host of another domain) is in comments. ``serial``: of the SOA record.
    """
    inside = [one for one in records if within(one.name, domain)]
    lines = []
    if name_servers:
        lines.append(f"$ORIGIN {domain}.")
        lines.append(f"$TTL {TTL}")
        first = name_servers[0].rstrip(".")
        lines.append(f"{domain}. {TTL} IN SOA {first}. hostmaster.{domain}. {serial} 7200 1800 1209600 {TTL}")
        lines += [f"{domain}. {TTL} IN NS {one.rstrip('.')}." for one in name_servers]
    lines += [line_of(one) for one in inside]
    for one in records:
        if one.type == "PTR":
            lines.append(
                "; not in this zone: ask whoever gave you the address (the panel of your provider) for"
            )
            lines.append(f"; {line_of(one)}")
    return "\n".join(lines) + "\n"
