from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from dns.rcode import SERVFAIL
from local_servers import Zone

from gateway.net.resolver import Outcome, Resolver, read_hosts

pytestmark = pytest.mark.anyio


async def test_records_of_several_types(zone: Zone) -> None:
    zone.records = {
        ("a.example", "A"): ["192.0.2.7"],
        ("a.example", "AAAA"): ["2001:db8::7"],
        ("a.example", "MX"): ["20 b.a.example.", "10 c.a.example."],
        ("null.example", "MX"): ["0 ."],
        ("a.example", "TXT"): ['"v=spf1 " "-all"', '"other"'],
    }
    resolver = zone.resolver()
    assert (await resolver.addresses("A.example.")).found == ("2001:db8::7", "192.0.2.7")
    assert await resolver.mail_hosts("a.example") == (Outcome.OK, ((10, "c.a.example"), (20, "b.a.example")))
    assert await resolver.mail_hosts("null.example") == (Outcome.OK, ((0, "."),))
    outcome, texts = await resolver.texts("a.example")
    assert outcome is Outcome.OK
    assert sorted(texts) == [b"other", b"v=spf1 -all"]


async def test_answers_are_cached_until_forgotten(zone: Zone) -> None:
    zone.records = {("a.example", "TXT"): ["one"]}
    resolver = zone.resolver()
    for _ in range(3):
        assert (await resolver.texts("a.example"))[1] == (b"one",)
    assert len(zone.asked) == 1
    zone.records = {("a.example", "TXT"): ["two"]}
    assert (await resolver.texts("a.example"))[1] == (b"one",)
    resolver.forget()
    assert (await resolver.texts("a.example"))[1] == (b"two",)


async def test_equal_questions_at_once_are_asked_once_and_survive_a_cancelled_caller(zone: Zone) -> None:
    zone.records = {("a.example", "A"): ["192.0.2.1"]}
    zone.delay = 0.1
    resolver = zone.resolver()
    callers = [asyncio.create_task(resolver.lookup("a.example", "A")) for _ in range(20)]
    await asyncio.sleep(0.02)
    callers[0].cancel()
    answers = await asyncio.gather(*callers[1:])
    assert all(answer.outcome is Outcome.OK for answer in answers)
    assert len(zone.asked) == 1


async def test_the_cap_holds(zone: Zone) -> None:
    zone.records = {(f"n{n}.example", "A"): ["192.0.2.1"] for n in range(12)}
    zone.delay = 0.1
    resolver = zone.resolver(concurrency=3)
    callers = [asyncio.create_task(resolver.lookup(f"n{n}.example", "A")) for n in range(12)]
    await asyncio.sleep(0.05)
    assert len(zone.asked) == 3
    assert all(answer.outcome is Outcome.OK for answer in await asyncio.gather(*callers))


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("gone.example", Outcome.NO_NAME),
        ("empty.example", Outcome.NO_DATA),
        ("broken.example", Outcome.FAILED),
        ("silent.example", Outcome.FAILED),
        ("a..example", Outcome.BAD_NAME),
        ("x" * 64 + ".example", Outcome.BAD_NAME),
        ("x." * 200 + "example", Outcome.BAD_NAME),
        ("\x00\n.example", Outcome.NO_NAME),
        ("", Outcome.NO_DATA),
        ("\ud800.example", Outcome.BAD_NAME),
    ],
)
async def test_trouble_is_a_value(name: str, outcome: Outcome, zone: Zone) -> None:
    zone.records = {("empty.example", "TXT"): ["x"], ("broken.example", "A"): SERVFAIL, ("", "TXT"): ["x"]}
    zone.silent = {"silent.example"}
    answer = await zone.resolver(lifetime=0.5).lookup(name, "A")
    assert answer.outcome is outcome
    assert answer.reason
    assert answer.records == ()
    assert answer.temporary is (outcome is Outcome.FAILED)


async def test_no_name_server_at_all_is_a_value() -> None:
    answer = await Resolver([], hosts_file=None, lifetime=0.5).addresses("a.example")
    assert answer.outcome is Outcome.FAILED


async def test_hosts_file_and_localhost_need_no_dns(zone: Zone, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("# c\n10.0.0.5 Agent agent.lan # x\nbad line\n\nfd00::5 agent\n")
    resolver = zone.resolver(hosts_file=hosts)
    assert (await resolver.addresses("AGENT.")).found == ("10.0.0.5", "fd00::5")
    assert (await resolver.addresses("agent.lan")).found == ("10.0.0.5",)
    assert (await resolver.addresses("db.localhost")).found == ("127.0.0.1", "::1")
    assert (await resolver.addresses("192.0.2.1")).found == ("192.0.2.1",)
    assert zone.asked == []
    assert read_hosts(tmp_path / "none") == {}
