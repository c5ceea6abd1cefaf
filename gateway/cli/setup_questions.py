"""What ``postern setup`` asks on a terminal, with the earlier answer, or a good one, as the default."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from gateway.cli import setup_screen
from gateway.setup import layout, preflight
from gateway.setup.answers import Answers, BadAnswer, Secrets, check
from gateway.setup.host_facts import Facts


def ask(answers: Answers, secrets: Secrets, facts: Facts, *, known: bool) -> tuple[Answers, Secrets]:
    """The answers completed. ``known``: there are answers of an earlier run, and all may stay as they are."""
    if known and answers.domain:
        setup_screen.summary(answers)
        if not click.confirm("Change an answer?", default=False):
            return answers, secrets
    domain = click.prompt("Mail domain", default=answers.domain or _parent(facts.hostname) or None)
    usual = answers.hostname or (
        facts.hostname if facts.hostname.endswith(f".{domain}") else f"mail.{domain}"
    )
    found: dict[str, Any] = {"domain": domain, "hostname": click.prompt("Name of this server", default=usual)}
    found["addresses"] = tuple(
        click.prompt(
            "Its public addresses, separated by blanks",
            default=" ".join(answers.addresses),
            show_default=bool(answers.addresses),
        ).split()
    )
    found["proxy"] = click.prompt(
        "Reverse proxy in front of the API, for HTTPS",
        type=click.Choice(["none", "caddy", "nginx"]),
        default=answers.proxy or "none",
    )
    found |= _certificate(answers, found["proxy"])
    relay, secrets = _relay(answers, secrets)
    found |= relay
    if not answers.inbox:
        found["inbox"] = click.prompt("First inbox (the part before the @)", default="agent")
    found["backup_mail"] = click.confirm(
        f"Hold every mailbox in the nightly backup to {layout.BACKUPS}, too (each mail is stored there once)?",
        default=answers.backup_mail is not False,
    )
    answers = msgspec.structs.replace(answers, **found)
    return _instead(answers, facts), secrets


def _parent(hostname: str) -> str:
    """example.org of mail.example.org."""
    above = hostname.partition(".")[2]
    return above if "." in above else ""


def _certificate(answers: Answers, proxy: str) -> dict[str, Any]:
    ways = ["caddy" if proxy == "caddy" else "certbot", "files", "self-signed"]
    held = "caddy" if answers.tls == "proxy" else answers.tls
    way = click.prompt("Certificate", type=click.Choice(ways), default=held if held in ways else ways[0])
    if way == "caddy":
        return {"tls": "proxy"}
    if way == "certbot":
        email = click.prompt("Your mail address, for Let's Encrypt", default=answers.certbot_email or None)
        return {"tls": way, "certbot_email": email}
    if way == "files":
        return {
            "tls": way,
            "tls_cert": click.prompt("Certificate with its chain (PEM)", default=answers.tls_cert or None),
            "tls_key": click.prompt("Its key (PEM)", default=answers.tls_key or None),
        }
    return {"tls": way}


def _relay(answers: Answers, secrets: Secrets) -> tuple[dict[str, Any], Secrets]:
    if not click.confirm(
        "Send through a relay (needed where the provider blocks port 25)?", default=bool(answers.smarthost)
    ):
        return {"smarthost": "", "smarthost_user": "", "smarthost_profile": "", "smarthost_tls": ""}, secrets
    found = {
        "smarthost": click.prompt("Relay, HOST:PORT", default=answers.smarthost or None),
        "smarthost_user": click.prompt("Login there (empty: none)", default=answers.smarthost_user),
    }
    if found["smarthost_user"] and secrets.smarthost_password is None:
        password = click.prompt(
            "Password there (empty: as before)", default="", hide_input=True, show_default=False
        )
        if password:
            secrets = msgspec.structs.replace(secrets, smarthost_password=password)
    return found, secrets


def _instead(answers: Answers, facts: Facts) -> Answers:
    """Ask about mail servers of the distribution that are in the way."""
    try:
        in_the_way = bool(facts.stock) and bool(preflight.port_problems(check(answers), facts))
    except BadAnswer:
        return answers  # said by the check that follows
    if in_the_way and click.confirm(
        f"{' and '.join(facts.stock)} take ports that Postern needs. Stop and disable them (--remove undoes it)?"
    ):
        return msgspec.structs.replace(answers, instead=True)
    return answers
