"""The same over server-sent events: each matching mail as it comes, and resuming without a gap or a double."""

from __future__ import annotations

import httpx
import pytest

from tests.support.waiting import until
from tests.waiting.waits import DIALECTS, Desk, ulid_of


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_mail_is_an_event(desk: Desk, dialect: str) -> None:
    with desk.stream(dialect, subject="wanted") as events:
        for number in range(3):
            desk.receive(f"wanted {number}", f"Your login code: 73{number}915\n")
            desk.receive(f"decoy {number}")
        found = [events.next() for _ in range(3)]
    assert sorted(one["subject"] for one in found) == ["wanted 0", "wanted 1", "wanted 2"]
    assert {one["extracted"]["code"] for one in found} == {"730915", "731915", "732915"}
    assert {ulid_of(one, dialect) for one in found} <= {ulid_of(one) for one in desk.listed(6)}


@pytest.mark.parametrize("before", [0, 1])
def test_resuming_before_anything_came_loses_nothing(desk: Desk, before: int) -> None:
    for _ in range(before):
        desk.receive("old")
        desk.listed(1)
    with desk.stream() as events:
        last = events.last_id
    desk.receive("came while away")
    desk.listed(before + 1)
    with desk.stream(last=last) as events:
        assert events.next()["subject"] == "came while away"


def test_resuming_tells_each_event_once(desk: Desk) -> None:
    with desk.stream() as events:
        for number in range(4):
            desk.receive(f"mail {number}")
            desk.listed(number + 1)
        assert [events.next()["subject"] for _ in range(2)] == ["mail 0", "mail 1"]
        last = events.last_id
    desk.receive("mail 4")
    with desk.stream(last=last, since="2020-01-01T00:00:00Z") as events:
        assert [events.next()["subject"] for _ in range(3)] == ["mail 2", "mail 3", "mail 4"]
    rows = desk.organization.call("GET", "events?limit=100")
    assert last in [one["event_id"] for one in rows["events"]]
    assert desk.wait(since=last)["subject"] == "mail 2"


def test_a_stream_ends_when_it_was_asked_to_and_when_the_client_goes(desk: Desk) -> None:
    with desk.stream(timeout=1) as events:
        assert events.rest() == []
    with desk.stream():
        until(lambda: desk.open == 1)
    until(lambda: desk.open == 0, why="the stream is still open")


def test_a_revoked_key_is_told_nothing_more(desk: Desk) -> None:
    made = desk.organization.call("POST", "api-keys", json={"name": "short-lived"})
    headers = {"Accept": "text/event-stream"}
    with desk.client(made["api_key"]) as http, http.stream("GET", desk.path(), headers=headers) as got:
        lines = got.iter_lines()
        assert next(lines).startswith("retry:")
        desk.organization.call("DELETE", f"api-keys/{made['api_key_id']}")
        desk.receive("secret")
        assert not any("secret" in line for line in lines)


def test_what_does_not_do_is_an_error_and_no_stream(desk: Desk) -> None:
    for query, status in (({"subject": "/(/"}, 400), ({"since": "evt_nonsense"}, 404)):
        with desk.client() as http:
            got: httpx.Response = http.get(desk.path(), params=query, headers={"Accept": "text/event-stream"})
        assert got.status_code == status
        assert got.headers["content-type"] == "application/json"
