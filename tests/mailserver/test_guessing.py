"""Guessing passwords: each failure makes the next answer wait, and nobody locks the owner out."""

from __future__ import annotations

import imaplib
import re
import smtplib
from pathlib import Path

import pytest

from mailserver.guessing import (
    FREE,
    HALF_LIFE,
    LASTS,
    LONGEST,
    LONGEST_ACCOUNT,
    MAX_KEPT,
    Guesses,
)
from mailserver.networks import client_of
from mailserver.notifications import NotificationListener
from tests.support.gateway_process import Server, running_gateway
from tests.transfer.full_inbox import person

SOMEBODY, OWNER = "192.0.2.1", "198.51.100.7"


def fail(guesses: Guesses, address: str, account: str, times: int = 1, now: float = 0.0) -> list[float]:
    """Failed logins one after the other; answers what each had to wait."""
    waits = []
    for _ in range(times):
        waits.append(guesses.begin(address, account, now))
        guesses.end(address, account, False, now)
    return waits


def test_a_network_waits_longer_with_each_failure_whatever_account_it_tries() -> None:
    guesses = Guesses()
    waits = [fail(guesses, SOMEBODY, f"a{n}@x.test")[0] for n in range(12)]
    assert waits[:FREE] == [0.0] * FREE
    assert waits[FREE:] == sorted(waits[FREE:])
    assert waits[-1] == LONGEST
    assert fail(guesses, OWNER, "a0@x.test") == [0.0]
    # it is forgiven with time
    assert fail(guesses, SOMEBODY, "a@x.test", now=10 * HALF_LIFE) == [0.0]


def test_an_account_that_many_networks_try_waits_seconds_and_its_owner_not_at_all() -> None:
    guesses = Guesses()
    guesses.begin(OWNER, "ann@x.test", 0)
    guesses.end(OWNER, "ann@x.test", True, 0)
    for n in range(200):
        fail(guesses, f"203.0.113.{n}", "ann@x.test")
    assert guesses.begin("192.0.2.99", "Ann@X.test ", 0) == LONGEST_ACCOUNT
    assert guesses.begin(OWNER, "ann@x.test", 0) == 0.0


def test_a_known_account_is_guarded_in_its_own_network_too() -> None:
    guesses = Guesses()
    guesses.begin(OWNER, "ann@x.test", 0)
    guesses.end(OWNER, "ann@x.test", True, 0)
    assert fail(guesses, OWNER, "ann@x.test", 12)[-1] == LONGEST


def test_trying_in_parallel_is_no_faster() -> None:
    guesses = Guesses()
    waits = [guesses.begin(SOMEBODY, "ann@x.test", 0) for _ in range(30)]
    assert waits[-1] == LONGEST
    for _ in waits:
        guesses.end(SOMEBODY, "ann@x.test", True, 0)
    assert guesses.begin(SOMEBODY, "ann@x.test", 0) == 0.0


def test_a_client_that_hangs_up_is_not_under_way_for_ever() -> None:
    guesses = Guesses()
    for _ in range(100):
        guesses.begin(SOMEBODY, "ann@x.test", 0)
    assert guesses.begin(SOMEBODY, "ann@x.test", 1) == LONGEST
    assert guesses.begin(SOMEBODY, "ann@x.test", LASTS + 2) == 0.0
    assert guesses.under_way(2 * LASTS + 3) == 0


def test_the_gateways_own_logins_never_wait() -> None:
    guesses = Guesses(exempt=("127.80.79.83", "postern-submit"))
    fail(guesses, "127.0.0.1", "ann@x.test", 50)
    assert [guesses.begin("127.0.0.1", "postern-submit", 0) for _ in range(50)] == [0.0] * 50
    assert guesses.begin("127.80.79.83", "ann@x.test", 0) == 0.0


def test_networks_are_one_address_of_ipv4_and_a_64_of_ipv6() -> None:
    assert client_of("192.0.2.1") == client_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert client_of("2001:db8:1:2::1") == client_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
    assert client_of("2001:db8:1:3::1") != client_of("2001:db8:1:2::1")
    assert client_of("") == ""


def test_what_is_kept_is_bounded() -> None:
    guesses = Guesses()
    for n in range(MAX_KEPT + 5000):
        fail(guesses, f"2001:db8:{n >> 16:x}:{n & 0xFFFF:x}::1", f"a{n}@x.test")
    assert len(guesses) <= 3 * MAX_KEPT


def test_what_fails_on_dovecot_is_counted_where_submission_counts() -> None:
    guesses = Guesses(exempt=("127.80.79.83",))
    listener = NotificationListener(lambda hint: None, secret="s", guesses=guesses)

    def login(address: str) -> bytes | None:
        body = b'{"login":"ann@x.test","remote":"%s","success":false}' % address.encode()
        answer = listener.judge_login(b"/s/logins?command=allow", body)
        listener.judge_login(b"/s/logins?command=report", body)
        return answer

    answers = [login(SOMEBODY) for _ in range(FREE + 2)]
    assert (answers[0], answers[-1]) == (b'{"status":0,"msg":""}', b'{"status":2,"msg":""}')
    assert guesses.begin(SOMEBODY, "bob@x.test") > 0.0
    assert {login("127.80.79.83") for _ in range(20)} == {answers[0]}, "the gateway's own logins never wait"


@pytest.mark.parametrize("server", ["embedded", "postfix_dovecot"])
def test_dovecot_and_submission_count_together(server: Server, tmp_path: Path) -> None:
    """What fails over IMAP makes submission wait, and a right password still opens."""
    with running_gateway(tmp_path, server) as gateway:
        address, password = gateway.inbox["address"], gateway.inbox["password"]
        other = gateway.organization.new_inbox("other")["email_address"]
        right = gateway.organization.call("POST", f"inboxes/{other}/credentials")["password"]
        for number in range(FREE + 1):
            client = imaplib.IMAP4("127.0.0.1", gateway.port("imap"), timeout=60)
            with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
                client.login(address, f"wrong {number}")
            client.shutdown()
        with (
            smtplib.SMTP("127.0.0.1", gateway.port("submission"), timeout=60) as smtp,
            pytest.raises(smtplib.SMTPAuthenticationError),
        ):
            smtp.login(address, "wrong at submission")
        for one, secret in ((other, right), (address, password)):
            with person(gateway, one, secret) as client:
                assert client.select("INBOX")[0] == "OK"
        with smtplib.SMTP("127.0.0.1", gateway.port("submission"), timeout=60) as smtp:
            smtp.login(address, password)
        conf = (gateway.data / "dovecot" / "dovecot-logins.conf").read_text()
        assert re.search(
            r"^auth_policy_server_url = http://127\.0\.0\.1:\d+/[0-9a-f]{64}/logins$", conf, re.MULTILINE
        )
        log = "".join(one.read_text("utf-8", "replace") for one in gateway.data.rglob("dovecot.log"))
        assert "Policy server" not in log
