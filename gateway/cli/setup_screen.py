"""What ``postern setup`` shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
import msgspec

from gateway.cli import setup_dry, setup_missing, setup_request
from gateway.cli.domains import records_to_publish
from gateway.cli.options import Place
from gateway.cli.output import show
from gateway.cli.setup_missing import Missing
from gateway.cli.setup_request import FirstRequest
from gateway.cli.wrapping import wrapped
from gateway.setup import apply, layout
from gateway.setup.answers import Answers
from gateway.setup.host import DryHands


def summary(answers: Answers) -> None:
    """The answers, before anything is done."""
    out = (
        f"by {answers.smarthost}"
        if answers.smarthost
        else "straight to the recipients' servers (port 25 out)"
    )
    tls = {
        "files": answers.tls_cert,
        "certbot": f"certbot, {answers.certbot_email}",
        "self-signed": "self-signed",
        "proxy": "Caddy's, for mail too",
    }
    rows = {
        "mail for": answers.domain,
        "server": answers.hostname,
        "addresses": ", ".join(answers.addresses) or "not known",
        "certificate": tls[answers.tls or "self-signed"],
        "reverse proxy": answers.proxy
        if answers.proxy and answers.proxy != "none"
        else "none: HTTP on loopback",
        "outgoing mail": out,
        "database": "PostgreSQL" if answers.postgresql else f"SQLite in {layout.DATA}",
        "nightly backup": "with every mailbox" if answers.backup_mail else "records and keys, no mail",
        "first inbox": f"{answers.inbox}@{answers.domain}" if answers.inbox else "none",
    }
    click.echo()
    for name, value in rows.items():
        click.echo(f"  {name:<14} {value}")


def dry(
    place: Place,
    hands: DryHands,
    doing: apply.Applying,
    notes: list[str],
    problems: list[tuple[str, str]],
    *,
    full: bool = False,
) -> None:
    """What a run would do. With ``--json`` all of it, else in summary or, with ``full``, with every text."""
    kept = [one for one in doing.changes if one[0] == apply.KEPT]
    refused = [{"problem": words, "fix": fix} for words, fix in problems]
    answer = {
        "dry_run": True,
        "acts": hands.acts,
        "kept": _rows(kept),
        "notes": notes,
        "problems": refused,
    }
    lines = [*_acts(hands, full), *_change_lines(kept), *_notes(notes), *setup_dry.refusals(problems)]
    if not hands.acts:
        lines.insert(0, "unchanged: everything is as these answers want it")
    show(place, answer, *lines, "", _nothing_done(full))


def dry_removal(
    place: Place, hands: DryHands, found: list[tuple[str, str, str]], *, full: bool = False
) -> None:
    """What a removal would do."""
    answer = {"dry_run": True, "acts": hands.acts, "result": _rows(found)}
    kept = [one for one in found if full or one[0] == apply.KEPT]
    show(place, answer, *_acts(hands, full), *_change_lines(kept), "", _nothing_done(full))


def _acts(hands: DryHands, full: bool) -> list[str]:
    return setup_dry.full(hands) if full else setup_dry.summary(hands)


def _nothing_done(full: bool) -> str:
    more = "" if full else "; with --full the text of every file is shown"
    return f"Nothing was changed (--dry-run){more}."


def removed(place: Place, found: list[tuple[str, str, str]]) -> None:
    """What a removal did."""
    show(place, {"result": _rows(found)}, *_change_lines(found))


def changes(place: Place, doing: apply.Applying) -> None:
    """What a run did so far, as lines; with ``--json`` it comes with the rest."""
    if not place.as_json:
        for line in _change_lines(doing.changes):
            click.echo(line)


@dataclass(frozen=True, slots=True)
class End:
    """What a set-up ends with. ``first`` is None when nothing was started."""

    first: dict[str, Any] | None
    request: FirstRequest
    missing: list[Missing]


def done(place: Place, answers: Answers, doing: apply.Applying, end: End, notes: list[str]) -> None:
    """After the changes: the DNS zone, the key (this once), a first request, and what is missing. With ``--json`` all
    of it."""
    answer = {
        "changes": _rows(doing.changes),
        "unchanged": not doing.changes,
        "notes": notes,
        "first_request": msgspec.to_builtins(end.request),
        "later": doing.later,
        "missing": msgspec.to_builtins(end.missing),
        **(end.first or {}),
    }
    lines = [] if doing.changes else ["unchanged: everything was as these answers want it"]
    ready = _first(answers, doing, end, end.first) if end.first else _later(answers)
    show(place, answer, *lines, *_notes(notes), *ready)


def _first(answers: Answers, doing: apply.Applying, end: End, first: dict[str, Any]) -> list[str]:
    lines = ["", f"Publish in DNS (`postern domain zone {answers.domain}` prints a zone file):", ""]
    lines += records_to_publish(first["dns"])[2:]
    if "api_key" in first:
        lines += ["", f"API key      {first['api_key']}", "             Keep it: it is not shown again."]
    if "inbox" in first:
        lines += [f"Inbox        {first['inbox']}"]
        lines += [f"             for a mail client: postern inbox password {first['inbox']}"]
    if "postmaster" in first:
        lines += [f"Inbox        {first['postmaster']}"]
        lines += [
            "             others write to it about this server (RFC 5321); an alias will do in its place"
        ]
    lines += setup_request.lines(end.request, first.get("api_key", ""))
    return [*lines, *setup_missing.lines(end.missing, doing.later)]


def _later(answers: Answers) -> list[str]:
    return [
        "",
        "Not started. `systemctl start postern postern-dovecot postern-milter postern-postfix` does it, or",
        f"`postern setup --start`, which also makes the first key and prints the DNS zone of {answers.domain}.",
    ]


def _change_lines(changes: list[tuple[str, str, str]]) -> list[str]:
    return [f"{what:<8} {to}" + (f"  ({words})" if words else "") for what, to, words in changes]


def _rows(changes: list[tuple[str, str, str]]) -> list[dict[str, str]]:
    return [{"what": what, "to": to, "words": words} for what, to, words in changes]


def _notes(notes: list[str]) -> list[str]:
    return [line for note in notes for line in ("", *wrapped(note))]
