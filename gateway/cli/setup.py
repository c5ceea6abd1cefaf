"""``postern setup``: production on this server, or below --root; ``--remove`` undoes it."""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import click
import msgspec

from gateway.cli import setup_first, setup_missing, setup_questions, setup_request, setup_screen
from gateway.cli.config import described
from gateway.cli.failure import FAILED, REFUSED, UNAVAILABLE, USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import show
from gateway.cli.setup_missing import Missing
from gateway.configuration import BadSettings, load_settings
from gateway.settings import SECRETS
from gateway.setup import (
    apply,
    host_facts,
    layout,
    manifest,
    packages,
    plan,
    preflight,
    proxy,
    remove,
    sources,
    tls,
)
from gateway.setup.answers import SMARTHOST_TLS, Answers, BadAnswer, Secrets, check, own_way
from gateway.setup.host import CommandFailed, DryHands, Hands
from gateway.setup.manifest import Manifest
from gateway.setup.steps import Plan
from gateway.smarthost.profiles import PROFILES
from gateway.store.database_url import database_url, sqlite_file

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command(name="setup")
@click.option("--domain", help="Your mail domain, such as example.org.")
@click.option("--hostname", help="The server's name, for MX and certificate (default: mail.DOMAIN).")
@click.option(
    "--public-address",
    "addresses",
    multiple=True,
    help="The server's address in DNS; once for IPv4 and IPv6 each (default: found).",
)
@click.option("--tls-cert", type=_FILE, help="Certificate with its chain, PEM; copied to the services.")
@click.option("--tls-key", type=_FILE, help="Its private key, PEM.")
@click.option("--certbot", "certbot_email", metavar="EMAIL", help="Get a certificate with certbot.")
@click.option("--certbot-webroot", metavar="DIR", help="What the web server on port 80 serves files from.")
@click.option("--certbot-argument", "certbot_arguments", multiple=True, help="One more argument for certbot.")
@click.option("--self-signed", is_flag=True, help="Make a certificate for trying out.")
@click.option(
    "--smarthost", metavar="HOST:PORT", help="Relay that outgoing mail goes through; none: directly."
)
@click.option(
    "--smarthost-profile", type=click.Choice(tuple(PROFILES)), help="Which relay it is (default: generic)."
)
@click.option("--smarthost-user", help="Login at the relay.")
@click.option("--smarthost-password-file", type=_FILE, help="File that holds the password.")
@click.option("--smarthost-tls", type=click.Choice(SMARTHOST_TLS), help="TLS towards the relay.")
@click.option("--database", metavar="URL", help="postgresql://… (default: SQLite); kept as a credential.")
@click.option(
    "--instead", is_flag=True, default=None, help="Stop and disable the distribution's mail servers."
)
@click.option(
    "--mail-address", metavar="IP", help="Address the mail services listen on (default: every one)."
)
@click.option("--smtp-port", type=int, help="Where the world delivers (default: 25).")
@click.option("--http-host", metavar="IP", help="Address the API listens on (default: 127.0.0.1).")
@click.option("--http-port", type=int, help="Port of the API (default: 8025).")
@click.option("--unix-socket", is_flag=True, default=None, help=f"API on {layout.HTTP_SOCKET} alone.")
@click.option("--public-url", metavar="URL", help="How clients reach the API.")
@click.option(
    "--proxy",
    type=click.Choice(["caddy", "nginx", "none"]),
    help="Install a reverse proxy and put it in front: HTTPS.",
)
@click.option("--inbox", metavar="NAME", help="First inbox: NAME, or NAME@DOMAIN.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="Any other setting; repeatable.")
@click.option(
    "--credential",
    "credentials",
    multiple=True,
    metavar="NAME=FILE",
    help="A secret for a setting @NAME, such as mail.smarthost_hook_secret; repeatable.",
)
@click.option("--open-firewall", is_flag=True, default=None, help="Open the ports in ufw or firewalld.")
@click.option(
    "--backup-mail/--no-backup-mail",
    default=None,
    help="Hold every mailbox in the nightly backup, too (default: records and keys alone).",
)
@click.option("--start/--no-start", default=None, help="Start the services (default), or only enable them.")
@click.option(
    "--root", type=click.Path(path_type=Path, file_okay=False), help="Set up the tree at DIR, an image."
)
@click.option("--remove", "removing", is_flag=True, help="Undo what setup did; data stays.")
@click.option("--purge", is_flag=True, help="With --remove: delete mail, database and keys too.")
@click.option("--dry-run", is_flag=True, help="Show what would be done; change nothing.")
@click.option("--full", is_flag=True, help="With --dry-run: the text of every file, too.")
@click.option("--yes", is_flag=True, help="Ask nothing.")
@common
def command(
    place: Place, removing: bool, purge: bool, dry_run: bool, full: bool, yes: bool, **given: Any
) -> None:
    """Set this Debian server up: Postfix, Dovecot, the gateway, TLS, systemd, DNS records.

    Without options it asks, on a terminal; with them it asks only whether to go on, and with --yes nothing. It may be
    run again at any time: it changes only what differs, keeps what was edited by hand, and after an upgrade brings the
    services up to date. Earlier answers hold until others are given.
    """
    root = given.pop("root")
    hands: Hands = (DryHands if dry_run else Hands)(
        (root or Path("/")).resolve(), say=_quiet if dry_run else _say
    )
    if root is not None and not hands.root.is_dir():
        raise Failure(f"--root: there is no directory {root}", USAGE)
    if purge and not removing:
        raise Failure("--purge goes with --remove", USAGE)
    if full and not dry_run:
        raise Failure("--full goes with --dry-run", USAGE)
    ask = not yes and not place.as_json and sys.stdin.isatty() and sys.stdout.isatty()
    try:
        with _alone(hands):
            book = manifest.load(hands.at(layout.MANIFEST))
            if removing:
                _remove(place, hands, book, purge=purge, ask=ask, yes=yes, full=full)
            else:
                _setup(place, hands, book, given, ask=ask, full=full)
    except BadAnswer as error:
        raise Failure(str(error), USAGE, fix="`postern setup --help` lists the options") from error
    except PermissionError as error:
        raise Failure(f"{error.filename}: {error.strerror}", REFUSED, fix="run it as root") from error
    except apply.Refused as error:
        raise Failure(str(error), FAILED, fix=error.fix) from error
    except (manifest.Unusable, sources.Missing) as error:
        raise Failure(str(error), FAILED) from error
    except (CommandFailed, LookupError) as error:
        raise Failure(
            str(error),
            FAILED,
            fix="when that is mended, the same command goes on where it stopped; `postern setup --remove` undoes it",
        ) from error


def _say(words: str) -> None:
    click.echo(f"… {words}", err=True)


def _quiet(_: str) -> None:
    """A dry run does nothing that takes long."""


@contextmanager
def _alone(hands: Hands) -> Iterator[None]:
    """One setup at a time. The lock is on a directory that is there, so that a dry run leaves no file."""
    handle = os.open(hands.at(Path("/etc")), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise Failure("another `postern setup` is running", UNAVAILABLE, fix="wait for its end") from None
    finally:
        os.close(handle)


def _setup(
    place: Place, hands: Hands, book: Manifest, given: dict[str, Any], *, ask: bool, full: bool
) -> None:
    given_any = any(value not in (None, (), False) for value in given.values())
    secrets = _secrets(given)
    answers = _answers(book.answers or Answers(), given)
    facts = host_facts.gather(hands)
    if not book.done:  # a set-up that was cut short may have left daemons enabled that it installed itself
        own = packages.daemons(book.packages)
        stock = {unit: state for unit, state in facts.stock.items() if unit not in own or state.active}
        facts = dataclasses.replace(facts, stock=stock)
    if not answers.addresses:
        answers = msgspec.structs.replace(answers, addresses=facts.addresses)
    if ask and not (given_any and answers.domain and answers.tls):
        answers, secrets = setup_questions.ask(answers, secrets, facts, known=book.answers is not None)
    answers = check(answers)
    if proxy.kind_of(answers) is not None and hands.live:
        book.domains = list(asyncio.run(setup_first.domains(place)) or book.domains)
    facts = dataclasses.replace(facts, domains=tuple(book.domains))
    _check_settings(answers, secrets, book)
    _check_records(answers, book, hands)
    found = preflight.problems(answers, facts)
    if found and not hands.dry:
        raise Failure(
            "; ".join(words for words, _ in found), FAILED, fix="\n  ".join(fix for _, fix in found)
        )
    made, notes = _plan(answers, secrets, facts, hands)
    if ask and not hands.dry:
        if answers != book.answers:
            setup_screen.summary(answers)
        click.confirm("Go on?", default=True, abort=True)
    book.answers = answers
    doing = apply.Applying(hands, book, layout.MANIFEST, facts.fingerprint)
    try:
        doing.run(made)
    finally:
        if not hands.dry:
            setup_screen.changes(place, doing)
    if isinstance(hands, DryHands):
        setup_screen.dry(place, hands, doing, notes, found, full=full)
        return
    first, lacking = None, list[Missing]()
    if hands.live and answers.start:
        place.data = str(layout.DATA)
        first = asyncio.run(setup_first.make(place, book, answers.inbox, doing.save))
        hands.say("looking at DNS, certificates and port 25")
        lacking = asyncio.run(setup_missing.missing(place))
    end = setup_screen.End(first, setup_request.first_request(answers, plan.settings(answers)), lacking)
    setup_screen.done(place, answers, doing, end, notes)


def _plan(
    answers: Answers, secrets: Secrets, facts: host_facts.Facts, hands: Hands
) -> tuple[Plan, list[str]]:
    pair, notes = None, list[str]()
    if answers.tls == "files":
        if Path(answers.tls_cert).exists() or hands.read(layout.TLS_CHAIN) is None:
            pair = tls.read_pair(Path(answers.tls_cert), Path(answers.tls_key), answers.hostname)
            notes += pair.notes
        else:
            notes.append(f"{answers.tls_cert} is gone: the copy in {layout.TLS} stays in use.")
    kind = proxy.kind_of(answers)
    texts = plan.Sources(
        units=sources.units(facts.program),
        sysusers=sources.sysusers(),
        tmpfiles=sources.tmpfiles(),
        proxy=sources.example(kind.example) if kind is not None else "",
        pair=pair,
        meanings={one.name: one.meaning for one in described()},
    )
    made = plan.make(answers, secrets, facts, texts)
    return made, [*made.notes, *notes]


def _remove(
    place: Place, hands: Hands, book: Manifest, *, purge: bool, ask: bool, yes: bool, full: bool
) -> None:
    if book == Manifest():
        show(place, {"removed": []}, "setup has made nothing here: there is nothing to remove")
        return
    if purge and not hands.dry and not yes:
        if not ask:
            raise Failure("--purge deletes every mail on this server", USAGE, fix="add --yes")
        click.confirm("Delete every mail, the database and all keys on this server for good?", abort=True)
    gone = remove.remove(hands, book, layout.MANIFEST, purge=purge)
    if isinstance(hands, DryHands):
        setup_screen.dry_removal(place, hands, gone, full=full)
        return
    setup_screen.removed(place, gone)


def _secrets(given: dict[str, Any]) -> Secrets:
    """Taken out of the options."""
    file, database = given.pop("smarthost_password_file"), given.pop("database")
    password = _secret_in("--smarthost-password-file", file) if file is not None else None
    if database is not None and not database.startswith(("postgresql://", "postgres://")):
        if database not in ("sqlite", "none"):
            raise BadAnswer("--database", "takes postgresql://USER:PASSWORD@HOST/NAME, or sqlite")
        given["postgresql"], database = False, None
    elif database is not None:
        given["postgresql"] = True
    further = {}
    for one in given.pop("credentials"):
        name, _, path = one.partition("=")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name) or not path:
            raise BadAnswer("--credential", f"takes NAME=FILE, not {one!r}")
        further[name] = _secret_in("--credential", Path(path))
    given["credentials"] = tuple(further)
    return Secrets(smarthost_password=password, database=database, further=further)


def _secret_in(flag: str, file: Path) -> str:
    """The one line of a file."""
    try:
        secret = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadAnswer(flag, f"cannot read {file}: {error}") from error
    if not secret or "\n" in secret:
        raise BadAnswer(flag, f"{file} is to hold one line, the secret")
    return secret


def _answers(held: Answers, given: Mapping[str, Any]) -> Answers:
    """The answers held before, with the options given now."""
    values = {
        name: value
        for name, value in given.items()
        if value not in (None, (), False) or name in ("start", "backup_mail")
    }
    values = {name: value for name, value in values.items() if value is not None}
    if "postgresql" in given:
        values["postgresql"] = given["postgresql"]
    ways = {"files": given["tls_cert"] or given["tls_key"], "certbot": given["certbot_email"]}
    ways["self-signed"] = values.pop("self_signed", False)
    chosen = [way for way, flag in ways.items() if flag]
    if len(chosen) > 1:
        raise BadAnswer(
            "--tls-cert", "--tls-cert with --tls-key, --certbot and --self-signed exclude each other"
        )
    values |= _certificate_of_caddy(held, values, chosen)
    if values.get("proxy", "caddy") != "caddy" and held.tls == "proxy" and not chosen:
        values["tls"] = ""
    values["credentials"] = tuple(dict.fromkeys((*held.credentials, *given["credentials"])))
    if chosen:
        values["tls"] = cast(Literal["files", "certbot", "self-signed"], chosen[0])
    for name in ("tls_cert", "tls_key"):
        if name in values:
            values[name] = str(values[name].absolute())  # as named: a link may lead elsewhere tomorrow
    if values.get("smarthost") == "none":
        values |= {"smarthost": "", "smarthost_user": "", "smarthost_profile": "", "smarthost_tls": ""}
    if "settings" in values:
        values["settings"] = held.settings | _settings(values["settings"])
    if "domain" in values and "hostname" not in values and values["domain"] != held.domain:
        values["hostname"] = ""
    return msgspec.structs.replace(held, **values)


def _certificate_of_caddy(held: Answers, values: Mapping[str, Any], chosen: list[str]) -> dict[str, Any]:
    """Caddy's certificate takes the place of one for trying out when Caddy comes, and of one that certbot could not
    renew: earlier versions allowed Caddy beside it, and Caddy holds its port 80."""
    port_80 = held.tls == "certbot" and not (held.certbot_webroot or own_way(held))
    comes = held.proxy != "caddy" and held.tls == "self-signed"
    if not chosen and values.get("proxy", held.proxy) == "caddy" and (port_80 or comes):
        return {"tls": "proxy"}
    return {}


def _settings(given: tuple[str, ...]) -> dict[str, Any]:
    import tomllib

    found: dict[str, Any] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not equals:
            raise BadAnswer("--set", f"takes NAME=VALUE, not {one!r}")
        try:
            found[name.strip()] = tomllib.loads(f"x = {text}")["x"]
        except tomllib.TOMLDecodeError:
            found[name.strip()] = text.strip()
    return found


def _check_records(answers: Answers, book: Manifest, hands: Hands) -> None:
    """A server that has its records in SQLite is not put onto a database without them."""
    begins = answers.postgresql and book.answers is not None and not book.answers.postgresql
    records = sqlite_file(database_url("", layout.DATA))
    if begins and records is not None and hands.status(records) is not None:
        raise BadAnswer(
            "--database",
            f"would leave this server's records behind in {records}: move them by a backup, as systemd/README.md says "
            "(PostgreSQL), or move that file away to begin anew",
        )


def _check_settings(answers: Answers, secrets: Secrets, book: Manifest) -> None:
    """The settings as the gateway will read them; and every secret is there."""
    values = plan.settings(answers)
    readable = {name: "" if name in SECRETS else value for name, value in values.items()}
    try:
        load_settings(overrides=readable, environ={})
    except BadSettings as error:
        raise BadAnswer("--set", str(error)) from error
    held = {Path(one).name for one in book.files if Path(one).parent == layout.CREDENTIALS}
    if (
        "mail.smarthost_password" in values
        and secrets.smarthost_password is None
        and plan.PASSWORD not in held
    ):
        raise BadAnswer("--smarthost-password-file", "the relay's login needs its password")
    if answers.postgresql and secrets.database is None and plan.DATABASE not in held:
        raise BadAnswer("--database", "the URL of the PostgreSQL database is needed once more")
