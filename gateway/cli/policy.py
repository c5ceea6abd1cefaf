"""``postern policy``: what may be sent, by rules of the organization, a pod or an inbox."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import click

from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.failure import USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show, show_rows

_LISTS = ("sending.allow", "sending.only", "sending.block", "sending.reviewers", "sending.risky")
_CAPS = (
    "sending.caps.per_minute",
    "sending.caps.per_hour",
    "sending.caps.per_day",
    "sending.caps.new_recipients_per_day",
    "sending.caps.per_recipient_per_day",
    "sending.caps.per_thread_per_day",
    "sending.caps.ramp_days",
)
_NAMES = ("sending.mode", *_LISTS, "sending.caps_action", *_CAPS)
_name = click.Choice(_NAMES)
_pod = click.option("--pod", help="Of this pod (its id).")
_inbox = click.option(
    "--inbox", help="Of this inbox (id or address); without it and --pod, of the organization."
)


@click.group(name="policy")
def command() -> None:
    """Show and change what may be sent.

    The narrowest policy that says anything about a value decides; what a wider one locks may only be made stricter.
    """


@command.command(name="show")
@_pod
@_inbox
@common
def show_(place: Place, pod: str | None, inbox: str | None) -> None:
    """Show each value that holds, and whose policy says so."""

    async def run() -> None:
        async with reach(place) as client:
            found = await client.call("GET", _path(pod, inbox))
        _show(place, found)

    asyncio.run(run())


@command.command(name="set")
@click.argument("name", type=_name)
@click.argument("values", nargs=-1)
@click.option("--lock/--unlock", default=None, help="Whether narrower policies may only make it stricter.")
@_pod
@_inbox
@common
def set_(
    place: Place, name: str, values: Sequence[str], lock: bool | None, pod: str | None, inbox: str | None
) -> None:
    """Set NAME to VALUES: a mode (free, monitored, approve_risky, approve_all, receive_only), a number (0: no limit),
    words, or addresses and domains (*.DOMAIN: it and all below; *: everybody). With --lock or --unlock alone, VALUES
    stay as they are."""
    if name not in _LISTS and len(values) > 1:
        raise Failure(f"{name} takes one value", USAGE, fix="give one")
    given: str | int = values[0] if values else ""
    if name in _CAPS and values:
        if not (values[0].isascii() and values[0].isdigit() and len(values[0]) < 10):
            raise Failure(f"{values[0][:100]!r} is no number", USAGE, fix="write a number; 0 for no limit")
        given = int(values[0])
    if not values and lock is None:
        raise Failure(
            f"no value for {name}",
            USAGE,
            fix="give one, --lock or --unlock; `postern policy unset` leaves it open",
        )

    def change(sending: dict[str, Any], locked: set[str]) -> None:
        if values:
            within, last = _place(sending, name)
            within[last] = list(values) if name in _LISTS else given
        if lock is not None:
            (locked.add if lock else locked.discard)(name)

    asyncio.run(_changed(place, pod, inbox, change))


@command.command()
@click.argument("names", nargs=-1, type=_name)
@click.option("--all", "everything", is_flag=True, help="Every value: only the wider policies hold then.")
@_pod
@_inbox
@common
def unset(place: Place, names: Sequence[str], everything: bool, pod: str | None, inbox: str | None) -> None:
    """Leave NAMES to the wider policy, and unlock them."""
    if bool(names) == everything:
        raise Failure("name values, or give --all", USAGE, fix=f"the names are {', '.join(_NAMES)}")

    def change(sending: dict[str, Any], locked: set[str]) -> None:
        for name in names:
            within, last = _place(sending, name)
            within.pop(last, None)
            locked.discard(name)

    asyncio.run(_removed(place, pod, inbox) if everything else _changed(place, pod, inbox, change))


@command.command()
@_pod
@_inbox
@common
def versions(place: Place, pod: str | None, inbox: str | None) -> None:
    """List the changes, newest first: when, with which key, and what the policy said then."""

    async def run() -> None:
        async with reach(place) as client:
            rows = await client.rows(_path(pod, inbox) + "/versions")
        if not place.as_json:
            rows = [one | {"said": _said(one["rule"])} for one in rows]
        columns = {"VERSION": "version", "AT": "created_at", "KEY": "created_by", "SAID": "said"}
        show_rows(place, rows, columns, "never changed")

    asyncio.run(run())


async def _changed(
    place: Place, pod: str | None, inbox: str | None, change: Callable[[dict[str, Any], set[str]], None]
) -> None:
    path = _path(pod, inbox)
    async with reach(place) as client:
        found = await client.call("GET", path)
        own = found["own"]
        if own is None:
            raise Failure(
                "the policy cannot be read, so it cannot be changed in part",
                fix="take it away with `postern policy unset --all`, then set it anew",
            )
        locked = set(own["locked"])
        change(own["sending"], locked)
        body = {"sending": own["sending"], "locked": sorted(locked), "version": found["version"]}
        found = await client.call("PUT", path, body)
    _show(place, found)


async def _removed(place: Place, pod: str | None, inbox: str | None) -> None:
    path = _path(pod, inbox)
    async with reach(place) as client:
        await client.call("DELETE", path)
        found = await client.call("GET", path)
    _show(place, found)


def _path(pod: str | None, inbox: str | None) -> str:
    if pod is not None and inbox is not None:
        raise Failure("--pod and --inbox are both given", USAGE, fix="give one of them")
    if inbox is not None:
        return f"/inboxes/{segment(inbox)}/policy"
    return f"/pods/{segment(pod)}/policy" if pod is not None else "/policy"


def _show(place: Place, found: dict[str, Any]) -> None:
    if place.as_json:
        show(place, found)
        return
    if found["effective"] is None:
        click.echo("a policy cannot be read by this version of Postern: nothing is sent until it is set anew")
        return
    held = found["effective"]["sending"]
    rows = [{"name": name, **within[last]} for name in _NAMES for within, last in [_place(held, name)]]
    rows = [one | {"value": _words(one["value"])} for one in rows]
    columns = {"NAME": "name", "VALUE": "value", "FROM": "origin", "LOCKED BY": "locked_by"}
    show_rows(place, rows, columns, "")


def _place(sending: dict[str, Any], name: str) -> tuple[dict[str, Any], str]:
    """Where a value is: the object that has it, and its name there."""
    *above, last = name.split(".")[1:]
    for one in above:
        sending = sending.setdefault(one, {})
    return sending, last


def _said(rule: dict[str, Any] | None) -> str:
    if rule is None:
        return "cannot be read"
    places = [(name, *_place(rule["sending"], name)) for name in _NAMES]
    said = [f"{name} {_words(within[last])}" for name, within, last in places if last in within]
    return clean("; ".join([*said, *(f"{name} locked" for name in rule["locked"])]) or "nothing")


def _words(value: Any) -> str:
    return (", ".join(value) or "nobody") if isinstance(value, list) else str(value)
