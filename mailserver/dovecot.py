"""Rendering the one Dovecot configuration that both mail servers use.

What lives where, below ``data``: ``dovecot/`` the rendered configuration and logs, ``mail/`` one home for each
mailbox (fsynced by Dovecot before its LMTP 250), ``lookup/`` the rows of :mod:`mailserver.directory`. Sockets
and the pid file are in ``run``, whose path must be short (108 bytes for a unix socket, unix(7)).
"""

from __future__ import annotations

import grp
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mailserver import lookup_dovecot, tls
from mailserver.base import MailServerError
from mailserver.lookup import Lookup
from mailserver.machine import has_ipv6
from mailserver.rendering import Rendered
from mailserver.rendering import template as fill_template

MailboxFormat = Literal["sdbox", "maildir"]
MASTER = "postern"
SUBMITTER = "postern-submit"

_PUSH_PLUGINS = ("notify", "push_notification", "mail_lua", "push_notification_lua")
_FORBIDDEN = re.compile(r"[\x00-\x20\"'#{}\\]")


def lookup_path(data: Path) -> Path:
    """Where :class:`mailserver.directory.Directory` keeps its rows: in a directory of its own, since its readers
    (group postfix) may enter that and nothing else."""
    return data / "lookup" / "lookup.db"


@dataclass(frozen=True, slots=True)
class DovecotConfig:
    """What the template is filled with. Paths are absolute and free of blanks and quotes."""

    data: Path
    run: Path
    hostname: str
    user: str
    group: str
    imap_port: int
    lookup: Lookup
    bind: str = "127.0.0.1"
    imaps_port: int = 0
    sieve_port: int = 0
    mailbox_format: MailboxFormat = "sdbox"
    quota: int = 0
    postfix: Path | None = None  # the configuration of the Postfix that sends what filters send
    push_url: str | None = None
    socket_group: str | None = None  # who besides us may speak to the LMTP and SASL sockets
    sasl: bool = False
    plain_auth: bool = False  # passwords without TLS from beyond loopback
    tls_cert: Path | None = None
    tls_key: Path | None = None
    syslog: bool = False
    master_secret: str = field(default="", repr=False)
    submit_secret: str = field(default="", repr=False)  # Postfix only: the gateway's own SASL login

    @property
    def etc(self) -> Path:
        return self.data / "dovecot"

    @property
    def mail(self) -> Path:
        return self.data / "mail"

    @property
    def file(self) -> Path:
        return self.etc / "dovecot.conf"

    @property
    def lmtp_socket(self) -> Path:
        return self.run / "lmtp"

    @property
    def sent_socket(self) -> Path:
        return self.run / "lmtp-sent"

    @property
    def sasl_socket(self) -> Path:
        return self.run / "sasl"


def dovecot_binary() -> str:
    """Path of the dovecot master. Raises MailServerError naming the packages when there is none."""
    found = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin")
    if not found:
        raise MailServerError(
            "dovecot is not installed: apt install dovecot-imapd dovecot-lmtpd dovecot-sqlite dovecot-sieve"
        )
    return found


def template_for(version: str) -> str:
    """Name of the template for the output of ``dovecot --version``; MailServerError if none fits."""
    match = re.match(r"(\d+)\.(\d+)", version)
    if match and match[1] == "2" and match[2] == "3":
        return "dovecot-2.3.conf"
    raise MailServerError(
        f"Dovecot {version.split()[0] if version.split() else '?'} is not supported: its configuration "
        "syntax differs; use 2.3 (Debian 12)"
    )


def check_installation(lookup_driver: str = "sqlite", *, sieve: bool = False) -> str:
    """The template's name, after checking version and plugins. Blocks (runs ``dovecot --version``)."""
    version = subprocess.run([dovecot_binary(), "--version"], capture_output=True, text=True, timeout=10)
    template = template_for(version.stdout.strip())
    modules = Path("/usr/lib/dovecot/modules")
    needed = {
        f"auth/libdriver_{lookup_driver}.so": f"dovecot-{lookup_driver}",
        "lib90_sieve_plugin.so": "dovecot-sieve",
        "lib22_push_notification_lua_plugin.so": "dovecot-core",
    }
    missing = [
        package for name, package in needed.items() if modules.is_dir() and not (modules / name).exists()
    ]
    if sieve and modules.is_dir() and not (modules / "settings/libmanagesieve_settings.so").exists():
        missing.append("dovecot-managesieved")
    if missing:
        raise MailServerError("a Dovecot package is missing: apt install " + " ".join(missing))
    return template


def rendered(config: DovecotConfig, template: str) -> list[Rendered]:
    """The files of the configuration. Raises MailServerError for values that no configuration can hold."""
    paths = (config.data, config.run, config.postfix, config.tls_cert, config.tls_key)
    for value in (config.hostname, config.bind, config.user, config.group, *filter(None, paths)):
        if not str(value) or _FORBIDDEN.search(str(value)):
            raise MailServerError(f"unfit for a Dovecot configuration: {str(value)!r}")
    if len(str(config.run)) > 80:
        raise MailServerError(f"path too long for unix sockets, set a shorter run directory: {config.run}")
    plugins = _PUSH_PLUGINS if config.push_url else ()
    push = f"  push_notification_driver = lua:file={config.etc}/push.lua" if config.push_url else ""
    mode = "0660" if config.socket_group else "0600"
    group = f"group = {config.socket_group}" if config.socket_group else ""
    sasl = f"  unix_listener sasl {{\n    mode = {mode}\n    {group}\n  }}" if config.sasl else ""
    submit = f"passdb {{\n  driver = passwd-file\n  args = {config.etc}/submit-users\n}}"
    values = {
        "SUBMIT": submit if config.submit_secret else "",
        "BIND": "*, ::" if config.bind == "*" and has_ipv6() else config.bind,
        "RUN": str(config.run),
        "STATE": str(config.etc / "state"),
        "LOG": "syslog" if config.syslog else str(config.etc / "dovecot.log"),
        "ETC": str(config.etc),
        "MAIL": str(config.mail),
        **lookup_dovecot.settings(config.lookup, str(config.mail)),
        "USER": config.user,
        "GROUP": config.group,
        "HOSTNAME": config.hostname,
        "SSL": _ssl(config),
        "PLAIN_AUTH": "no" if config.plain_auth else "yes",
        "FORMAT": config.mailbox_format,
        "IMAP": str(config.imap_port),
        "IMAPS": str(config.imaps_port),
        "PLUGINS": " ".join(plugins),
        "LMTP_PLUGINS": " ".join((*plugins, "quota", *(["sieve"] if config.sieve_port else []))),
        # commas: the executable's arguments are split at blanks
        "SENT_PLUGINS": ",".join((*plugins, "sieve")),
        "SOCKET_MODE": mode,
        "SOCKET_GROUP": group,
        "SASL": sasl,
        "PUSH": push,
        "EXTRA": "",
        "URL": config.push_url or "",
        "QUOTA": f"{config.quota}B",
        "SIEVE": str(config.sieve_port),
        "SIEVE_PROTOCOL": " sieve" if config.sieve_port else "",
        "SENDMAIL": _sendmail(config.postfix),
    }
    for part in ("service", "plugin"):
        text = fill_template(f"dovecot-sieve-{part}.conf", values) if config.sieve_port else ""
        values[f"SIEVE_{part.upper()}"] = text.rstrip()
    names = {"dovecot-sql.conf.ext": 0o600, "sent.sieve": 0o644, "push.lua": 0o600}
    found = [Rendered(config.file, fill_template(template, values))]
    found += [Rendered(config.etc / name, fill_template(name, values), mode) for name, mode in names.items()]
    if config.submit_secret:
        users = f"{SUBMITTER}:{{PLAIN}}{config.submit_secret}\n"
        found.append(Rendered(config.etc / "submit-users", users, 0o600))
    users = f"{MASTER}:{{PLAIN}}{config.master_secret}\n"
    return [*found, Rendered(config.etc / "master-users", users, 0o600)]


def _sendmail(postfix: Path | None) -> str:
    """How filters send mail (vacation, redirect): into the queue of our Postfix, with no rights but group postdrop's.

    Without new privileges postdrop(1) is not set-gid, and so believes whoever starts it which Postfix is meant.
    """
    return (
        f"  sendmail_path = /usr/bin/setpriv --no-new-privs /usr/bin/env MAIL_CONFIG={postfix} /usr/sbin/sendmail"
        if postfix
        else ""
    )


def _ssl(config: DovecotConfig) -> str:
    if not (config.tls_cert and config.tls_key):
        return "ssl = no"
    lines = [
        # the gateway, from the address it goes to, counts as secured; whoever else comes must use TLS before the login
        "ssl = yes" if config.plain_auth else "ssl = required",
        f"ssl_cert = <{config.tls_cert}",
        f"ssl_key = <{config.tls_key}",
        "ssl_min_protocol = TLSv1.2",
        f"ssl_cipher_list = {tls.CIPHERS}",
        "ssl_prefer_server_ciphers = no",
        "ssl_options = no_ticket",
    ]
    return "\n".join(lines)


def write(config: DovecotConfig, wanted: Iterable[Rendered]) -> None:
    """Make the directories, write the files, give them to Dovecot's user (when we are root). Blocks."""
    for folder in (config.etc, config.mail, config.run, config.etc / "state"):
        folder.mkdir(parents=True, exist_ok=True)
    for one in wanted:
        one.write()
    _compile_sieve(config)
    _give(config)


def _give(config: DovecotConfig) -> None:
    if os.geteuid() != 0:
        return
    uid, gid = pwd.getpwnam(config.user).pw_uid, grp.getgrnam(config.group).gr_gid
    for path in (config.etc, config.mail, config.run, *config.etc.iterdir()):
        os.chown(path, uid, gid, follow_symlinks=False)
    os.chmod(config.mail, 0o700)
    os.chmod(config.run, 0o755)  # noqa: S103 - the sockets in it have modes of their own


def _compile_sieve(config: DovecotConfig) -> None:
    """Compile the Sent script once, so that no delivery has to. Blocks. Needs the rendered files."""
    done = subprocess.run(
        ["sievec", "-c", str(config.file), str(config.etc / "sent.sieve")],
        capture_output=True,
        text=True,
        timeout=30,
    )
    if done.returncode != 0:
        raise MailServerError(f"sievec: {done.stderr.strip()[:500]}")
