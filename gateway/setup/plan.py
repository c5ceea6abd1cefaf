"""From answers and facts to steps. Pure: it reads nothing and changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.setup import firewall, host_facts, layout, packages, proxy, releases, sources, tls
from gateway.setup.answers import Answers, Secrets
from gateway.setup.host_facts import Facts
from gateway.setup.steps import (
    Account,
    Certbot,
    Directory,
    File,
    FromCaddy,
    Packages,
    Plan,
    Rehearsal,
    SelfSigned,
    SettingsFile,
    Step,
    StockUnits,
    Units,
)
from gateway.smarthost.profiles import PROFILES

POSTFIX = "postern-postfix.service"
"""A new program and a new unit file are taken up by a reload, which lets deliveries under way end. A restart kills
them, and a recipient who was just being served may get the message twice."""
SERVICES = ("postern-dovecot.service", "postern-milter.service", POSTFIX, "postern.service")
ENABLED = (
    "postern.socket",
    *SERVICES,
    "postern-tls.path",
    "postern-backup.timer",
    "postern-doctor.timer",
)
FROM_CADDY = ("postern-certificate.path", "postern-certificate.timer")
"""Beside those, where Caddy gets the certificate."""
PEOPLE = {
    "mail.submissions_port": 465,
    "mail.submission_port": 587,
    "mail.imap_port": 143,
    "mail.imaps_port": 993,
    "mail.sieve_port": 4190,
}
"""Ports people's mail clients use."""
DOVECOT_PORTS = ("mail.imap_port", "mail.imaps_port", "mail.sieve_port")
"""Those of them that postern-dovecot.socket opens."""
PASSWORD = "smarthost"  # noqa: S105
DATABASE = "database"
"""Names of credentials."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Texts of files that come with Postern, read by the caller."""

    units: Mapping[str, str]
    sysusers: str
    tmpfiles: str
    proxy: str = ""
    """The example configuration of the proxy that was chosen."""
    pair: tls.Pair | None = None
    """The certificate and key that were given."""
    meanings: Mapping[str, str] = field(default_factory=dict)


def make(answers: Answers, secrets: Secrets, facts: Facts, given: Sources) -> Plan:
    """The steps that lead from any state to the one the answers describe."""
    steps: list[Step] = []
    values = settings(answers, ipv6=facts.ipv6)
    steps.append(Packages(wanted_packages(answers)))
    steps.append(File(layout.SYSUSERS, 0o644, given.sysusers))
    steps.append(Account(layout.USER, layout.SYSUSERS))
    steps.append(File(layout.TMPFILES, 0o644, given.tmpfiles))
    steps += sources.directories(given.tmpfiles)
    steps += _certificate(answers, given)
    steps += _credentials(secrets)
    steps.append(
        SettingsFile(layout.SETTINGS, 0o640, values, given.meanings, group=layout.USER, affects=SERVICES)
    )
    steps += [
        File(layout.UNITS / name, 0o644, text, affects=_affects(name)) for name, text in given.units.items()
    ]
    steps += _backup(answers)
    steps += _http_socket(answers)
    steps += _dovecot_socket(values)
    if facts.firewall and answers.open_firewall:
        steps += firewall.steps(facts.firewall, ports(answers))
    steps += _proxy(answers, facts, given)
    steps += _later_certificate(answers, facts)
    # what serves mail now goes on until all that could fail has been tried
    steps.append(Rehearsal(facts.program))
    if answers.instead and facts.stock:
        steps.append(StockUnits(tuple(facts.stock)))
    enabled = (*ENABLED, *(FROM_CADDY if answers.tls == "proxy" else ()))
    steps.append(Units(tuple(one for one in enabled if one in given.units), answers.start))
    return Plan(tuple(steps), _holds(answers), tuple(_notes(answers, facts, given)))


def _holds(answers: Answers) -> frozenset[Path]:
    """Certificates and secrets of earlier runs, as long as the answers speak of them."""
    found = {layout.TLS_CHAIN, layout.TLS_KEY}
    if answers.smarthost_user:
        found.add(layout.CREDENTIALS / PASSWORD)
    if answers.postgresql:
        found.add(layout.CREDENTIALS / DATABASE)
    found |= {layout.CREDENTIALS / name for name in answers.credentials}
    return frozenset(found)


def wanted_packages(answers: Answers) -> tuple[str, ...]:
    """Debian packages that the answers need."""
    lookup = packages.LOOKUP_POSTGRESQL if answers.settings.get("mail.lookup") == "postgresql" else ()
    front = packages.PROXIES.get(answers.proxy, ())
    return (*packages.MAIL, *lookup, *(packages.CERTBOT if answers.tls == "certbot" else ()), *front)


def mail_ports(answers: Answers) -> tuple[int, ...]:
    """TCP ports that the mail services listen on."""
    people = (answers.settings.get(name, port) for name, port in PEOPLE.items())
    return tuple(sorted({answers.smtp_port, *(port for port in people if port)}))


def ports(answers: Answers) -> tuple[int, ...]:
    """TCP ports that the world must be able to reach."""
    web = proxy.PORTS if proxy.kind_of(answers) else ()
    proof = (80,) if answers.tls == "certbot" else ()
    return tuple(sorted({*mail_ports(answers), *web, *proof}))


def settings(answers: Answers, *, ipv6: bool = True) -> dict[str, Any]:
    """What goes into postern.toml: only what differs from the defaults."""
    everywhere = "*" if ipv6 else "0.0.0.0"  # noqa: S104
    found: dict[str, Any] = {
        "data_dir": str(layout.DATA),
        "mail.server": "postfix_dovecot",
        "mail.manage": False,
        "mail.domain": answers.domain,
        "mail.hostname": answers.hostname,
        "mail.host": answers.mail_address or everywhere,
        "mail.smtp_port": answers.smtp_port,
        "mail.submission_port": PEOPLE["mail.submission_port"],
        "mail.imap_port": PEOPLE["mail.imap_port"],
        "mail.tls_cert": str(layout.TLS_CHAIN),
        "mail.tls_key": str(layout.TLS_KEY),
        "mail.run_dir": str(layout.RUN / "dovecot"),
        "mail.postfix_dir": str(layout.POSTFIX_CONFIG),
        "mail.postfix_spool": str(layout.POSTFIX_SPOOL),
        "mail.postfix_data": str(layout.POSTFIX_DATA),
        "mail.milter": f"unix:{layout.RUN}/milter/milter.sock",
    }
    for address in answers.addresses:
        found["mail.public_ipv6" if ":" in address else "mail.public_ipv4"] = address
    if answers.smarthost:
        found["mail.smarthost"] = answers.smarthost
    if answers.smarthost_profile:
        found["mail.smarthost_profile"] = answers.smarthost_profile
    if answers.smarthost_user:
        found["mail.smarthost_user"] = answers.smarthost_user
        if not PROFILES[answers.smarthost_profile or "generic"].user_is_password:
            found["mail.smarthost_password"] = f"@{PASSWORD}"
    if answers.smarthost_tls:
        found["mail.smarthost_tls"] = answers.smarthost_tls
    if answers.postgresql:
        found["database.url"] = f"@{DATABASE}"
    found["http.unix_socket"] = str(layout.HTTP_SOCKET)
    if answers.unix_socket:
        found["http.host"] = ""
    elif (answers.http_host, answers.http_port) != ("127.0.0.1", 8025):
        found |= {"http.host": answers.http_host, "http.port": answers.http_port}
    public = answers.public_url or (
        f"https://{answers.hostname}" if answers.proxy in ("caddy", "nginx") else ""
    )
    if public:
        found["http.public_url"] = public
    return found | answers.settings


def _certificate(answers: Answers, given: Sources) -> list[Step]:
    shape: dict[str, Any] = {"mode": 0o640, "group": layout.USER, "copy": True}
    if answers.tls == "files" and given.pair is not None:
        return [
            *_hook(Path(answers.tls_cert).parent),
            # the key first: postern-tls.path watches the chain, and reloads
            File(layout.TLS_KEY, content=given.pair.key, secret=True, **shape),
            File(layout.TLS_CHAIN, content=given.pair.chain, **shape),
        ]
    if answers.tls == "self-signed" or _first_a_proxy(answers):
        names, until = (answers.hostname,), answers.tls != "self-signed"
        return [SelfSigned(names, layout.TLS_CHAIN, layout.TLS_KEY, layout.USER, until=until)]
    return []


def _first_a_proxy(answers: Answers) -> bool:
    """Whether the certificate can be had only when the proxy runs."""
    return answers.tls == "proxy" or (answers.tls == "certbot" and answers.proxy == "nginx")


def _later_certificate(answers: Answers, facts: Facts) -> list[Step]:
    """The certificate that others get for us, when the ports and the proxy are there."""
    if answers.tls == "proxy":
        return [FromCaddy(answers.hostname, layout.TLS_CHAIN, layout.TLS_KEY)]
    if answers.tls != "certbot":
        return []
    later = _first_a_proxy(answers)
    names = proxy.host_names(answers, facts.domains) if later else (answers.hostname,)
    lineage = layout.CERTBOT_LIVE / answers.hostname
    hook, chain = layout.CERTBOT_HOOK, layout.TLS_CHAIN
    return [*_hook(lineage), Certbot(tls.certbot(answers), names, lineage, hook, chain, later=later)]


def _proxy(answers: Answers, facts: Facts, given: Sources) -> list[Step]:
    if not given.proxy:
        return []
    nginx = releases.parsed((facts.packages or {}).get("nginx", ""))
    return proxy.steps(answers, proxy.fill(given.proxy, answers, facts.domains, ipv6=facts.ipv6, nginx=nginx))


def _hook(lineage: Path) -> list[Step]:
    """What copies a certificate of certbot's when it is renewed; nothing for one from elsewhere."""
    if lineage.parent != layout.CERTBOT_LIVE:
        return []
    return [
        Directory(layout.CERTBOT_HOOK.parent, 0o755),
        File(layout.CERTBOT_HOOK, 0o755, tls.hook(lineage)),
    ]


def _credentials(secrets: Secrets) -> list[Step]:
    held = {PASSWORD: secrets.smarthost_password, DATABASE: secrets.database, **secrets.further}
    return [
        File(layout.CREDENTIALS / name, 0o600, f"{value}\n", secret=True, copy=True, affects=SERVICES)
        for name, value in held.items()
        if value is not None
    ]


def _affects(unit: str) -> tuple[str, ...]:
    """What is to be started again when a unit's file has changed."""
    if unit == "postern-dovecot.socket":
        return ("postern-dovecot.service",)  # a part of it
    if unit == POSTFIX:
        return (f"reload {POSTFIX}",)
    return (unit,) if unit in (*ENABLED, *FROM_CADDY) or unit == host_facts.FURTHER else ()


def _backup(answers: Answers) -> list[Step]:
    """What the nightly backup holds beside the records and keys."""
    if not answers.backup_mail:
        return []
    place = layout.UNITS / "postern-backup.service.d"
    text = "# of `postern setup --backup-mail`\n[Service]\nEnvironment=POSTERN_BACKUP_OPTIONS=--mail\n"
    return [Directory(place, 0o755), File(place / "setup.conf", 0o644, text)]


def _http_socket(answers: Answers) -> list[Step]:
    """Where the gateway is spoken to, if it is not where the unit says."""
    standard = (answers.http_host, answers.http_port) == ("127.0.0.1", 8025)
    if standard and not answers.unix_socket:
        return []
    where = [] if answers.unix_socket else [_at(answers.http_host, answers.http_port)]
    return _listeners(
        "postern.socket", [*where, str(layout.HTTP_SOCKET)], ("postern.socket", "postern.service")
    )


def _dovecot_socket(values: Mapping[str, Any]) -> list[Step]:
    """Where Dovecot is spoken to, if it is not where the unit says."""
    ports = [values.get(name, PEOPLE[name]) for name in DOVECOT_PORTS]
    if values["mail.host"] == "*" and ports == [PEOPLE[name] for name in DOVECOT_PORTS]:
        return []
    # Dovecot takes a socket by its port and family alone: there can be one address of each
    addresses = ("0.0.0.0", "::") if values["mail.host"] == "*" else (values["mail.host"],)  # noqa: S104
    where = [_at(address, port) for port in ports if port for address in addresses]
    return _listeners("postern-dovecot.socket", where, _affects("postern-dovecot.socket"))


def _at(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _listeners(unit: str, where: list[str], affects: tuple[str, ...]) -> list[Step]:
    """A drop-in for other listeners than the unit's own."""
    place = layout.UNITS / f"{unit}.d"
    lines = ["# of `postern setup`", "[Socket]", "ListenStream=", *(f"ListenStream={one}" for one in where)]
    return [
        Directory(place, 0o755),
        File(place / "setup.conf", 0o644, "\n".join(lines) + "\n", affects=affects),
    ]


def _notes(answers: Answers, facts: Facts, given: Sources) -> list[str]:
    notes = []
    if replaced := sorted({"exim4.service", "sendmail.service", "opensmtpd.service"} & set(facts.stock)):
        notes.append(
            f"apt takes {' '.join(one.partition('.')[0] for one in replaced)} away when it installs Postfix (a system "
            "has one such package), and --remove does not bring it back."
        )
    if facts.firewall and not answers.open_firewall:
        notes += firewall.words(facts.firewall, ports(answers))
    if answers.tls == "files" and Path(answers.tls_cert).parent.parent != layout.CERTBOT_LIVE:
        notes.append(
            "The certificate was copied: run `postern setup --yes` again whenever it was renewed (from the hook of "
            "whatever renews it)."
        )
    if answers.tls == "self-signed":
        notes.append(
            "The certificate is self-signed: mail clients will warn, other servers will not verify it. It is good for "
            "trying out; run `postern setup` with --proxy caddy (or --certbot EMAIL, or --tls-cert and --tls-key) "
            "before people use it."
        )
    if not answers.backup_mail:
        notes.append(
            f"The nightly backup to {layout.BACKUPS} holds records, keys and settings, and no mail: `postern setup "
            "--backup-mail` has it hold every mailbox, too."
        )
    if answers.smtp_port != 25:
        notes.append(
            f"The world delivers to port 25, and Postern takes mail on port {answers.smtp_port}: what listens on port "
            f"25 must pass mail for {answers.domain} on. For an existing Postfix:\n{relay_lines(answers)}"
        )
    if answers.smarthost_profile:
        relay = PROFILES[answers.smarthost_profile]
        lines = (*relay.setup, *(one.format(domain=answers.domain) for one in relay.records))
        notes.append(
            "\n".join(
                [f"To do at {relay.title}, and records it needs in DNS:", *(f"    {one}" for one in lines)]
            )
        )
    if not answers.addresses:
        notes.append(
            "No public address was found on this machine (it is behind NAT?): give --public-address, so that the DNS "
            "zone has the A and AAAA records."
        )
    return notes


def relay_lines(answers: Answers) -> str:
    """What an existing Postfix on this machine needs to pass our mail on; it must not know the domain otherwise."""
    host = answers.mail_address or "127.0.0.1"
    port = answers.smtp_port if answers.smtp_port != 25 or answers.mail_address else 2525
    return (
        f"    postconf -e 'relay_domains = {answers.domain}' \\\n"
        f"        'transport_maps = inline:{{ {answers.domain}=smtp:[{host}]:{port} }}' \\\n"
        "        'relay_recipient_maps =' 'smtpd_recipient_restrictions = reject_unverified_recipient'\n"
        "    systemctl reload postfix\n"
        "  (merge these with what they hold already; the last asks Postern whether a recipient exists)"
    )
