"""Whether this machine can take what is planned: each problem with what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.setup import plan as planning
from gateway.setup import proxy, releases
from gateway.setup.answers import Answers, own_way
from gateway.setup.host_facts import STOCK, Facts, Listener

_INSTANCE = re.compile(r"@[^.]*")


def problems(answers: Answers, facts: Facts) -> list[tuple[str, str]]:
    """(what is wrong, what to do now), the most basic first; empty when setup can go on."""
    return [*_basics(facts), *_program(facts), *_driver(answers, facts), *port_problems(answers, facts)]


def port_problems(answers: Answers, facts: Facts) -> list[tuple[str, str]]:
    """Those about ports that others hold."""
    return list(_ports(answers, facts))


def _basics(facts: Facts) -> Iterator[tuple[str, str]]:
    if not facts.root:
        yield "setup needs root", "run it with sudo, or as root; --dry-run works as any user"
    if not facts.systemd:
        yield "systemd does not run this machine", "boot it with systemd; for an image use --root DIR"
    elif not facts.message_bus:
        yield (
            "the system's message bus (D-Bus) is not there, by which set-up tries the configuration as a service would",
            "`apt-get install dbus` and `systemctl start dbus.socket`, then run the same command again",
        )
    yield from releases.problems(facts.release, facts.packages)


def _program(facts: Facts) -> Iterator[tuple[str, str]]:
    if facts.program_problem:
        yield (
            f"services cannot run {facts.program}: {facts.program_problem}",
            "install it where every user can read it: `PIPX_HOME=/opt/pipx PIPX_BIN_DIR=/usr/local/bin pipx install "
            "postern`, then /usr/local/bin/postern setup",
        )


def _driver(answers: Answers, facts: Facts) -> Iterator[tuple[str, str]]:
    if (
        answers.postgresql or answers.settings.get("mail.lookup") == "postgresql"
    ) and not facts.postgresql_driver:
        yield (
            "the Python driver for PostgreSQL is not installed",
            "put it beside Postern: `pipx inject postern 'psycopg[binary]'`",
        )


def _ports(answers: Answers, facts: Facts) -> Iterator[tuple[str, str]]:
    taken = [one for one in facts.listeners if _in_the_way(one, answers, facts)]
    yield from _proxy(answers, facts)
    if answers.tls == "certbot" and not (
        answers.certbot_webroot or own_way(answers) or answers.proxy == "nginx"
    ):
        busy = [one for one in facts.listeners if one.port == 80 and not one.ours]
        if busy:
            yield (
                f"certbot needs port 80, and {busy[0]}",
                "give --certbot-webroot DIR, the directory that program serves files from; or --proxy nginx or "
                "--proxy caddy, which get the certificate themselves",
            )
    later = {} if answers.instead or answers.mail_address else _at_next_boot(answers, facts, taken)
    words = [str(one) for one in taken]
    words += [f"{unit} is enabled and takes port {port} when it starts" for unit, port in later.items()]
    if words:
        yield "mail ports are taken: " + "; ".join(words), _ways(answers, facts, taken)


def _proxy(answers: Answers, facts: Facts) -> Iterator[tuple[str, str]]:
    """The proxy can be installed, and nobody else holds its ports."""
    kind = proxy.kind_of(answers)
    if kind is None:
        return
    if facts.packages is not None and facts.packages.get(kind.package) == "":
        universe = (
            "`add-apt-repository universe && apt-get update`"
            if "ubuntu" in facts.release
            else "apt-get update"
        )
        yield f"apt knows no package {kind.package}", f"run {universe}, then the same command again"
    busy = [one for one in facts.listeners if one.port in proxy.PORTS and one.unit != kind.unit]
    if busy:
        yield (
            f"{kind.package} needs ports 80 and 443, and " + "; ".join(map(str, busy)),
            f"stop and disable {' and '.join(sorted({one.program or str(one.port) for one in busy}))}, or choose the "
            "--proxy that is in use, or give --proxy none and configure it yourself by the examples in config/",
        )


def _in_the_way(one: Listener, answers: Answers, facts: Facts) -> bool:
    if one.ours:
        return False
    if one.port in planning.mail_ports(answers):
        if answers.instead and stock_of(one) in facts.stock:
            return False
        anywhere = ("0.0.0.0", "::")  # noqa: S104
        return not answers.mail_address or one.address in (*anywhere, answers.mail_address)
    return one.port == answers.http_port and not answers.unix_socket


def stock_of(one: Listener) -> str:
    """The distribution's unit a listener belongs to: ``postfix@-.service`` is ``postfix.service``."""
    return _INSTANCE.sub("", one.unit)


def _at_next_boot(answers: Answers, facts: Facts, taken: list[Listener]) -> dict[str, int]:
    """Stock units that are enabled though they do not listen now, and the first port they would take."""
    seen = {stock_of(one) for one in taken}
    found = {}
    for unit, state in facts.stock.items():
        both = [port for port in STOCK[unit] if port in planning.mail_ports(answers)]
        if state.enabled and unit not in seen and both and not state.active:
            found[unit] = both[0]
    return found


def _ways(answers: Answers, facts: Facts, taken: list[Listener]) -> str:
    foreign = [one for one in taken if stock_of(one) not in facts.stock]
    ways = []
    if facts.stock and not answers.instead:
        ways.append(
            f"--instead stops and disables {' '.join(facts.stock)} (their configuration stays as it is, and "
            "`postern setup --remove` starts them again)"
        )
    if foreign:
        ways.append(
            f"stop {' and '.join(sorted({one.program or str(one.port) for one in foreign}))} yourself"
        )
    ways.append(
        "--mail-address IP listens on an address of its own; --smtp-port 2525 and --set mail.imaps_port=10993 (and "
        "so on) take other ports, and the existing server passes the mail on. For Postfix:\n"
        + planning.relay_lines(answers)
    )
    return "either " + "\n  or ".join(ways)
