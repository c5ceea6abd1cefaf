"""Searching (contract, "Endpoints"): everywhere or in one inbox, in subject or body, between two days."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_mailboxkit.calls import answer, call
from tests.api_mailboxkit.mailing import change, new_box, receive, send, stranger, word
from tests.support.gateway_process import GatewayProcess, Organization

DAY_US = 86_400_000_000
NEW_YEAR_US = 1_767_225_600_000_000  # 2026-01-01T00:00:00Z


def search(organization: Organization, query: str, **fields: Any) -> dict[str, Any]:
    """The whole answer."""
    found: dict[str, Any] = call(
        organization, "POST", "messages/search", {"query": query, **fields}, status=200
    )
    return found


def ids(organization: Organization, query: str, **fields: Any) -> list[int]:
    return [one["id"] for one in search(organization, query, **fields)["data"]]


def test_it_looks_into_every_inbox_sent_and_received(
    gateway: GatewayProcess, organization: Organization
) -> None:
    one, two, code = new_box(organization), new_box(organization), word()
    first = receive(gateway, organization, one, f"Order confirmation {code}")
    second = send(
        organization, two, stranger(), subject="x", html=f"<p>order <b>{code}</b> confirmation</p>", text=None
    )
    send(organization, two, stranger(), subject=code)
    found = search(organization, f"{code} order CONFIRMATION")
    assert [row["id"] for row in found["data"]] == [second["id"], first["id"]]
    assert found["data"][1] == {**first, "attachments": []}
    assert found["meta"]["total"] == 2
    theirs = gateway.new_organization()
    assert ids(theirs, code) == []


def test_an_inbox_is_named_in_every_spelling(organization: Organization) -> None:
    one, two, code = new_box(organization), new_box(organization), word()
    sent = [send(organization, box, stranger(), subject=code)["id"] for box in (one, two)]
    assert ids(organization, code) == sent[::-1]
    for ref in (one["id"], str(one["id"]), one["ulid"], f"inb_{one['ulid'].lower()}", one["email"]):
        assert ids(organization, code, inbox_id=ref) == sent[:1]
    assert ids(organization, code, inbox_id=None) == sent[::-1]


@pytest.mark.parametrize("ref", [1, 10**30, -1, "not-an-id", "\x00", "9" * 40, "", "%"])
def test_an_inbox_that_is_not_there_is_404(organization: Organization, ref: int | str) -> None:
    got = answer(organization, "POST", "messages/search", {"query": "x", "inbox_id": ref})
    assert (got.status_code, got.json()["error"]) == (404, "not_found"), got.text


def test_fields_say_where_a_word_may_stand(organization: Organization) -> None:
    box, a, b = new_box(organization), word(), word()
    subject = send(organization, box, stranger(), subject=f"{a} {b}", text="nothing")["id"]
    body = send(organization, box, stranger(), subject="nothing", text=f"{a} {b}")["id"]
    both = send(organization, box, stranger(), subject=a, text=b)["id"]
    to = send(organization, box, f"{a}.{b}@abroad.test", subject="nothing")["id"]
    query = f"{a} {b}"
    assert set(ids(organization, query)) == {subject, body, both, to}
    assert ids(organization, query, fields=["subject"]) == [subject]
    assert ids(organization, query, fields=["body"]) == [body]
    assert ids(organization, query, fields=["subject", "body"]) == [both, body, subject]
    assert set(ids(organization, query, fields=[])) == {subject, body, both, to}


def test_words_without_spaces_are_found_inside_the_fields_asked_for(organization: Organization) -> None:
    box = new_box(organization)
    one = send(organization, box, stranger(), subject="ご注文の確認のお知らせ", text="本文")["id"]
    two = send(organization, box, stranger(), subject="別件", text="昨日の注文の確認をお願いします")["id"]
    assert ids(organization, "注文の確認") == [two, one]
    assert ids(organization, "注文の確認", fields=["subject"]) == [one]
    assert ids(organization, "注文の確認", fields=["body"]) == [two]


def test_both_days_count_whole(gateway: GatewayProcess, organization: Organization) -> None:
    box, code = new_box(organization), word()
    by_time: dict[str, int] = {}
    for name, at in {
        "before": NEW_YEAR_US - 1_000_000,
        "first": NEW_YEAR_US,
        "last": NEW_YEAR_US + 2 * DAY_US - 1_000_000,
        "after": NEW_YEAR_US + 2 * DAY_US,
    }.items():
        sent = send(organization, box, stranger(), subject=code)
        assert change(gateway, "UPDATE message SET timestamp = ? WHERE id = ?", at, sent["ulid"].lower())
        by_time[name] = sent["id"]

    def found(**days: str) -> list[str]:
        names = {number: name for name, number in by_time.items()}
        return [names[one] for one in ids(organization, code, **days)]

    assert found(date_from="2026-01-01", date_to="2026-01-02") == ["last", "first"]
    assert found(date_from="2026-01-03") == ["after"]
    assert found(date_to="2025-12-31") == ["before"]
    assert found(date_from="2026-01-02", date_to="2026-01-02") == ["last"]
    assert found(date_from="2026-01-02T23:59:59Z", date_to="2026-01-03T00:00:00+00:00") == ["after", "last"]
    assert found(date_from="", date_to="") == ["after", "last", "first", "before"]


def test_what_is_found_goes_by_page(organization: Organization) -> None:
    box, code = new_box(organization), word()
    sent = [send(organization, box, stranger(), subject=code)["id"] for _ in range(3)]
    for paging in ({"json": {"page": 2, "per_page": "1"}}, {"params": {"page": 2, "per_page": 1}}):
        body = {"query": code, **paging.get("json", {})}
        page = call(organization, "POST", "messages/search", body, params=paging.get("params"))
        assert [one["id"] for one in page["data"]] == [sent[1]]
        assert page["meta"] == {"current_page": 2, "last_page": 3, "per_page": 1, "total": 3}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": ""}, "query"),
        ({"query": "  "}, "query"),
        ({"query": 5}, "query"),
        ({"query": "x" * 1001}, "query"),
        ({"query": "x", "fields": ["from"]}, "fields.0"),
        ({"query": "x", "fields": "subject"}, "fields"),
        ({"query": "x", "date_from": "yesterday"}, "date_from"),
        ({"query": "x", "date_to": "2026-02-30"}, "date_to"),
        ({"query": "x", "date_from": "2026-01-02", "date_to": "2026-01-01"}, "date_from"),
        ({"query": "x", "date_to": 20260101}, "date_to"),
    ],
)
def test_a_wrong_value_is_refused_by_field(
    organization: Organization, body: dict[str, Any], field: str
) -> None:
    got = answer(organization, "POST", "messages/search", body)
    assert got.status_code == 422, got.text
    assert list(got.json()["errors"]) == [field]


HOSTILE = [
    '"', "'", '"" OR 1=1', "* *", "a*", "NEAR(a b)", "subject:x", "{subject} : x", "-x", "x NOT y", "( ", ")", "^x",
    "AND", "OR NOT", "\\", "%", "_", ";--", "\u0000x", "😀", "\u202e", "a" * 1000, '"' * 999, "( " * 499, "x y " * 250,
    "{ } : ( )", "+", "x + y", "注*", "ﷺ", "\ufffe", "注\"文", "注%_!文",
]  # fmt: skip


@pytest.mark.parametrize("fields", [None, ["subject"], ["subject", "body"]])
def test_no_query_is_a_defect(organization: Organization, fields: list[str] | None) -> None:
    box = new_box(organization)
    send(organization, box, stranger(), subject="注文", text="x y")
    for query in HOSTILE:
        got = answer(organization, "POST", "messages/search", {"query": query, "fields": fields})
        assert got.status_code in (200, 422), (query, got.text)
    raw = b'{"query": "\\ud800 x"}'
    headers = {"Content-Type": "application/json"}
    got = answer(organization, "POST", "messages/search", content=raw, headers=headers)
    assert got.status_code in (200, 422), got.text
    for garbage in ({"page": "x", "per_page": -1}, {"page": 10**40, "per_page": 10**40}):
        assert answer(organization, "POST", "messages/search", {"query": "x", **garbage}).status_code == 200
