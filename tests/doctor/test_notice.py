"""The mail to postmaster@: when there is one, what is in it, and that it arrives while all else is down."""

from __future__ import annotations

import email
import email.policy
import imaplib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.doctor.context import Scene
from gateway.doctor.finding import fail, ok, warn
from gateway.doctor.notice import Mailed, NotMailed, compose, failures_of, is_due, mail_postmaster
from gateway.doctor.run_checks import Report
from gateway.records.ids import INBOX_ID, ORGANIZATION_ID, new_ulid, now_us, number_of
from gateway.store.queries.aliases import put_alias
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from mailserver.provisioning import Provisioning
from tests.doctor.contexts import scene
from tests.mailserver.started import ALICE, BOB, Started, started
from tests.support.gateway_process import GatewayProcess, running_gateway

NOW = 1_800_000_000.0
HOUR = 3600.0
DNS, TLS = ("dns", "shop.test"), ("tls", "imap 993")
REPORTS = [
    Report("dns", (fail("shop.test", "MX shop.test is missing (it is \x1b[31m)", "publish it"),)),
    Report("disk", (ok("/", "room"), warn("/ fsync", "slow", "an SSD"))),
    Report("tls", (fail("imap 993", "expired", "renew it"),)),
]


@pytest.mark.parametrize(
    ("hours", "before", "now", "due"),
    [
        (None, (), (), False),
        (None, (), (DNS,), True),
        (24, (DNS,), (), False),
        (24, (DNS,), (DNS,), False),
        (6 * 24, (DNS,), (DNS,), False),
        (7 * 24, (DNS,), (DNS,), True),
        (24, (DNS,), (DNS, TLS), True),
        (23.5, (DNS,), (TLS,), True),
        (2, (DNS,), (DNS, TLS), False),
        (24, (DNS, TLS), (DNS,), False),
        (-48, (DNS,), (DNS,), True),
    ],
)
def test_when_there_is_a_mail(
    hours: float | None, before: tuple[tuple[str, str], ...], now: tuple[tuple[str, str], ...], due: bool
) -> None:
    last = None if hours is None else Mailed(NOW - hours * HOUR, frozenset(before))
    assert is_due(last, frozenset(now), NOW) is due


def test_it_says_what_fails_and_what_to_do() -> None:
    raw = compose("mail.shop.test", "postmaster@shop.test", REPORTS)
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["Subject"] == "Postern on mail.shop.test: 2 wrong (dns, tls)"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["To"] == "postmaster@shop.test"
    text = message.get_content()
    assert "FAIL  dns  shop.test: MX shop.test is missing" in text
    assert "      fix: publish it" in text
    assert text.index("FAIL  tls") < text.index("WARN  disk  / fsync: slow")
    assert "room" not in text
    assert "\x1b" not in text
    assert max(map(len, raw.split(b"\r\n"))) < 80
    assert failures_of(REPORTS) == {DNS, TLS}


@pytest.mark.anyio
async def test_nobody_to_take_it_and_nothing_that_answers(tmp_path: Path) -> None:
    with started("embedded") as running:
        async with scene(tmp_path) as made:
            with pytest.raises(NotMailed, match=r"postern inbox create postmaster@shop\.test"):
                await mail_postmaster(made, REPORTS, running.server.lmtp_socket)
            with pytest.raises(NotMailed, match="Dovecot did not take"):
                await mail_postmaster(made, REPORTS, tmp_path / "nothing")
            assert not (tmp_path / "doctor.json").exists()  # so that the next run tries again


async def alias_in(made: Scene, address: str, inboxes: list[str]) -> None:
    """The records of an alias and its inboxes, in the database that the doctor reads."""

    def write(tx: Tx) -> None:
        ids = [INBOX_ID.new() for _ in inboxes]
        for ulid, inbox in zip(ids, inboxes, strict=True):
            local, _, domain = inbox.partition("@")
            row = {"id": ulid, "number": number_of(ulid), "organization_id": new_ulid(), "pod_id": new_ulid()}
            at = {"active_at": 0, "created_at": now_us(), "updated_at": now_us()}
            sql(tx).insert("inbox", {**row, "address": inbox, "username": local, "domain": domain, **at})
        put_alias(tx, ORGANIZATION_ID.new(), address, ids)

    assert made.store is not None
    await made.store.write(write)


@pytest.mark.anyio
async def test_it_comes_once_and_everybody_behind_an_alias_gets_it(tmp_path: Path) -> None:
    def subjects(running: Started, address: str) -> list[str]:
        with imaplib.IMAP4(running.imap.host, running.imap.port) as client:
            client.login(address, "secret")
            client.select("INBOX")
            found = client.search(None, "ALL")[1][0].split()
            heads = [client.fetch(one.decode(), "(BODY[HEADER.FIELDS (SUBJECT)])")[1][0] for one in found]
        return [head[1].decode().strip() for head in heads if isinstance(head, tuple)]

    with started("embedded") as running:
        running.call(running.server.set_alias, "postmaster@x.test", [ALICE, BOB])
        socket = running.server.lmtp_socket
        assert isinstance(running.server, Provisioning)
        async with scene(tmp_path, mail__domain="x.test", mail__hostname="mx.x.test") as made:
            await alias_in(made, "postmaster@x.test", [ALICE, BOB])
            assert await mail_postmaster(made, REPORTS, socket) == "postmaster@x.test"
            assert await mail_postmaster(made, REPORTS, socket) == ""
            assert await mail_postmaster(made, REPORTS[:1], socket) == ""
            # what was well for a run is news when it fails again, but not on the same day
            state = json.loads((tmp_path / "doctor.json").read_text())
            assert state["failures"] == [list(DNS)]
            assert await mail_postmaster(made, REPORTS, socket) == ""
            state["at"] = time.time() - 24 * HOUR
            (tmp_path / "doctor.json").write_text(json.dumps(state))
            assert await mail_postmaster(made, REPORTS, socket) == "postmaster@x.test"
        for address in (ALICE, BOB):
            assert subjects(running, address) == ["Subject: Postern on mx.x.test: 2 wrong (dns, tls)"] * 2


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    quiet: dict[str, Any] = {"doctor__mx_hosts": ["127.0.0.1:9"], "doctor__ntp_server": "127.0.0.1:9"}
    with running_gateway(tmp_path, **quiet) as running:
        yield running


def test_the_command_mails_it_past_a_gateway_that_hangs(gateway: GatewayProcess) -> None:
    """Port 25 of others is closed; then the gateway itself does not answer, and only Dovecot is left."""
    made = gateway.postern("inbox", "create", "postmaster@postern.test", "--json")
    inbox = json.loads(made.stdout)["inbox_id"]
    only = ("doctor", "--only", "outbound", "--only", "outbox", "--mail")
    done = gateway.postern(*only)
    assert done.returncode == 2
    assert "what fails was mailed to postmaster@postern.test" in done.stderr
    assert "mailed" not in gateway.postern(*only).stderr  # the same things fail

    def received() -> list[str]:
        page = gateway.postern("--json", "doctor", "--only", "outbox")
        assert page.returncode == 0
        key = json.loads((gateway.data / "operator.json").read_text())["api_key"]
        found = replace(gateway.organization, api_key=key).call("GET", f"inboxes/{inbox}/messages")
        return [one["subject"] for one in found["messages"]]

    end = time.monotonic() + 30
    while not (subjects := received()):
        assert time.monotonic() < end
    assert subjects == ["Postern on mail.postern.test: 1 wrong (outbound)"]
    (gateway.data / "doctor.json").unlink()
    os.kill(gateway.pid, 19)  # SIGSTOP: it holds its lock and answers nothing
    try:
        assert "was mailed to postmaster@postern.test" in gateway.postern(*only).stderr
    finally:
        os.kill(gateway.pid, 18)
    end = time.monotonic() + 30
    while len(received()) < 2:
        assert time.monotonic() < end
