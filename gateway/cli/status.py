"""``postern status``: how the gateway is, on one screen."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway import __version__
from gateway.cli import operator
from gateway.cli.client import Client
from gateway.cli.connect import reach
from gateway.cli.failure import FAILED, OK, REFUSED, UNAVAILABLE, Failure
from gateway.cli.moments import full, since, size, span
from gateway.cli.options import SERVER_FILE, Place, common
from gateway.cli.output import show
from gateway.cli.screen import Screen
from gateway.cli.visible import visible

_EPILOG = """\b
Exit codes:
  0  the gateway runs and each part works
  1  it runs, and something does not work
  4  no gateway runs there, or it does not answer; what can be read without it is shown
"""
_LITTLE_DISK = 0.1
_FEW_DAYS = 14
_STUCK_SHOWN = 10


@click.command(name="status", epilog=_EPILOG)
@common
@click.pass_context
def command(context: click.Context, place: Place) -> None:
    """Show how the gateway is: its parts, the queue, the last mails, database, disk and certificate.

    Starts nothing. `postern doctor` checks more: DNS, ports, TLS, a mail sent round.

    \b
    Examples:
      postern status
      postern status --json | jq .queue.waiting
    """
    found = asyncio.run(_found(place))
    code = UNAVAILABLE if not found["running"] else OK if found["ready"] else FAILED
    show(place, found, *_lines(Screen.now(), found))
    context.exit(code)


async def _found(place: Place) -> dict[str, Any]:
    if place.url:
        try:
            async with reach(place) as client:
                return await _running(client)
        except Failure as failure:
            if failure.code != UNAVAILABLE:
                raise
            return _down(failure.message, failure.fix or "check --url") | {"version": None}
    settings, _ = place.settings()
    data_dir = place.data_dir(settings)
    if not data_dir.is_dir():
        return _down(f"no gateway runs on {data_dir}: there is no such directory", _START)
    if operator.running(data_dir):
        try:
            async with reach(place, start=False) as client:
                return await _running(client)
        except Failure as failure:
            if failure.code != UNAVAILABLE:
                raise
            why, fix = failure.message, failure.fix or "see its log"
    else:
        why, fix = f"no gateway runs on {data_dir}", _start()
    from gateway.cli.figures import read_figures  # the database drivers are a tenth of a second

    return _down(why, fix) | await read_figures(settings, data_dir)


def _start() -> str:
    return "start it: systemctl start postern" if SERVER_FILE.is_file() else _START


_START = "start it: postern serve (the first time: postern serve --quickstart)"


async def _running(client: Client) -> dict[str, Any]:
    health, ready = await asyncio.gather(client.call("GET", "/health"), client.ready())
    answer: dict[str, Any] = {
        "running": True,
        "ready": ready.get("status") == "ready",
        "url": client.base_url,
        "version": health.get("version"),
        "commit": health.get("commit"),
        "parts": ready["parts"],
    }
    try:
        answer |= await client.call("GET", "/operator/status")
        return answer
    except Failure as failure:
        if failure.code != REFUSED:
            raise
    # another key than the operator's sees what it reaches, and nothing of the machine
    inboxes, queue = await asyncio.gather(_count(client, "/inboxes"), _count(client, "/queue"))
    messages = await _count(client, "/messages")
    return answer | {
        "queue": None if queue is None else {"waiting": queue, "oldest_seconds": None},
        "mail": {"inboxes": inboxes, "messages": messages},
    }


async def _count(client: Client, path: str) -> int | None:
    try:
        return int((await client.call("GET", path, query={"limit": "1"}))["total"])
    except Failure as failure:
        if failure.code != REFUSED or "not known" in failure.message:
            raise
        return None


def _down(why: str, fix: str) -> dict[str, Any]:
    return {"running": False, "ready": False, "error": why, "fix": fix, "version": __version__}


def _lines(screen: Screen, found: dict[str, Any]) -> list[str]:
    facts: list[tuple[str, str]] = []
    if found["running"]:
        version = f"Postern {found['version']}"
        if found.get("commit") and str(found["commit"])[:7] not in version:
            version += f" ({str(found['commit'])[:12]})"
        up = f", up {span(found['uptime_seconds'])}" if found.get("uptime_seconds") is not None else ""
        well = screen.style("running", fg="green") if found["ready"] else screen.style("degraded", fg="red")
        facts.append(("Gateway", f"{well}  {screen.bold(visible(version))}, {visible(found['url'])}{up}"))
        facts += _parts(screen, found["parts"])
    else:
        facts.append(("Gateway", f"{screen.style('down', fg='red')}  {visible(found['error'])}"))
        facts.append(("", visible(found["fix"])))
        if found["version"]:
            facts.append(("Installed", visible(f"Postern {found['version']}")))
    facts += _stuck(screen, found) + _queue(screen, found) + _mail(found)
    facts += _database(screen, found) + _disks(screen, found) + _certificate(screen, found)
    return [f"{screen.dim(f'{name:<13}')}{text}" for name, text in facts]


def _parts(screen: Screen, parts: dict[str, Any]) -> list[tuple[str, str]]:
    well = [_part(name) for name, part in parts.items() if part["ok"]]
    lines = [("Works", ", ".join(well))] if well else []
    for name, part in parts.items():
        if not part["ok"]:
            text = f"{screen.style(_part(name), fg='red')}: {_one_line(part['detail'] or 'no reason given')}"
            lines.append(("Fails", text))
    return lines


def _stuck(screen: Screen, found: dict[str, Any]) -> list[tuple[str, str]]:
    stuck = found.get("stuck_mailboxes") or []
    lines = [
        (
            "" if n else "No answer",
            f"{screen.style(visible(one['address']), fg='red')} for {span(one['seconds'])}",
        )
        for n, one in enumerate(stuck[:_STUCK_SHOWN])
    ]
    if len(stuck) > _STUCK_SHOWN:
        lines.append(("", f"and {len(stuck) - _STUCK_SHOWN:,} more"))
    return lines


def _part(name: str) -> str:
    names = {"sync_lag": "reading mailboxes", "outbox_age": "sending"}
    return visible(names.get(name, name.removeprefix("mail_").replace("_", " ")))


def _queue(screen: Screen, found: dict[str, Any]) -> list[tuple[str, str]]:
    if found.get("queue") is None:
        return []
    hint = screen.dim("  (postern queue list)")
    lines = [("Queue", _waiting(found["queue"], "message") + (hint if found["queue"]["waiting"] else ""))]
    lines += _paused(screen, found)
    relay = found.get("postfix_queue")
    if relay is not None and relay.get("error"):
        lines.append(("Postfix", screen.style(_one_line(relay["error"]), fg="red")))
    elif relay is not None:
        lines.append(("Postfix", _waiting(relay, "message") + (hint if relay["waiting"] else "")))
    if found.get("webhooks"):
        lines.append(("Webhooks", _waiting(found["webhooks"], "event")))
    return lines


def _paused(screen: Screen, found: dict[str, Any]) -> list[tuple[str, str]]:
    paused = found.get("paused")
    if not paused:
        return []
    parts = ["everything"] if paused["server"] else []
    parts += [_counted(paused[name], name) for name in ("organizations", "pods", "inboxes") if paused[name]]
    if not parts:
        return []
    waiting = f"; {_counted(paused['waiting'], 'messages')} held back"
    text = screen.style(", ".join(parts), fg="yellow") + waiting
    return [("Paused", text + screen.dim("  (postern pause --list)"))]


def _waiting(queue: dict[str, Any], what: str) -> str:
    count = queue["waiting"]
    if not count:
        return "nothing waits"
    oldest = queue.get("oldest_seconds")
    tail = f", the oldest for {span(oldest)}" if oldest is not None else ""
    return f"{count:,} {what}{'s wait' if count != 1 else ' waits'}{tail}"


def _mail(found: dict[str, Any]) -> list[tuple[str, str]]:
    mail = found.get("mail")
    if mail is None:
        return []
    parts = [
        _counted(mail[name], name)
        for name in ("messages", "inboxes", "organizations")
        if mail.get(name) is not None
    ]
    lines = [("Mail", ", ".join(parts))] if parts else []
    for heading, name in (("Last in", "last_received_at"), ("Last out", "last_sent_at")):
        if name in mail:
            at = mail[name]
            lines.append((heading, f"{full(at)} ({span(since(at))} ago)" if at else "none yet"))
    return lines


def _counted(count: int, plural: str) -> str:
    singular = {"inboxes": "inbox"}.get(plural, plural.removesuffix("s"))
    return f"{count:,} {singular if count == 1 else plural}"


def _database(screen: Screen, found: dict[str, Any]) -> list[tuple[str, str]]:
    database = found.get("database")
    if database is None:
        return []
    if database.get("error"):
        return [("Database", f"{database['kind']}: {screen.style(_one_line(database['error']), fg='red')}")]
    known = f", {size(database['size'])}" if database["size"] is not None else ""
    return [("Database", f"{database['kind']}{known}")]


def _one_line(text: str) -> str:
    return visible(" ".join(text.split()))


def _disks(screen: Screen, found: dict[str, Any]) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for one in found.get("disks", []):
        part = one["free"] / one["total"] if one["total"] else 0.0
        text = f"{size(one['free'])} of {size(one['total'])} free ({100 * part:.0f} %)"
        shown = screen.style(text, fg="red") if part < _LITTLE_DISK else text
        lines.append(("Disk" if not lines else "", f"{shown}  {screen.dim(visible(one['path']))}"))
    return lines


def _certificate(screen: Screen, found: dict[str, Any]) -> list[tuple[str, str]]:
    if "certificate" not in found:
        return []
    one = found["certificate"]
    if one is None:
        return [("Certificate", "none is set (mail.tls_cert)")]
    if one.get("error"):
        return [("Certificate", screen.style(f"{visible(one['file'])}: {visible(one['error'])}", fg="red"))]
    days = one["days_left"]
    text = (
        f"expired {full(one['expires_at'])}"
        if days < 0
        else f"valid {days} days more, to {full(one['expires_at'])}"
    )
    shown = screen.style(text, fg="red") if days < _FEW_DAYS else text
    return [("Certificate", f"{visible(one['name'] or one['file'])}, {shown}")]
