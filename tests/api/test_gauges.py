"""What /metrics says of the queues, the certificate and the parts: looked up seldom, and never at the scrape's cost."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from gateway.api import metrics_collectors
from gateway.api.metrics_collectors import Gauges, Probe
from mailserver.base import Envelope
from mailserver.embedded.settings import Smarthost
from tests.support.running_api import RunningApi, running_api
from tests.support.servers import postfix_server
from tests.vps.certificates import certificate_for

pytestmark = pytest.mark.anyio
V0 = "/api/v0"


def samples(text: str) -> dict[str, float]:
    """By name, a part's by ``name/part``."""
    return {
        "/".join((one.name, *one.labels.values())): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
        if one.name.startswith("postern_") and set(one.labels) <= {"part"}
    }


async def scraped(client: httpx.AsyncClient) -> dict[str, float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return samples(answer.text)


async def test_what_waits_and_what_works(tmp_path: Path) -> None:
    chain = tmp_path / "chain.pem"
    chain.write_text(certificate_for("mail.x.test").chain)
    async with running_api(tmp_path, mail__tls_cert=str(chain), mail__tls_key=str(chain)) as running:
        made = await running.api.post(f"{V0}/inboxes", json={"username": "bot"})
        assert made.is_success, made.text
        inbox = made.json()["inbox_id"]
        body = {"to": ["someone@far.test"], "subject": "s", "text": "t"}
        assert (await running.api.post(f"{V0}/inboxes/{inbox}/messages/send", json=body)).is_success
        found = await scraped(running.api)
        assert found["postern_outbox_waiting"] == 1
        assert found["postern_webhooks_waiting"] == 0
        assert found["postern_part_up/dovecot"] == found["postern_part_up/database"] == 1
        assert 0 < found["postern_certificate_expiry_seconds"] < 400 * 86400
        assert not any("mail_queue" in name for name in found), "there is no Postfix here"


async def test_a_certificate_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    nothing = str(tmp_path / "nothing.pem")
    async with running_api(tmp_path, mail__tls_cert=nothing, mail__tls_key=nothing) as running:
        found = await scraped(running.api)
    assert "postern_certificate_expiry_seconds" not in found
    assert "postern_outbox_waiting" in found


async def test_postfix_queue(running: RunningApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    relay = Smarthost(host="127.0.0.1", port=9, tls="none")
    # asked at each turn, not each quarter of a minute
    monkeypatch.setattr(metrics_collectors, "_EVERY", 0)
    async with postfix_server(tmp_path, smarthost=relay) as server:
        mail = Envelope("a@x.test", ("b@far.test",), b"From: a@x.test\r\nSubject: s\r\n\r\nx\r\n", "t")
        [hop] = server.plan(mail.recipients)
        replies = await server.transmit(hop, mail)
        assert all(one.ok for one in replies.values())
        looked = Gauges(replace(running.core, mail=server))

        async def found() -> dict[str, float]:
            await looked.refresh()
            return samples(generate_latest(looked.registry).decode())

        async with asyncio.timeout(30):
            while not (now := await found()).get("postern_mail_queue_messages"):  # noqa: ASYNC110 - only asking tells
                await asyncio.sleep(0.05)
        assert now["postern_mail_queue_messages"] == 1
        assert 0 <= now["postern_mail_queue_oldest_seconds"] < 600
        assert now["postern_part_up/postfix"] == 1


async def test_a_slow_look_is_for_the_next_scrape(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_collectors, "_PATIENCE", 0.01)
    may, asked = asyncio.Event(), 0

    async def ask() -> list[GaugeMetricFamily]:
        nonlocal asked
        asked += 1
        await may.wait()
        return [GaugeMetricFamily("postern_x", "x", asked)]

    probe = Probe("x", 1000, ask)
    task = probe.begin()
    assert task is not None
    await asyncio.wait([task], timeout=0.01)
    assert probe.begin() is task, "one at a time"
    assert probe.families == ()
    may.set()
    await task
    assert [one.value for family in probe.families for one in family.samples] == [1]
    assert probe.begin() is None, "young enough"
    assert asked == 1


async def test_what_fails_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    working = True

    async def ask() -> list[GaugeMetricFamily]:
        if not working:
            raise OSError("the disk is gone")
        return [GaugeMetricFamily("postern_x", "x", 1)]

    async def looked() -> int:
        task = probe.begin()
        assert task is not None
        await task
        return len(probe.families)

    probe = Probe("x", 0, ask)
    assert await looked() == 1
    working = False
    assert [await looked(), await looked()] == [0, 0]
    assert caplog.text.count("the disk is gone") == 1
    working = True
    assert await looked() == 1
