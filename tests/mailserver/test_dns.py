"""Records a domain needs, checked against a real (tiny) name server."""

from typing import Any

import pytest

from mailserver.dns import Checker, Record, ResolverSettings, records_for
from tests.support.servers import NameServer

pytestmark = pytest.mark.anyio
KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 12


def wanted() -> list[Record]:
    return records_for("x.test", mail_host="mx.x.test", dkim_selector="s1", dkim_public_key=KEY)


async def statuses(zones: dict[Any, Any], silent: tuple[str, ...] = ()) -> list[str]:
    async with NameServer(zones, silent) as server:
        checker = Checker(ResolverSettings(("127.0.0.1",), server.port, 0.6))
        return [one.status for one in await checker.check(wanted())]


def txt(text: str) -> str:
    return " ".join(f'"{text[at : at + 250]}"' for at in range(0, len(text), 250))


def published() -> dict[Any, Any]:
    return {
        (one.name, one.type): ([f"10 {one.value}."] if one.type == "MX" else [txt(one.value)])
        for one in wanted()
    } | {("x.test", "TXT"): [txt("unrelated"), txt("v=spf1 mx -all")]}


async def test_published_records_are_valid() -> None:
    assert await statuses(published()) == ["VALID"] * 4


async def test_unknown_domain_is_missing() -> None:
    assert await statuses({("y.test", "A"): ["127.0.0.1"]}) == ["MISSING"] * 4


async def test_servfail_and_silence_are_missing_and_do_not_raise() -> None:
    failing = dict.fromkeys(published())
    assert await statuses(failing) == ["MISSING"] * 4
    assert await statuses(published(), silent=("x.test",)) == ["MISSING", "MISSING", "VALID", "VALID"]


@pytest.mark.parametrize(
    ("key", "value", "index"),
    [
        (("x.test", "MX"), ["10 other.test."], 0),
        (("x.test", "MX"), ["5 other.test.", "10 mx.x.test."], 0),
        (("x.test", "TXT"), [txt("v=spf1 -all")], 1),
        (("x.test", "TXT"), [txt("v=spf1 mx +all")], 1),
        (("x.test", "TXT"), [txt("v=spf1 mx -all"), txt("v=spf1 a -all")], 1),
        (("s1._domainkey.x.test", "TXT"), [txt("v=DKIM1; k=rsa; p=")], 2),
        (("s1._domainkey.x.test", "TXT"), [txt(f"v=DKIM1; k=ed25519; p={KEY}")], 2),
        (("_dmarc.x.test", "TXT"), [txt("v=DMARC1; p=maybe")], 3),
    ],
)
async def test_wrong_value_is_invalid(key: tuple[str, str], value: list[str], index: int) -> None:
    found = await statuses(published() | {key: value})
    assert found[index] == "INVALID"
    assert [status for at, status in enumerate(found) if at != index] == ["VALID"] * 3
