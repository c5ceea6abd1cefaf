"""The certificate that Caddy holds for the mail server's name, copied to where the mail services read theirs.

Caddy gets and renews it for the API and notifies nobody. Its storage holds, for each authority that it uses,
``certificates/AUTHORITY/NAME/NAME.crt`` and ``.key``, and a lock in ``locks`` while it asks for one.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

from cryptography import x509

from gateway.setup import layout, tls
from gateway.setup.answers import BadAnswer
from gateway.setup.host import Hands

STORAGE = Path("/var/lib/caddy/.local/share/caddy")
"""As the distribution's unit has it."""

_STALE = 60.0
"""Seconds after which a lock is one that a killed Caddy left; a living one writes it anew all the time."""


def certificate(hostname: str, storage: Path = STORAGE) -> tls.Pair | None:
    """The one that is good for the longest time, with its key; None when there is none. Blocks."""
    found = sorted(_usable(hostname, storage), key=lambda one: one[0])
    return found[-1][1] if found else None


def _usable(hostname: str, storage: Path) -> Iterator[tuple[dt.datetime, tls.Pair]]:
    for chain in storage.glob(f"certificates/*/{hostname}/{hostname}.crt"):
        try:
            pair = tls.read_pair(chain, chain.with_suffix(".key"), hostname)
            held = x509.load_pem_x509_certificate(pair.chain.encode())
        except (BadAnswer, ValueError):  # it is being written, or has expired
            continue
        if tls.covers(tls.names_of(held), hostname):
            yield held.not_valid_after_utc, pair


def asking(hostname: str, storage: Path = STORAGE) -> bool:
    """Whether Caddy is asking for a certificate of this name now."""
    for lock in (storage / "locks").glob(f"*{hostname}.lock"):
        try:
            if time.time() - lock.stat().st_mtime < _STALE:
                return True
        except FileNotFoundError:
            continue
    return False


def copy(hands: Hands, hostname: str, storage: Path = STORAGE) -> bool:
    """Give Caddy's certificate to the mail services, if it is another than theirs: whether it was. Blocks.

    The key is written first: postern-tls.path watches the chain. Raises OSError, NoSuchOwner.
    """
    pair = certificate(hostname, storage)
    if pair is None or hands.read(layout.TLS_CHAIN) == pair.chain.encode():
        return False
    for path, text in ((layout.TLS_KEY, pair.key), (layout.TLS_CHAIN, pair.chain)):
        hands.write(path, text.encode(), 0o640, "root", layout.USER, secret=True)
    return True


def wait(hostname: str, seconds: float, storage: Path = STORAGE) -> None:
    """Return when Caddy is not asking for a certificate of this name, at the latest after ``seconds``."""
    end = time.monotonic() + seconds
    while asking(hostname, storage) and time.monotonic() < end:
        time.sleep(0.3)
