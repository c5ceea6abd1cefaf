"""``postern domain``: mail domains, the DNS records they need, and the keys that sign their mail."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from gateway.cli.aliases import targets_of
from gateway.cli.client import segment
from gateway.cli.connect import reach
from gateway.cli.failure import FAILED, USAGE, Failure
from gateway.cli.options import Place, common
from gateway.cli.output import clean, show, show_rows

_MARKS = {"VALID": "OK"}


@click.group(name="domain")
def command() -> None:
    """Add, verify and list domains."""


@command.command()
@click.argument("domain")
@common
def add(place: Place, domain: str) -> None:
    """Add DOMAIN and show the DNS records to publish."""

    async def run() -> None:
        async with reach(place) as client:
            made = await client.call("POST", "/domains", {"domain": domain})
            found = await client.call("GET", _path(made["domain_id"], "setup"))
        name = clean(found["domain_id"])
        show(
            place,
            found,
            *records_to_publish(found),
            "",
            f"As a zone file: postern domain zone {name}. When they are published: postern domain verify {name}",
        )

    asyncio.run(run())


@command.command(name="show")
@click.argument("domain")
@common
def show_(place: Place, domain: str) -> None:
    """Show DOMAIN with its records as they were last seen."""
    found = _call(place, "GET", domain, "setup")
    show(place, found, *findings(found))


@command.command()
@click.argument("domain")
@common
@click.pass_context
def verify(context: click.Context, place: Place, domain: str) -> None:
    """Ask DNS for the records of DOMAIN. Exit code 1 while a required one is missing or wrong."""
    found = _call(place, "POST", domain, "setup/check")
    show(place, found, *findings(found))
    if any(one["required"] and one["status"] != "VALID" for one in found["records"]):
        context.exit(FAILED)


@command.command()
@click.argument("domain")
@click.option(
    "--ns",
    "name_servers",
    multiple=True,
    help="Name server of the zone; with it a whole zone is made, with SOA and NS. May be repeated.",
)
@common
def zone(place: Place, domain: str, name_servers: tuple[str, ...]) -> None:
    """Print the records of DOMAIN as a zone file (RFC 1035), to import or include, or a whole zone with --ns."""

    async def run() -> None:
        async with reach(place) as client:
            query = {"ns": ",".join(name_servers)}
            found = await client.call("GET", _path(domain, "setup/zone"), query=query)
        show(place, found, *(clean(line.replace("\t", " ")) for line in found["zone"].splitlines()))

    asyncio.run(run())


@command.command()
@click.argument("domain")
@click.option("--force", is_flag=True, help="Sign with the new key though its record is not seen in DNS.")
@common
def rotate(place: Place, domain: str, force: bool) -> None:
    """Give DOMAIN a new DKIM key. The first call shows its record; once DNS has it, mail is signed with it.

    The gateway checks for the record by itself; calling this again checks at once. The old record has to stay for
    dns.dkim_overlap_days; `postern domain verify` says when it may go.
    """
    found = _call(place, "POST", domain, "rotate", {"force": force})
    lines = []
    if found["rotated"]:
        lines.append(
            f"mail of {clean(found['domain_id'])} is signed with {clean(found['selector'])} from now on"
        )
        lines += [
            f"keep until Postern says otherwise: {clean(one['name'])} {one['type']}"
            for one in found["records"]
            if one["purpose"] == "dkim_retired"
        ]
    else:
        lines.append("publish this record; mail is signed with its key once DNS has it:")
        lines += [_line(one) for one in found["records"] if one["purpose"] == "dkim_next"]
    show(place, found, *lines, *_obsolete(found))


@command.command(name="mta-sts")
@click.argument("domain")
@click.argument("mode", type=click.Choice(["testing", "enforce", "none"]))
@common
def mta_sts(place: Place, domain: str, mode: str) -> None:
    """Set the MTA-STS policy of DOMAIN (RFC 8461).

    testing: senders report what would fail. enforce: they send only over TLS with a certificate valid for the mail
    host; see first that `postern doctor` finds it good. none: no policy any more. The TXT record changes with it.
    """
    found = _call(place, "POST", domain, "mta-sts", {"mode": mode})
    lines = [_line(one) for one in found["records"] if one["purpose"] == "mta_sts"]
    show(place, found, f"mode {mode}; publish:", *lines)


@command.command()
@click.argument("domain")
@common
def trust(place: Place, domain: str) -> None:
    """Take mail for DOMAIN though DNS does not show that it belongs here (its MX is a filter in front, say).

    Only the operator may. Mail that inboxes of this server send to DOMAIN then stays here.
    """
    found = _call(place, "POST", domain, "trust", as_operator=True)
    show(place, found, f"mail for {clean(found['domain_id'])} is taken here")


@command.command(name="catch-all")
@click.argument("domain")
@click.argument("inbox", required=False)
@click.option("--off", is_flag=True, help="Refuse mail for unknown addresses again.")
@common
def catch_all(place: Place, domain: str, inbox: str | None, off: bool) -> None:
    """Give INBOX (id or address) the mail for every unknown address of DOMAIN; without INBOX, show who gets it.

    Inboxes and aliases of DOMAIN go first. The address of an inbox that is deleted meanwhile stays refused, until
    `postern alias remove` leaves it to the catch-all.
    """
    if off and inbox:
        raise Failure("give an INBOX, or --off", USAGE, fix=f"postern domain catch-all {clean(domain)} --off")
    method, body = ("DELETE", None) if off else ("PUT", {"inbox_id": inbox}) if inbox else ("GET", None)

    async def run() -> None:
        async with reach(place) as client:
            found = await client.call(method, _path(domain, "catch-all"), body)
        if found is None:
            show(
                place,
                {"domain": domain, "catch_all": None},
                f"{clean(domain)}: unknown addresses are refused",
            )
        else:
            show(place, found, f"{clean(found['domain'])}: unknown addresses reach {targets_of(found)}")

    asyncio.run(run())


@command.command()
@click.argument("domain")
@common
def remove(place: Place, domain: str) -> None:
    """Remove DOMAIN and its keys. It must have no inboxes left."""

    async def run() -> None:
        async with reach(place) as client:
            await client.call("DELETE", _path(domain))
        show(place, {"domain_id": domain, "removed": True}, f"{clean(domain)} is removed")

    asyncio.run(run())


@command.command(name="list")
@common
def list_(place: Place) -> None:
    """List the domains: the platform's own (setting mail.domain) first, then those that were added."""

    async def run() -> None:
        async with reach(place) as client:
            rows = await client.rows("/domains", query={"platform": "true"})
        rows.sort(key=lambda row: not row.get("platform", False))
        shown = [{**row, "owner": "platform" if row.get("platform") else "organization"} for row in rows]
        columns = {"DOMAIN": "domain_id", "OWNER": "owner", "STATUS": "status", "CREATED": "created_at"}
        show_rows(place, rows if place.as_json else shown, columns, "no domains")

    asyncio.run(run())


def records_to_publish(found: dict[str, Any]) -> list[str]:
    """The records by what they are good for, each as a line of a zone file."""
    own = [one for one in found["records"] if one["type"] != "PTR"]
    lines = [f"{clean(found['domain_id'])}: {clean(found['status'])}", "", "Required:"]
    lines += [_line(one) for one in own if one["required"]]
    lines += ["", "Recommended (TLS, reports, mail clients):"]
    lines += [_line(one) for one in own if not one["required"]]
    reverse = [one for one in found["records"] if one["type"] == "PTR"]
    if reverse:
        lines += ["", "Reverse names, set by whoever gave you the address (the panel of your provider):"]
        lines += [_line(one) for one in reverse]
    return lines


def findings(found: dict[str, Any]) -> list[str]:
    """A line a record: OK, MISSING or INVALID, what DNS has instead, and the fix."""
    taken = (
        "mail for it is taken" if found["proven"] else "no mail for it is taken until MX and DKIM are there"
    )
    lines = [f"{clean(found['domain_id'])}: {clean(found['status'])}; {taken}"]
    for one in found["records"]:
        mark = _MARKS.get(one["status"], one["status"])
        need = "" if one["required"] or mark == "OK" else "  (recommended)"
        lines.append(f"  {mark:8}{one['type']:6}{clean(one['name'])}{need}")
        if one["found"] and one["status"] == "INVALID":
            lines += [f"          found: {clean(text)}" for text in one["found"]]
        if one["fix"]:
            lines.append(f"          {clean(one['fix'])}")
    return [*lines, *_obsolete(found)]


def _obsolete(found: dict[str, Any]) -> list[str]:
    return [
        f"  no longer needed, take it out of DNS: {clean(one['name'])} {one['type']}"
        for one in found["obsolete"]
    ]


def _line(record: dict[str, Any]) -> str:
    return f"  {clean(record['name'])}. {record['type']} {clean(record['data'])}"


def _path(domain: str, what: str = "") -> str:
    return f"/domains/{segment(domain)}" + (f"/{what}" if what else "")


def _call(
    place: Place,
    method: str,
    domain: str,
    what: str,
    body: dict[str, Any] | None = None,
    *,
    as_operator: bool = False,
) -> dict[str, Any]:
    async def run() -> dict[str, Any]:
        async with reach(place, as_operator=as_operator) as client:
            found: dict[str, Any] = await client.call(method, _path(domain, what), body)
        return found

    return asyncio.run(run())
