"""Settings of Postfix in front of Dovecot, and the rendering of its private configuration.

Postfix reads domains, recipients and sender bindings from the lookup database itself: no reload, and mail
keeps flowing while the gateway is down.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mailserver.base import MailServerError
from mailserver.dovecot import SUBMITTER
from mailserver.embedded.settings import Smarthost
from mailserver.postfix_dovecot.tables import TABLES
from mailserver.provisioning import DovecotSettings

USER = "postfix"


@dataclass(frozen=True, slots=True, kw_only=True)
class PostfixSettings(DovecotSettings):
    """Everything of :class:`mailserver.postfix_dovecot.PostfixServer`.

    With ``manage`` we start both daemons as children (root) and ports of 0 take any free one; without it they
    are run by others (systemd) with the configuration written to ``data_dir``, so every port, the doorbell's
    too, must be given. ``gateway_port`` is the gateway's own submission listener, on loopback only.
    """

    smtp_port: int = 0
    submission_port: int = 0
    gateway_port: int = 0
    smarthost: Smarthost | None = None
    message_size: int = 50 * 1024 * 1024
    submit_connections: int = 4


@dataclass(frozen=True, slots=True)
class PostfixPorts:
    smtp: int
    submission: int
    gateway: int


def postfix_binary(name: str = "postfix") -> str:
    """Path of a Postfix command. Raises MailServerError naming the packages when there is none."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if not found:
        raise MailServerError("postfix is not installed: apt install postfix postfix-sqlite")
    return found


def check_installation() -> None:
    postfix_binary()
    if os.geteuid() != 0:
        raise MailServerError("Postfix can only be started by root; use the embedded server otherwise")
    libraries = [Path("/usr/lib/postfix/postfix-sqlite.so"), Path("/usr/lib/postfix/sqlite.so")]
    if libraries[0].parent.is_dir() and not any(one.exists() for one in libraries):
        raise MailServerError("a Postfix package is missing: apt install postfix-sqlite")


def render(settings: PostfixSettings, directory: Path, lookup: Path, run: Path, ports: PostfixPorts) -> None:
    """Write the configuration into ``directory`` (owned by root, as Postfix demands). Blocks."""
    relay = settings.smarthost
    for value in (directory, run, lookup, settings.hostname, settings.bind, relay.host if relay else "x"):
        if re.search(r"[\x00-\x20$#,{}\"']", str(value)) or not str(value):
            raise MailServerError(f"unfit for a Postfix configuration: {str(value)!r}")
    for folder in (directory, directory / "spool", directory / "data"):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    postfix = pwd.getpwnam(USER).pw_uid
    os.chown(directory / "data", postfix, -1)
    # before postlogd runs, postsuper logs for itself and as this user: after a crash it has queue files to
    # complain of, and could it not, Postfix would refuse to start
    log = directory / "postfix.log"
    log.touch(mode=0o640)
    os.chown(log, postfix, -1)
    relay_auth = cert = ""
    next_hop = f"[{relay.host}]:{relay.port}" if relay else ""
    if relay and relay.user:
        relay_auth = (
            f"smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = texthash:{directory}/relay-login\n"
            "smtp_sasl_security_options = noanonymous"
        )
        _write(directory / "relay-login", f"{next_hop} {relay.user}:{relay.password}\n", 0o600)
    if relay and relay.tls == "implicit":
        relay_auth += "\nsmtp_tls_wrappermode = yes"
    if settings.tls_cert and settings.tls_key:
        cert = f"smtpd_tls_cert_file = {settings.tls_cert}\nsmtpd_tls_key_file = {settings.tls_key}"
    loopback = settings.bind.startswith("127.") or settings.bind == "::1"
    values = {
        "DIR": str(directory),
        "RUN": str(run),
        "LOG": f"{directory}/postfix.log",
        "HOSTNAME": settings.hostname,
        "INTERFACES": "loopback-only" if loopback else "all",
        "BIND": f"[{settings.bind}]" if ":" in settings.bind else settings.bind,
        "SMTP": str(ports.smtp),
        "SUBMISSION": str(ports.submission),
        "GATEWAY": str(ports.gateway),
        "SIZE": str(settings.message_size),
        "RELAY": next_hop,
        "RELAY_AUTH": relay_auth,
        "RELAY_TLS": _relay_tls(relay),
        "TLS": "may" if cert else "none",
        "TLS_ONLY": "no" if settings.insecure_dev or loopback else "yes",
        "CERT": cert,
    }
    _write(directory / "main.cf", _fill(_template("postfix-main.cf"), values), 0o644)
    _write(directory / "master.cf", _fill(_template("postfix-master.cf"), values), 0o644)
    _write(directory / "gateway-login", f"{SUBMITTER} OK\n", 0o644)
    for name, query in TABLES.items():
        _write(directory / name, f"dbpath = {lookup}\nquery = {_fill(query, values)}\n", 0o644)


def _relay_tls(relay: Smarthost | None) -> str:
    if relay is None:
        return "may"
    if relay.tls == "none":
        return "none"
    return "secure" if relay.verify else "encrypt"


def _template(name: str) -> str:
    return files("mailserver").joinpath("templates", name).read_text(encoding="utf-8")


def _fill(text: str, values: dict[str, str]) -> str:
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text)


def _write(path: Path, text: str, mode: int) -> None:
    # not written through a temporary name: Postfix compares times of main.cf only when told to
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
