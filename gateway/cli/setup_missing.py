"""What a server still lacks when its set-up has ended: the doctor's findings that concern the world around it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import msgspec

from gateway.cli import doctor
from gateway.cli.failure import Failure
from gateway.cli.options import Place
from gateway.cli.wrapping import wrapped
from gateway.doctor.checks import CHECKS
from gateway.doctor.run_checks import Report
from gateway.setup import layout

_WANTED = ("hostname", "dns", "tls", "outbound")
"""The address and its reverse name, the domain's records, certificates, port 25 of others."""
_SECONDS = 20.0


class Missing(msgspec.Struct, frozen=True):
    """One thing that is missing."""

    subject: str
    text: str
    fix: str


async def missing(place: Place) -> list[Missing]:
    """Look, for at most 20 seconds a check. The same finding on several ports is one."""
    server = replace(place, data=None, config=layout.SETTINGS)
    checks = [replace(one, seconds=_SECONDS) for one in CHECKS if one.name in _WANTED]
    try:
        async with asyncio.timeout(_SECONDS + 10):
            reports = await doctor.run_checks(server, checks)
    except (Failure, TimeoutError) as error:
        why = str(error) or "it took too long"
        return [Missing("check", f"what is missing could not be looked at: {why}", "postern doctor")]
    ordered = sorted(reports, key=lambda one: _WANTED.index(one.check))
    return [one for report in ordered for one in _of(report)]


def _of(report: Report) -> list[Missing]:
    subjects: dict[tuple[str, str], list[str]] = {}
    for one in report.findings:
        if one.level != "ok":
            subjects.setdefault((one.text, one.fix), []).append(one.subject)
    return [Missing(", ".join(names), text, fix) for (text, fix), names in subjects.items()]


def lines(found: list[Missing], later: list[str]) -> list[str]:
    """For the screen."""
    if not found and not later:
        return ["", "Nothing is missing: DNS, certificates and port 25 are as they should be."]
    shown = ["", "Still missing (`postern doctor` checks these again, and more):"]
    for text in later:
        shown += wrapped(text, "  - ", "    ")
    for one in found:
        shown += wrapped(f"{one.subject}: {one.text}", "  - ", "    ")
        if one.fix:
            shown += wrapped(one.fix, "      ")
    return shown
