"""The rendered files of Dovecot's configuration, and what else it needs on disk."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from mailserver.base import MailServerError
from mailserver.dovecot.config import CONNECTIONS_PER_PERSON, MASTER, SUBMITTER, DovecotConfig
from mailserver.dovecot.dialect import Dialect, only_if
from mailserver.machine import gateway_host, has_ipv6
from mailserver.own_address import rendered_address
from mailserver.rendering import Rendered, template

# may hold the lookup database's password, and must not stay when another version of Dovecot is installed
_OF_ONE_VERSION = {
    "dovecot-sql.conf.ext",
    "dovecot-sql.conf",
    "pgpass",
    "dovecot-keys.conf.ext",
    "dovecot-keys.conf",
}
_FORBIDDEN = re.compile(r"[\x00-\x20\"'#{}\\]")


# Dovecot's own delay by address would come on top, and is a whole /48's for IPv6
_NO_PENALTY = "  unix_listener anvil-auth-penalty {\n    mode = 0\n  }"


def rendered(config: DovecotConfig, dialect: Dialect) -> list[Rendered]:
    """The files of the configuration for one version. Raises MailServerError for values that none can hold."""
    _check(config)
    values = {**_values(config), **dialect.values(config)}
    values["SIEVE_SERVICE"] = only_if(config.has_filters, _part("dovecot-sieve-service.conf", values))
    values["PLUGINS"] = _part("dovecot-plugins.conf", values)
    if config.has_filters:
        values["PLUGINS"] += "\n" + _part("dovecot-plugins-sieve.conf", values)
    values["SETTINGS"] = _part("dovecot-settings.conf", values)
    values["SERVICES"] = _part("dovecot-services.conf", values)
    found = [
        Rendered(config.file, template(dialect.template, values)),
        *dialect.further_files(config, values),
        Rendered(config.etc / "sent.sieve", template("sent.sieve", values)),
        Rendered(config.etc / "dovecot-logins.conf", _logins(config), 0o600),
        Rendered(config.etc / "push.lua", template("push.lua", values), 0o600),
        Rendered(config.etc / "master-users", _master(config.master_secret), 0o600),
    ]
    if config.submit_secret:
        users = f"{SUBMITTER}:{{PLAIN}}{config.submit_secret}\n"
        found.append(Rendered(config.etc / "submit-users", users, 0o600))
    return found


def _master(secret: str) -> str:
    """The gateway's own login, whose sessions are served by processes of their own."""
    return f"{MASTER}:{{PLAIN}}{secret}::::::postlogin_socket=imap-gateway\n"


def _logins(config: DovecotConfig) -> str:
    """What Dovecot asks before each login and tells after it. Apart from dovecot.conf, because the URL is a secret.
    While nobody answers there, logins go on, and Dovecot's own delays are all there is."""
    if not config.logins_url:
        return "# without push nobody is asked about logins\n"
    # it must have a nonce, for a digest of the password that nobody reads
    nonce = hashlib.sha256(config.logins_url.encode()).hexdigest()[:16]
    return (
        f"auth_policy_server_url = {config.logins_url}\nauth_policy_hash_nonce = {nonce}\n"
        "auth_policy_check_after_auth = no\n"
    )


def _check(config: DovecotConfig) -> None:
    paths = (config.data, config.run, config.postfix, config.tls_cert, config.tls_key)
    for value in (config.hostname, config.bind, config.user, config.group, *filter(None, paths)):
        if not str(value) or _FORBIDDEN.search(str(value)):
            raise MailServerError(f"unfit for a Dovecot configuration: {str(value)!r}")
    if len(str(config.run)) > 80:
        raise MailServerError(f"path too long for unix sockets, set a shorter run directory: {config.run}")


def _part(name: str, values: dict[str, str]) -> str:
    return template(name, values).rstrip()


def _values(config: DovecotConfig) -> dict[str, str]:
    """What is written alike for every version."""
    mode = "0660" if config.socket_group else "0600"
    group = f"group = {config.socket_group}" if config.socket_group else ""
    sasl = f"  unix_listener sasl {{\n    mode = {mode}\n    {group}\n  }}"
    return {
        "BIND": "*, ::" if config.bind == "*" and has_ipv6() else config.bind,
        "RUN": str(config.run),
        "STATE": str(config.etc / "state"),
        "LOG": "syslog" if config.syslog else "/dev/stderr",
        "ETC": str(config.etc),
        "USER": config.user,
        "GROUP": config.group,
        "HOSTNAME": config.hostname,
        "FORMAT": config.mailbox_format,
        "IMAP": str(config.imap_port),
        "IMAPS": str(config.imaps_port),
        "IMAP_PLUGINS": " ".join(config.imap_plugins),
        "SOCKET_MODE": mode,
        "SOCKET_GROUP": group,
        "SASL": only_if(config.sasl, sasl),
        "PENALTY": only_if(config.logins_url, _NO_PENALTY),
        "PER_PERSON": str(CONNECTIONS_PER_PERSON),
        "GATEWAY": rendered_address(gateway_host(config.bind)),
        "URL": config.push_url or "",
        "KEYS_URL": config.keys_url or "",
        "SIEVE": str(config.sieve_port),
        "SIEVE_PROTOCOL": only_if(config.has_filters, " sieve"),
        "SENDMAIL": _sendmail(config.postfix),
    }


def _sendmail(postfix: Path | None) -> str:
    """How filters send mail (vacation, redirect): into the queue of our Postfix, with no rights but group postdrop's.

    Without new privileges postdrop(1) is not set-gid, and so believes whoever starts it which Postfix is meant.
    """
    return (
        f"  sendmail_path = /usr/bin/setpriv --no-new-privs /usr/bin/env MAIL_CONFIG={postfix} /usr/sbin/sendmail"
        if postfix
        else ""
    )


def write(config: DovecotConfig, wanted: Iterable[Rendered]) -> None:
    """Make the directories, write the files, give them to Dovecot's user (when we are root). Blocks."""
    for folder in (config.etc, config.mail, config.run, config.etc / "state"):
        folder.mkdir(parents=True, exist_ok=True)
    wanted = list(wanted)
    for one in wanted:
        one.write()
    for name in _OF_ONE_VERSION - {one.path.name for one in wanted}:
        (config.etc / name).unlink(missing_ok=True)
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
