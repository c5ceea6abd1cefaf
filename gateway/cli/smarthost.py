"""``postern smarthost``: the relay for outgoing mail, what it needs, and whether it works."""

from __future__ import annotations

from dataclasses import asdict

import click
import dns.exception
import dns.resolver

from gateway.cli.failure import FAILED, USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show
from gateway.mail_choice import smarthost_of
from gateway.settings import Settings
from gateway.smarthost.profiles import PROFILES, Profile, looks_like, profile_of, relay_headers
from gateway.smarthost.trial import Letter, Step, try_relay
from mailserver.embedded.settings import Smarthost


@click.group(name="smarthost")
def command() -> None:
    """The relay for outgoing mail."""


@command.command(name="show")
@click.option("--domain", metavar="NAME", help="Whose DNS records to show (default: mail.domain).")
@common
def shown(place: Place, domain: str | None) -> None:
    """Show which relay is used, what it does to mail, and what it and your domains need."""
    settings, _ = place.settings()
    profile, relay = profile_of(settings), smarthost_of(settings)
    domain = domain or settings.mail.domain
    other = _mistaken(profile, relay)
    records = [one.replace("{domain}", domain) for one in profile.records]
    answer = {
        "profile": profile.name,
        "relay": f"{relay.host}:{relay.port}" if relay else None,
        "tls": relay.tls if relay else None,
        "message_id": profile.message_id,
        "bounces": "webhook" if profile.return_path == "theirs" else "mail",
        "dkim": profile.dkim,
        "max_message": profile.max_message or None,
        "webhook": _webhook(settings, profile),
        "records": records,
        "setup": list(profile.setup),
        "warning": other,
    }
    lines = [f"{profile.title}: {answer['relay'] or 'to each recipient’s own server, port 25'}"]
    lines += [f"Message-ID: {_MESSAGE_ID[profile.message_id]}", f"DKIM: {_DKIM[profile.dkim]}"]
    lines.append(f"Bounces: {'by webhook to ' + _webhook(settings, profile) if profile.hooks else 'by mail'}")
    lines += ["Publish in DNS:", *(f"  - {one}" for one in records)] if records else []
    lines += ["At the relay:", *(f"  - {one}" for one in profile.setup)] if profile.setup else []
    show(place, answer, *lines, *([f"WARN  {other}"] if other else []))


_MESSAGE_ID = {
    "keeps": "the relay keeps ours",
    "asked": "the relay keeps ours, asked by a header field that is added",
    "replaces": "the relay puts its own; answers to it are recognised",
}
_DKIM = {
    "ours": "we sign",
    "both": "we sign, and the relay too, once its records are published",
    "theirs": "the relay signs (it writes the message anew), once its records are published",
}


@command.command(name="test")
@click.option("--to", metavar="ADDRESS", help="Send a test mail there at the end.")
@click.option("--from", "sender", metavar="ADDRESS", help="Its sender (default: postmaster at mail.domain).")
@common
def tested(place: Place, to: str | None, sender: str | None) -> None:
    """Connect to the relay, check TLS, log in, and with --to send a test mail."""
    settings, _ = place.settings()
    profile, relay = profile_of(settings), smarthost_of(settings)
    for name, address in (("--to", to), ("--from", sender)):
        if address is not None and (address.count("@") != 1 or not address.isprintable() or " " in address):
            raise Failure(f"{name} takes an address, not {address!r}", USAGE)
    sender = sender or f"postmaster@{settings.mail.domain}"
    letter = Letter(sender, to, relay_headers(settings, f"<test@{settings.mail.domain}>")) if to else None
    if relay is None:
        if to is None:
            raise Failure(
                "there is no relay: mail goes to each recipient's own server, port 25",
                USAGE,
                fix="give --to ADDRESS to try the server of its domain, or set mail.smarthost",
            )
        relay = _own_server(settings, to.rpartition("@")[2])
        letter = None
    hostname = settings.mail.hostname or f"mail.{settings.mail.domain}"
    steps: list[Step] = []
    for step in try_relay(relay, profile, hostname, letter):
        steps.append(step)
        if not place.as_json:
            click.echo(f"{'OK  ' if step.ok else 'FAIL'}  {step.name}: {clean(step.detail)}")
    last = steps[-1]
    other = _mistaken(profile, relay)
    if place.as_json:
        show(place, {"ok": last.ok, "steps": [asdict(one) for one in steps], "warning": other})
    elif other:
        click.echo(f"WARN  {other}")
    if not last.ok:
        raise Failure(f"the relay does not work yet: {last.name}", FAILED, fix=last.fix)


def _mistaken(profile: Profile, relay: Smarthost | None) -> str | None:
    """What to set when the host is of another relay than the profile says."""
    seems = looks_like(relay.host) if relay else None
    if seems in (None, profile.name):
        return None
    title = PROFILES[str(seems)].title
    return (
        f"{relay.host if relay else ''} seems to be {title}: set mail.smarthost_profile = {seems}, or answers and "
        "bounces may not find what was sent"
    )


def _own_server(settings: Settings, domain: str) -> Smarthost:
    """The first mail server of a domain, on port 25, as direct delivery would choose it."""
    resolver = dns.resolver.Resolver(configure=not settings.dns.nameservers)
    if settings.dns.nameservers:
        resolver.nameservers, resolver.port = list(settings.dns.nameservers), settings.dns.port
    try:
        answer = resolver.resolve(f"{domain}.", "MX", lifetime=settings.dns.timeout)
        host = min((one.preference, one.exchange.to_text(omit_final_dot=True)) for one in answer)[1]
    except dns.resolver.NoAnswer:
        host = domain
    except dns.exception.DNSException as error:
        raise Failure(
            f"the mail servers of {domain} cannot be found: {error}", FAILED, fix="check the resolver"
        ) from error
    return Smarthost(host=host, port=25, tls="none")


def _webhook(settings: Settings, profile: Profile) -> str:
    base = settings.http.public_url.rstrip("/") or "https://YOUR-HOST"
    if profile.name != "mailgun":
        base = base.replace("://", "://postern:SECRET@", 1)
    return f"{base}/hooks/{profile.name}" if profile.hooks else ""
