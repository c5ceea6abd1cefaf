"""The rendering of Postfix's private configuration: pure text first, then written to disk (as root)."""

from __future__ import annotations

import grp
import os
import pwd
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from mailserver import tls
from mailserver.base import MailServerError
from mailserver.disks import Disks
from mailserver.dovecot import SUBMITTER, DovecotConfig
from mailserver.machine import is_loopback
from mailserver.postfix_dovecot.config import (
    USER,
    PostfixPorts,
    PostfixSettings,
    check_owned_by_root,
    check_passable,
    postfix_binary,
)
from mailserver.postfix_dovecot.relay import relay_files, relay_lines
from mailserver.postfix_dovecot.tables import tables
from mailserver.rendering import Rendered, template
from mailserver.simulated import FORGER, SIMULATOR_DOMAIN, results

_UNFIT = re.compile(r"[\x00-\x20$#,{}\"']")
_MILTER = re.compile(r"unix:/[^\x00-\x20$#,{}\"']+|inet:[^\x00-\x20$#,{}\"']+:[0-9]+")


def render(settings: PostfixSettings, store: DovecotConfig, ports: PostfixPorts) -> None:
    """Write the configuration of a Postfix in front of ``store``. Blocks."""
    write(settings, rendered(settings, store.run, ports))


def rendered(settings: PostfixSettings, run: Path, ports: PostfixPorts) -> list[Rendered]:
    """The files of the configuration. Raises MailServerError for values that no configuration can hold.

    Blocks (reads the templates and resolv.conf).
    """
    directory, relay, lookup = settings.config_dir, settings.smarthost, settings.lookup
    paths = (directory, settings.spool, settings.state, run, lookup.path, settings.tls_cert, settings.tls_key)
    for value in (settings.hostname, settings.bind, relay.host if relay else "x", *filter(None, paths)):
        if _UNFIT.search(str(value)) or not str(value):
            raise MailServerError(f"unfit for a Postfix configuration: {str(value)!r}")
    if settings.milter and not _MILTER.fullmatch(settings.milter):
        raise MailServerError(f"mail.milter takes unix:PATH or inet:HOST:PORT, not {settings.milter!r}")
    values = _values(settings, run, ports)
    found = [
        Rendered(directory / "main.cf", template("postfix-main.cf", values)),
        Rendered(directory / "master.cf", template("postfix-master.cf", values)),
        Rendered(directory / "gateway-login", f"{SUBMITTER} OK\n"),
        *(
            Rendered(directory / name, template(name, values))
            for name in (
                "incoming-headers",
                "outgoing-headers",
                "submitted-headers",
                "verp-generic",
                "simulated-results",
            )
        ),
        *relay_files(relay, directory),
    ]
    for name, query in tables(lookup, str(run)).items():
        found.append(Rendered(directory / name, lookup.map_file(query), lookup.map_mode))
    return found


def _values(settings: PostfixSettings, run: Path, ports: PostfixPorts) -> dict[str, str]:
    directory, bind = settings.config_dir, settings.bind
    own_log = not settings.syslog
    at = "" if bind == "*" else f"[{bind}]:" if ":" in bind else f"{bind}:"
    values = {
        "DIR": str(directory),
        "MAP": settings.lookup.map_type,
        "SPOOL": str(settings.spool),
        "DATA": str(settings.state),
        "RUN": str(run),
        # before postlogd runs, programs log through syslog, else to this file
        "LOG": f"maillog_file = {directory}/postfix.log\nmaillog_file_prefixes = {directory}"
        if own_log
        else "",
        "HOSTNAME": settings.hostname,
        "INTERFACES": "loopback-only" if is_loopback(bind) else "all",
        "SMTP": f"{at}{ports.smtp}",
        "GATEWAY": str(ports.gateway),
        "SIZE": str(settings.message_size),
        "FREE": str(_least_free(settings)),
        "NETWORKS": _networks(),
        "RELAY": "\n".join(relay_lines(settings.smarthost, directory)),
        "MX_MILTERS": _milter(settings, "accept"),
        "SUBMISSION_MILTERS": _milter(settings, "tempfail"),
        "CLAIMED": "REPLACE X-Claimed-Results:$1" if settings.milter else "IGNORE",
        "CIPHERS": tls.CIPHERS,
        "CERT": str(settings.tls_cert),
        "KEY": str(settings.tls_key),
    }
    people = [_people(settings, f"{at}{ports.submission}", "submission")]
    if ports.submissions:
        people.append(_people(settings, f"{at}{ports.submissions}", "submissions"))
    return {
        **values,
        "FORGER": FORGER,
        "SIMULATOR_RE": re.escape(SIMULATOR_DOMAIN),
        "GENUINE": results(settings.hostname, genuine=True),
        "FORGED": results(settings.hostname, genuine=False),
        "HOSTNAME_RE": re.escape(settings.hostname).replace("\\-", "-"),
        "PEOPLE": "\n".join(people).rstrip(),
        "POLICY": template("postfix-strict.cf" if settings.strict else "postfix-lenient.cf", values).rstrip(),
        "TLS": template("postfix-tls.cf", values).rstrip()
        if settings.has_tls
        else "smtpd_tls_security_level = none",
    }


def _least_free(settings: PostfixSettings) -> int:
    """What must be free on the queue's disk."""
    found = Disks({"queue": settings.spool}, settings.min_free).look()
    return found[0].floor if found else settings.min_free


def _networks() -> str:
    """anvil(8) counts an IPv6 client by its /64, which is the least that one customer has, where Postfix can be set so
    so (3.8 and later; their default is /84)."""
    name = "smtpd_client_ipv6_prefix_length"
    try:
        said = subprocess.run([postfix_binary("postconf"), "-d", name], capture_output=True, check=False)
    except (OSError, MailServerError):
        return ""
    return f"{name} = 64" if said.stdout.startswith(name.encode()) else ""


def _people(settings: PostfixSettings, port: str, name: Literal["submission", "submissions"]) -> str:
    """A submission service: STARTTLS (RFC 6409), or TLS from the start (RFC 8314)."""
    optional = settings.insecure_dev or (is_loopback(settings.bind) and not settings.has_tls)
    level = "none" if not settings.has_tls else "may" if optional else "encrypt"
    values = {
        "PORT": port,
        "NAME": name,
        "WRAPPED": "yes" if name == "submissions" else "no",
        "LEVEL": level,
        "TLS_ONLY": "no" if optional else "yes",
    }
    return template("postfix-people.cf", values)


def _milter(settings: PostfixSettings, when_away: Literal["accept", "tempfail"]) -> str:
    return f"{{ {settings.milter}, default_action={when_away} }}" if settings.milter else ""


def write(settings: PostfixSettings, wanted: Iterable[Rendered]) -> None:
    """Make the directories and write the files, owned by root as Postfix demands. Blocks."""
    directory = settings.config_dir
    if not settings.manage:
        check_owned_by_root(directory)
    for folder in (directory, settings.spool, settings.state):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
        check_passable(folder, USER)
    postfix, group = pwd.getpwnam(USER).pw_uid, grp.getgrnam(USER).gr_gid
    os.chown(settings.state, postfix, -1)
    if not settings.syslog:
        # before postlogd runs, postsuper logs for itself and as this user: after a crash it has queue files to
        # complain of, and could it not, Postfix would refuse to start
        log = directory / "postfix.log"
        log.touch(mode=0o640)
        os.chown(log, postfix, -1)
    for one in wanted:
        one.write()
        if one.mode & 0o044 == 0o040:  # tables that hold a password: for proxymap(8), which runs as Postfix
            os.chown(one.path, -1, group)
