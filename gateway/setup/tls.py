"""Certificates: given files, checked before they are copied; certbot's command and hook; a self-signed one."""

from __future__ import annotations

import datetime as dt
import shlex
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import NameOID

from gateway.setup import layout
from gateway.setup.answers import Answers, BadAnswer, own_way

WEBROOT = "/var/www/html"
"""Where nginx serves certbot's proofs from, unless --certbot-webroot names another directory."""
_YEARS = 10
_RENEW = dt.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its chain, its key (PEM), and what is odd about them."""

    chain: str
    key: str
    notes: tuple[str, ...] = ()


def read_pair(cert: Path, key: Path, hostname: str) -> Pair:
    """Read and check what was given. Raises BadAnswer: no PEM, an encrypted or another key, expired."""
    chain_text, key_text = _text("--tls-cert", cert), _text("--tls-key", key)
    try:
        chain = x509.load_pem_x509_certificates(chain_text.encode())
    except ValueError as error:
        raise BadAnswer("--tls-cert", f"{cert} holds no PEM certificate: {error}") from error
    try:
        private = serialization.load_pem_private_key(key_text.encode(), None)
    except TypeError:
        raise BadAnswer("--tls-key", f"{key} is encrypted; services cannot ask for its password") from None
    except ValueError as error:
        raise BadAnswer("--tls-key", f"{key} holds no PEM private key: {error}") from error
    if _public(private.public_key()) != _public(chain[0].public_key()):
        raise BadAnswer(
            "--tls-key", f"{key} is not the key of the first certificate in {cert} (the server's comes first)"
        )
    if chain[0].not_valid_after_utc < dt.datetime.now(dt.UTC):
        raise BadAnswer("--tls-cert", f"{cert} expired on {chain[0].not_valid_after_utc:%Y-%m-%d}")
    notes = []
    if not covers(names_of(chain[0]), hostname):
        held = ", ".join(names_of(chain[0])) or "no host"
        notes.append(f"The certificate is for {held}, not for {hostname}: mail clients will refuse it.")
    if len(chain) == 1 and chain[0].issuer != chain[0].subject:
        notes.append(f"{cert} holds no intermediate certificate: give the file with the full chain.")
    return Pair(chain_text, key_text, tuple(notes))


def _text(flag: str, path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise BadAnswer(flag, f"cannot read {path}: {error}") from error


def _public(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def names_of(cert: x509.Certificate) -> tuple[str, ...]:
    """The host names a certificate is for (RFC 6125: those of subjectAltName)."""
    try:
        held = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(name.lower() for name in held.get_values_for_type(x509.DNSName))


def names_in(chain: bytes | None) -> tuple[str, ...]:
    """The host names of a PEM chain's first certificate; none when there is none."""
    try:
        return names_of(x509.load_pem_x509_certificate(chain)) if chain else ()
    except ValueError:
        return ()


def is_self_signed(chain: bytes) -> bool:
    """Whether a PEM chain begins with a certificate that signs itself."""
    try:
        held = x509.load_pem_x509_certificate(chain)
    except ValueError:
        return False
    return held.issuer == held.subject


def covers(names: tuple[str, ...], hostname: str) -> bool:
    """Whether one of ``names`` is the host's, a wildcard for its first label included."""
    return hostname in names or f"*.{hostname.partition('.')[2]}" in names


def fits(chain: bytes | None, key: bytes | None, names: tuple[str, ...]) -> bool:
    """Whether a self-signed certificate made earlier still does."""
    if chain is None or key is None:
        return False
    try:
        held = x509.load_pem_x509_certificate(chain)
        private = serialization.load_pem_private_key(key, None)
    except (ValueError, TypeError):
        return False
    young = held.not_valid_after_utc > dt.datetime.now(dt.UTC) + _RENEW
    return young and names_of(held) == names and _public(private.public_key()) == _public(held.public_key())


def self_signed(names: tuple[str, ...]) -> Pair:
    """A new key and a certificate for ``names``, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    now = dt.datetime.now(dt.UTC)
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=365 * _YEARS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(cert.public_bytes(serialization.Encoding.PEM).decode(), text.decode())


def certbot(answers: Answers) -> tuple[str, ...]:
    """The command that gets a certificate for the mail host, or keeps the one there is until it is due. The names
    are still to be added (``--domain NAME``)."""
    webroot = answers.certbot_webroot or (WEBROOT if answers.proxy == "nginx" else "")
    if own_way(answers) and not answers.certbot_webroot:
        way: tuple[str, ...] = ()
    else:
        way = ("--webroot", "--webroot-path", webroot) if webroot else ("--standalone",)
    return (
        *("certbot", "certonly", "--non-interactive", "--agree-tos", "--email", answers.certbot_email),
        *("--cert-name", answers.hostname, "--keep-until-expiring"),
        *way,
        *answers.certbot_arguments,
    )


def hook(lineage: Path) -> str:
    """What certbot runs after each renewal (it sets RENEWED_LINEAGE): copies certificate and key to the services."""
    return f"""\
#!/bin/sh
# Made by `postern setup`: gives a renewed certificate to Postern's mail services, who take it up by
# postern-tls.path. certbot runs it after every renewal, of other certificates too.
set -eu
lineage={shlex.quote(str(lineage))}
[ "${{RENEWED_LINEAGE:-}}" = "$lineage" ] || exit 0
umask 027
# the key first: the chain is what is watched
for name in privkey.pem fullchain.pem; do
    install -o root -g {layout.USER} -m 0640 "$lineage/$name" "{layout.TLS}/.$name.new"
    mv -f "{layout.TLS}/.$name.new" "{layout.TLS}/$name"
done
"""
