"""What the world asks by HTTPS: MTA-STS policies and settings for mail clients, for our domains only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from xml.etree import ElementTree

import httpx
import pytest
from starlette.applications import Starlette

from gateway.api.well_known import well_known_routes
from tests.domains.conftest import Place, by_purpose

pytestmark = pytest.mark.anyio
OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"


@pytest.fixture
async def web(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    app = Starlette(routes=well_known_routes(place.running.core))
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://10.0.0.1") as client:
        yield client


async def policy(web: httpx.AsyncClient, host: str) -> httpx.Response:
    return await web.get("/.well-known/mta-sts.txt", headers={"Host": host})


async def test_the_policy_of_each_domain_and_its_id(place: Place, web: httpx.AsyncClient) -> None:
    found = await policy(web, "mta-sts.postern.test:443")
    assert found.status_code == 200
    assert found.headers["content-type"].startswith("text/plain")
    assert found.text == "version: STSv1\r\nmode: testing\r\nmx: mx.postern.test\r\nmax_age: 86400\r\n"
    before = by_purpose(await place.setup("postern.test"))["mta_sts"]["data"]
    await place.call("POST", "domains/postern.test/mta-sts", {"mode": "enforce"}, status=403)
    changed = await place.operator.post("/api/v0/domains/postern.test/mta-sts", json={"mode": "enforce"})
    assert by_purpose(changed.json())["mta_sts"]["data"] != before
    assert "mode: enforce\r\n" in (await policy(web, "MTA-STS.Postern.Test")).text


NOT_OURS = [
    "mta-sts.other.test",
    "postern.test",
    "www.postern.test",
    "mta-sts.",
    "mta-sts.bad..name",
    "",
    "x y",
    "[::1]:80",
]


async def test_no_policy_for_what_is_not_ours(place: Place, web: httpx.AsyncClient) -> None:
    for host in NOT_OURS:
        assert (await policy(web, host)).status_code == 404, host
    await place.call("POST", "domains", {"domain": "named.test"}, status=201)  # not proven yet
    assert (await policy(web, "mta-sts.named.test")).status_code == 404


ASKED = [
    ("/mail/config-v1.1.xml", "autoconfig.postern.test"),
    ("/mail/config-v1.1.xml?emailaddress=anybody%40postern.test", "10.0.0.1"),
    ("/.well-known/autoconfig/mail/config-v1.1.xml", "postern.test"),
]


async def test_thunderbird_is_told_the_servers_of_our_domains_only(web: httpx.AsyncClient) -> None:
    for path, host in ASKED:
        answer = await web.get(path, headers={"Host": host})
        assert answer.status_code == 200, answer.text
        provider = ElementTree.fromstring(answer.content).find("emailProvider")
        assert provider is not None
        assert provider.get("id") == "postern.test"
        names = ("hostname", "port", "socketType")
        assert [
            (one.tag, one.get("type"), *(one.findtext(name) for name in names))
            for one in provider
            if one.tag.endswith("Server")
        ] == [
            ("incomingServer", "imap", "mx.postern.test", "993", "SSL"),
            ("incomingServer", "imap", "mx.postern.test", "2143", "STARTTLS"),
            ("outgoingServer", "smtp", "mx.postern.test", "465", "SSL"),
            ("outgoingServer", "smtp", "mx.postern.test", "2587", "STARTTLS"),
        ]
    for path in ("/mail/config-v1.1.xml?emailaddress=a@far.test", "/mail/config-v1.1.xml?emailaddress=%00@"):
        answer = await web.get(path, headers={"Host": "autoconfig.far.test"})
        assert answer.status_code == 404
        ElementTree.fromstring(answer.content)


def question(address: str) -> str:
    return (
        '<?xml version="1.0"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/'
        f'requestschema/2006"><Request><EMailAddress>{address}</EMailAddress></Request></Autodiscover>'
    )


async def test_outlook_is_told_the_servers(web: httpx.AsyncClient) -> None:
    for path in ("/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml"):
        answer = await web.post(path, content=question("o&apos;neill&amp;co@postern.test"))
        names = ("Server", "Port", "LoginName", "SSL", "Encryption")
        assert {
            one.findtext(f"{OUTLOOK}Type"): [one.findtext(f"{OUTLOOK}{name}") for name in names]
            for one in ElementTree.fromstring(answer.content).iter(f"{OUTLOOK}Protocol")
        } == {
            "IMAP": ["mx.postern.test", "993", "o'neill&co@postern.test", "on", "SSL"],
            "SMTP": ["mx.postern.test", "465", "o'neill&co@postern.test", "on", "SSL"],
        }


async def test_outlook_gets_an_error_it_knows(web: httpx.AsyncClient) -> None:
    for body, code in (
        ("", "600"),
        ("not xml", "600"),
        ("x" * 200_000, "600"),
        (question("a@far.test"), "500"),
        (question("nobody"), "500"),
        ('<!DOCTYPE x [<!ENTITY a "b">]>' + question("&a;@far.test"), "500"),
    ):
        answer = await web.post("/autodiscover/autodiscover.xml", content=body)
        assert answer.status_code == 200
        assert f"<ErrorCode>{code}</ErrorCode>" in answer.text
        ElementTree.fromstring(answer.content)
