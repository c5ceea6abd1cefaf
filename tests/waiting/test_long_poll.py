"""``GET …/messages/wait``: which mail it answers, when, and what it refuses, in every dialect."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.waiting import until
from tests.waiting.waits import DIALECTS, Desk, a_desk, ulid_of

CODE = "Your verification code is 482913. It expires in 10 minutes.\n"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_answers_what_comes_in_the_dialects_own_shape(desk: Desk, dialect: str) -> None:
    desk.receive("Yesterday's mail")
    desk.listed(1)
    (job,) = desk.start(dialect)
    desk.receive("Your code", CODE)
    found = job.result(30)
    assert (found["subject"], found["extracted"]) == ("Your code", {"code": "482913", "link": None})
    text = {"agentmail": "text", "openmail": "bodyText", "mailboxkit": "text_body"}[dialect]
    assert "verification code" in found[text]
    assert ulid_of(found, dialect) == ulid_of(desk.listed(2)[0])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_says_that_nothing_came(desk: Desk, dialect: str) -> None:
    desk.receive("Too early")
    desk.listed(1)
    assert desk.wait(dialect, timeout=1) is None


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"sender": "bob@abroad.test"}, "from Bob"),
        ({"sender": "BOB@Abroad.Test"}, "from Bob"),
        ({"sender": "@other.test"}, "from elsewhere"),
        ({"sender": "roberta"}, "from elsewhere"),
        ({"subject": "BOB"}, "from Bob"),
        ({"subject": "/^from E[a-z]+$/"}, "from elsewhere"),
        ({"subject": "/elsewhere|nowhere/i"}, "from elsewhere"),
        ({"text": "the SECOND word"}, "from elsewhere"),
        ({"sender": "rob", "text": "first"}, "from Bob"),
    ],
)
def test_passes_over_what_does_not_match(desk: Desk, query: dict[str, Any], wanted: str) -> None:
    (job,) = desk.start(**query)
    desk.receive("a decoy", "nothing here\n", sender='"bob@abroad.test" <x@abroad.test.evil.test>')
    desk.receive("from Bob", "the first word\n", sender="Robert <bob@abroad.test>")
    desk.receive("from elsewhere", "the\nsecond word the second word\n", sender="Roberta <r@other.test>")
    assert job.result(30)["subject"] == wanted


def test_what_came_since_counts_once_oldest_first(desk: Desk) -> None:
    for number in range(3):
        desk.receive(f"mail {number}")
        desk.listed(number + 1)
    rows = desk.listed(3)
    first = desk.wait(since="2020-01-01T00:00:00Z")
    assert first["subject"] == "mail 0"
    second = desk.wait(since=first["message_id"])
    assert (second["subject"], second["message_id"]) == ("mail 1", rows[1]["message_id"])
    assert desk.wait(since=ulid_of(second))["subject"] == "mail 2"
    assert (
        desk.wait("mailboxkit", since=desk.wait("mailboxkit", since=ulid_of(first))["id"])["subject"]
        == "mail 2"
    )
    assert desk.wait(since=rows[0]["message_id"], timeout=1) is None
    assert desk.wait(since=first["message_id"], subject="mail 2")["subject"] == "mail 2"


def test_an_answer_that_came_between_sending_and_waiting_counts(desk: Desk) -> None:
    desk.receive("an old answer")
    desk.listed(1)
    path = f"inboxes/{desk.inbox['inbox_id']}/messages/send"
    sent = desk.organization.call("POST", path, json={"to": "ann@abroad.test", "subject": "Q", "text": "?"})
    desk.receive("the answer")
    desk.listed(3)
    assert desk.wait(since=sent["message_id"])["subject"] == "the answer"


def test_since_a_message_that_was_deleted_still_says_when(desk: Desk) -> None:
    desk.receive("read and deleted")
    (row,) = desk.listed(1)
    desk.organization.call("DELETE", f"inboxes/{desk.inbox['inbox_id']}/messages/{row['message_id']}")
    desk.receive("the next one")
    assert desk.wait(since=row["message_id"])["subject"] == "the next one"


def test_everyone_who_waits_hears_and_only_at_their_inbox(desk: Desk) -> None:
    other = desk.organization.new_inbox()
    waiting = desk.start(count=2) + desk.start("openmail")
    with desk.client() as http:
        elsewhere = desk.threads.submit(
            http.get, f"/api/v0/inboxes/{other['inbox_id']}/messages/wait?timeout=3"
        )
        until(lambda: desk.open >= 4)
        desk.receive("for all")
        assert [one.result(30)["subject"] for one in waiting] == ["for all"] * 3
        assert elsewhere.result(30).json() == {"message": None}


def test_spam_and_own_mail_are_not_what_is_waited_for(desk: Desk) -> None:
    (job,) = desk.start()
    path = f"inboxes/{desk.inbox['inbox_id']}/messages/send"
    desk.organization.call("POST", path, json={"to": "ann@abroad.test", "subject": "Q", "text": "?"})
    desk.organization.call(
        "POST", f"inboxes/{desk.inbox['inbox_id']}/lists/receive/block", json={"entry": "bad@abroad.test"}
    )
    desk.receive("blocked", sender="bad@abroad.test")
    desk.receive("wanted")
    assert job.result(30)["subject"] == "wanted"


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"timeout": 0}, "timeout"),
        ({"timeout": 301}, "timeout"),
        ({"timeout": "soon"}, "timeout"),
        ({"subject": "/(/"}, "subject"),
        ({"subject": "/(?=a)b/"}, "subject"),
        ({"subject": f"/{'a' * 501}/"}, "subject"),
        ({"sender": "a" * 999}, "from"),
        ({"since": "2026-13-45T99:00:00Z"}, "since"),
    ],
)
def test_says_which_parameter_does_not_do(
    desk: Desk, dialect: str, query: dict[str, Any], field: str
) -> None:
    got = desk.ask(dialect, **query)
    assert got.status_code in (400, 422), got.text
    assert field in got.text


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_is_not_there_is_not_waited_for(desk: Desk, dialect: str) -> None:
    for since in ("not-an-id", "evt_nonsense", "12345", "9" * 40, "\x00x"):
        assert desk.ask(dialect, since=since).status_code == 404, since
    with desk.client() as http:
        foreign = desk.gateway.inbox["id"]
        got = http.get(desk.path(dialect).replace(desk.inbox["inbox_id"], foreign))
        assert got.status_code == 404, got.text


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_key_waits_only_within_its_reach(desk: Desk, dialect: str) -> None:
    other = desk.organization.new_inbox()
    scoped = desk.organization.call("POST", f"inboxes/{other['inbox_id']}/api-keys", json={"name": "other"})
    assert desk.ask(dialect, key=scoped["api_key"]).status_code == 403
    blind = desk.organization.call(
        "POST", "api-keys", json={"name": "blind", "permissions": {"message_read": False}}
    )
    assert desk.ask(dialect, key=blind["api_key"]).status_code == 403
    assert desk.ask(dialect, key="am_wrong").status_code == 401


def test_a_key_that_was_revoked_while_it_waited_is_told_nothing(desk: Desk) -> None:
    made = desk.organization.call("POST", "api-keys", json={"name": "short-lived"})
    job = desk.threads.submit(desk.ask, key=made["api_key"])
    until(lambda: desk.open == 1)
    desk.organization.call("DELETE", f"api-keys/{made['api_key_id']}")
    desk.receive("secret")
    assert job.result(30).status_code == 401


def test_a_client_that_goes_frees_its_place(desk: Desk) -> None:
    with desk.client() as http:
        http.timeout = 1
        with pytest.raises(Exception, match="timed out"):
            http.get(desk.path())
    until(lambda: desk.open == 0, why="the wait is still open")


def test_two_hundred_waits_and_then_the_limit(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        running_gateway(tmp_path_factory.mktemp("waits"), limits__waits=200) as gateway,
        a_desk(gateway, threads=201) as desk,
    ):
        jobs = desk.start(count=200)
        refused = desk.ask()
        assert refused.status_code == 429
        assert "limits.waits" in refused.text
        assert int(refused.headers["retry-after"]) >= 1
        desk.receive("for two hundred")
        assert {one.result(60)["subject"] for one in jobs} == {"for two hundred"}
        until(lambda: desk.open == 0)
        _stops_at_once(desk, gateway)


def _stops_at_once(desk: Desk, gateway: GatewayProcess) -> None:
    """A gateway that stops does not wait for those who wait: they are told to come again."""
    job = desk.threads.submit(desk.ask, timeout=300)
    until(lambda: desk.open == 1)
    with desk.stream() as events:
        gateway.stop()  # fails after 20 seconds
        assert events.rest() == []
    answer = job.result(30)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
