"""Checks cannot hang, stop each other, or end with a traceback."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.doctor.checks import CHECKS
from gateway.doctor.context import Door, NoGateway, Scene, apart
from gateway.doctor.finding import Finding, ok, worst
from gateway.doctor.run_checks import Check, examine
from tests.doctor.contexts import scene

pytestmark = pytest.mark.anyio


async def sleeps(made: Scene) -> Sequence[Finding]:
    await asyncio.sleep(600)
    return []


async def hangs(made: Scene) -> Sequence[Finding]:
    await apart(threading.Event().wait)  # as a dead disk would
    return []


async def breaks(made: Scene) -> Sequence[Finding]:
    raise KeyError("secret")


async def may_not(made: Scene) -> Sequence[Finding]:
    raise PermissionError(13, "Permission denied", "/var/spool/x")


async def needs_gateway(made: Scene) -> Sequence[Finding]:
    await made.ask("GET", "/ready")
    return []


async def works(made: Scene) -> Sequence[Finding]:
    return [ok("it", "works")]


async def test_each_check_has_its_say(tmp_path: Path) -> None:
    checks = [
        Check("sleeps", sleeps, 0.2),
        Check("hangs", hangs, 0.2),
        Check("breaks", breaks),
        Check("may-not", may_not),
        Check("gateway", needs_gateway),
        Check("works", works),
    ]
    async with scene(tmp_path, database=False) as made:
        reports = await examine(made, checks)
    assert [report.check for report in reports] == [check.name for check in checks]
    found = {report.check: report.findings[0] for report in reports}
    assert {name: one.level for name, one in found.items()} == {
        "sleeps": "fail",
        "hangs": "fail",
        "breaks": "fail",
        "may-not": "warn",
        "gateway": "warn",
        "works": "ok",
    }
    assert "within 0.2 s" in found["hangs"].text
    assert "KeyError" in found["breaks"].text
    assert found["may-not"].fix == "run this as root"
    assert "systemctl start postern" in found["gateway"].fix


async def test_without_anything_every_check_says_something_or_nothing_to_say(tmp_path: Path) -> None:
    """No database, no gateway, no daemon: no check fails to do its work."""
    async with scene(tmp_path, database=False, doctor__mx_hosts=["127.0.0.1:9"]) as made:
        reports = await examine(made, [one for one in CHECKS if not one.optional])
    for report in reports:
        for one in report.findings:
            assert "the check itself failed" not in one.text, (report.check, one.text)
    assert worst([one.level for report in reports for one in report.findings]) == 2


@pytest.mark.parametrize(
    ("settings", "applying"),
    [
        ({"dns__nameservers": []}, set()),
        ({}, {"dns", "hostname", "postmaster"}),
        ({"dns__nameservers": [], "mail__smarthost": "relay.test:587"}, {"outbound"}),
        ({"dns__nameservers": [], "doctor__mx_hosts": ["127.0.0.1:9"]}, {"outbound"}),
        ({"dns__nameservers": [], "mail__tls_cert": "/c", "mail__tls_key": "/k"}, {"tls", "certificates"}),
        ({"dns__nameservers": [], "http__public_url": "https://x.test"}, {"tls"}),
    ],
)
async def test_in_the_development_profile_only_what_was_set_up_is_judged(
    tmp_path: Path, settings: dict[str, Any], applying: set[str]
) -> None:
    asked: set[str] = set()

    def check(name: str) -> Check:
        async def look(made: Scene) -> Sequence[Finding]:
            asked.add(name)
            return []

        return Check(name, look)

    only_servers = ["outbound", "tls", "certificates", "dns", "hostname", "postmaster"]
    checks = [check(name) for name in (*only_servers, "disk")]
    async with scene(tmp_path, database=False, profile="development", **settings) as made:
        first, *_ = await examine(made, checks)
    assert asked == {*applying, "disk"}
    assert first.check == "profile"
    assert first.findings[0].text.endswith(
        ": " + ", ".join(one for one in only_servers if one not in applying)
    )
    asked.clear()
    async with scene(tmp_path, database=False, **settings) as made:
        reports = await examine(made, checks)
    assert asked == {*only_servers, "disk"}
    assert "profile" not in [one.check for one in reports]


async def test_a_gateway_that_does_not_answer(tmp_path: Path) -> None:
    async with scene(tmp_path, database=False, door=Door("http://127.0.0.1:9", "k")) as made:
        with pytest.raises(NoGateway):
            await made.ask("GET", "/ready")


def test_exit_codes() -> None:
    assert worst([]) == 0
    assert worst(["ok", "ok"]) == 0
    assert worst(["ok", "warn"]) == 1
    assert worst(["warn", "fail", "ok"]) == 2
