"""Mail of the gateway's simulator, which the gateway hands in itself: the domain, and what is noted of its senders.

``.invalid`` is the one reserved top-level domain that programs may treat in a way of their own (RFC 6761 §6.4); no name
server ever knows a name below it, so nothing can go astray. Nobody but the gateway hands in mail with such an envelope
sender where these results are added: its own way into the mailboxes, not the one from the world.
"""

from __future__ import annotations

SIMULATOR_DOMAIN = "simulator.invalid"
FORGER = "forged"
"""The name of the sender whose mail fails every check."""


def results(hostname: str, *, genuine: bool) -> str:
    """The value of an Authentication-Results field (RFC 8601), as for mail from the world of a domain that signs its
    mail and wants all else refused. ``hostname``: of the server that says so."""
    if genuine:
        found = (
            f"spf=pass smtp.mailfrom={SIMULATOR_DOMAIN} policy.aligned=strict; "
            f"dkim=pass header.d={SIMULATOR_DOMAIN} header.s=simulator policy.aligned=strict; dmarc=pass"
        )
    else:
        found = f"spf=fail smtp.mailfrom={SIMULATOR_DOMAIN} policy.aligned=strict; dkim=none; dmarc=fail"
    policy = f"header.from={SIMULATOR_DOMAIN} policy.published=reject policy.domain={SIMULATOR_DOMAIN}"
    return f"{hostname}; {found} {policy}"


def results_field(hostname: str, mail_from: str) -> bytes:
    """The field with its CRLF, folded; empty where ``mail_from`` is no address of the simulator."""
    local, _, domain = mail_from.lower().rpartition("@")
    if domain != SIMULATOR_DOMAIN:
        return b""
    value = results(hostname, genuine=local.partition("+")[0] != FORGER)
    folded = value.replace("; ", ";\r\n\t")
    return f"Authentication-Results: {folded}\r\n".encode("ascii")
