"""TLS of the mail services: one profile for Postfix, Dovecot and the embedded listeners.

It is Mozilla's "intermediate" (TLS 1.2 and 1.3, forward secrecy, AEAD only), less the suites with finite-field
Diffie-Hellman, which need parameters of their own and which no mail client of this decade needs.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from mailserver.base import MailServerError

log = logging.getLogger(__name__)

CIPHERS = ":".join(
    f"ECDHE-{key}-{suite}"
    for suite in ("AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305")
    for key in ("ECDSA", "RSA")
)
"""OpenSSL's names of the TLS 1.2 suites; those of TLS 1.3 are all good."""


class Certificate:
    """A certificate on disk and the context that shows it; all methods block.

    Raises MailServerError naming the file that does not do.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self._files = (cert, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_ciphers(CIPHERS)
        self._loaded = self._stamp()
        load(self.context, cert, key)

    def refresh(self) -> bool:
        """Take a certificate that was renewed, if it is whole: True. Connections from now on show it."""
        stamp = self._stamp()
        if stamp == self._loaded:
            return False
        self._loaded = stamp
        try:
            load(
                ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), *self._files
            )  # half of a pair would break the context
            load(self.context, *self._files)
        except MailServerError as error:
            log.error("the new certificate is not used: %s", error)
            return False
        log.info("certificate %s taken anew", self._files[0])
        return True

    def _stamp(self) -> list[tuple[int, int] | None]:
        found: list[tuple[int, int] | None] = []
        for path in self._files:
            try:
                info = path.stat()
            except OSError:
                found.append(None)
            else:
                found.append((info.st_mtime_ns, info.st_ino))
        return found


def load(context: ssl.SSLContext, cert: Path, key: Path) -> None:
    """Put the certificate into ``context``; connections from now on show it. Blocks. Raises MailServerError."""
    for path, what in ((cert, "certificate"), (key, "private key")):
        try:
            path.read_bytes()
        except OSError as error:
            raise MailServerError(f"the TLS {what} {path} cannot be read: {error.strerror}") from error
    try:
        context.load_cert_chain(cert, key)
    except ssl.SSLError as error:
        raise MailServerError(
            f"{cert} and {key} are not a certificate in PEM form and the key that belongs to it: {error}"
        ) from error
