"""A certificate file judged as those judge it who are shown it: its chain, its name, and how long it is good for.

By a TLS handshake in memory, with the system's authorities: what OpenSSL says there, another server or a mail program
would say, too.
"""

from __future__ import annotations

import datetime as dt
import ssl
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from gateway.doctor.finding import Finding, fail, warn

FAIL_DAYS, WARN_DAYS = 7, 21
RENEW = (
    "renew it (certbot renew) and see that its deploy hook runs; systemctl list-timers shows when it is tried"
)


def judged(cert: Path, key: Path, name: str) -> Iterator[Finding]:
    """What is wrong with a certificate that is to be shown for ``name``, with its chain. Blocks. Raises OSError."""
    subject = str(cert)
    if wrong := _refusal(cert, key, name):
        fix = f"use a certificate for {name} with its whole chain (fullchain.pem), from an authority that is known"
        if "expired" in wrong:
            fix = RENEW
        elif "not yet valid" in wrong:
            fix = "see that the clock is right (the check named clock), or wait until it is valid"
        yield fail(subject, f"it is not believed for {name}: {wrong}", fix)
        return
    now = dt.datetime.now(dt.UTC)
    for one in x509.load_pem_x509_certificates(cert.read_bytes()):
        days = (one.not_valid_after_utc - now).total_seconds() / 86400
        who = one.subject.rfc4514_string() or name
        if days < 0:  # others may build their chain by this one
            text = f"a certificate in its chain expired on {one.not_valid_after_utc:%Y-%m-%d}: {who}"
            yield warn(subject, text, "leave it out, or take the chain that the authority gives now")
        elif days < WARN_DAYS:
            tell = fail if days < FAIL_DAYS else warn
            yield tell(subject, f"valid {days:.0f} days more: {who}", RENEW)


def _refusal(cert: Path, key: Path, name: str) -> str:
    """Why a client would not believe it; empty: it would."""
    shows = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    shows.load_cert_chain(cert, key)
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = shows.wrap_bio(to_server, to_client, server_side=True)
    client = ssl.create_default_context().wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(10):
        done = 0
        for end in (client, server):
            try:
                end.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
        if done == 2:
            return ""
    return "no handshake came to an end with it"
