"""B2, idempotency (contract §4): account scope, before rate limits, content compared, one winner under concurrency,
429 and 5xx not remembered, another body a 4xx that the SDK does not retry.
"""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gateway.store.sql import sql
from tests.api_openmail.calls import call
from tests.api_openmail.post import Post
from tests.support.gateway_process import running_gateway


def body(to: dict[str, Any], /, **more: Any) -> dict[str, Any]:
    return {"to": to["address"], "subject": "s", "body": "b", **more}


def fresh() -> str:
    return str(uuid.uuid4())


def test_b2_a_key_that_is_given_must_be_one(post: Post) -> None:
    ours = post.inbox()
    headers = {"Idempotency-Key": ""}
    error = post.call("POST", f"inboxes/{ours['id']}/send", body(ours), headers=headers, status=400)
    assert error["error"] == "missing_idempotency_key"
    error = post.send(ours, body(ours), "k" * 256, status=400)
    assert (error["error"], error["field"]) == ("bad_request", "Idempotency-Key")
    assert post.total(ours) == 0


@pytest.mark.parametrize("key", ["k", "order 17: please (now)", "a" * 255, "~!@#$%^&*(){}[]"])
def test_b2_the_same_request_again_answers_the_same_and_sends_nothing(post: Post, key: str) -> None:
    ours, theirs = post.inbox(), post.inbox()
    first = post.send(ours, body(theirs), key)
    post.mail(theirs, "ALL")
    assert post.send(ours, body(theirs), key) == first
    headers = {"IDEMPOTENCY-KEY": key}
    assert post.call("POST", f"inboxes/{ours['address']}/send", body(theirs), headers=headers) == first
    assert post.total(ours) == 1
    post.send(ours, body(theirs), fresh())
    assert post.messages(theirs, 2)
    assert post.total(theirs) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"body": "other"},
        {"subject": "other"},
        {"to": "other@postern.test"},
        {"cc": ["other@postern.test"]},
        {"replyTo": "other@postern.test"},
        {"bodyHtml": "<p>b</p>"},
        {"attachments": [{"filename": "a", "data": "YQ=="}]},
        {"threadId": "thr_01arz3ndektsv4rrffq69g5fav"},
        {"includeQuote": False},
    ],
)
def test_b2_the_key_with_another_body_is_a_conflict(post: Post, change: dict[str, Any]) -> None:
    ours, theirs = post.inbox(), post.inbox()
    key = fresh()
    post.send(ours, body(theirs), key)
    error = post.send(ours, body(theirs, **change), key, status=409)
    assert error["error"] == "idempotency_key_reused"
    assert error["fix"]
    assert post.total(ours) == 1


def test_b2_the_scope_is_the_account_not_the_inbox(post: Post) -> None:
    ours, other, theirs = post.inbox(), post.inbox(), post.inbox()
    key = fresh()
    post.send(ours, body(theirs), key)
    assert post.send(other, body(theirs), key, status=409)["error"] == "idempotency_key_reused"
    # with another key of the account it is the same request
    token = post.call("POST", f"inboxes/{ours['id']}/api-keys", {})["token"]
    again = post.call(
        "POST", f"inboxes/{ours['id']}/send", body(theirs), key=token, headers={"Idempotency-Key": key}
    )
    assert again == post.send(ours, body(theirs), key)
    assert post.total(ours) == 1
    # and another account's key is another key
    foreign = Post(post.gateway, post.gateway.new_organization())
    foreign.send(foreign.inbox(), body(theirs), key)


def test_b2_a_send_in_the_sandbox_stands_for_no_real_one(post: Post) -> None:
    ours, theirs, key = post.inbox(), post.inbox(), fresh()
    token = post.call("POST", f"inboxes/{ours['id']}/api-keys", {})
    bare = token["id"].rpartition("_")[2]
    post.gateway.database(lambda tx: sql(tx).run("UPDATE api_key SET test = 1 WHERE id = ?", bare))
    path, headers = f"inboxes/{ours['id']}/send", {"Idempotency-Key": key}
    tried = post.call("POST", path, body(theirs), key=token["token"], headers=headers)
    assert tried["status"] == "sent"
    real = post.send(ours, body(theirs), key)
    assert real["messageId"] != tried["messageId"]
    (got,) = post.messages(theirs, 1)
    assert got["subject"] == "s"


def test_b2_content_is_compared_a_form_with_a_new_boundary_is_the_same(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    key, files = fresh(), [("attachments", ("a.txt", b"one", "text/plain"))]
    first = post.form(ours, body(theirs), files, key)
    again = post.form(ours, body(theirs, includeQuote="true", cc=""), files, key)
    assert first.request.headers["content-type"] != again.request.headers["content-type"]
    assert (again.status_code, again.json()) == (200, first.json())
    changed = post.form(ours, body(theirs), [("attachments", ("a.txt", b"two", "text/plain"))], key)
    assert (changed.status_code, changed.json()["error"]) == (409, "idempotency_key_reused")
    renamed = post.form(ours, body(theirs), [("attachments", ("b.txt", b"one", "text/plain"))], key)
    assert renamed.status_code == 409
    # the same as JSON is the same request, too
    as_json = body(theirs, attachments=[{"filename": "a.txt", "contentType": "text/plain", "data": "b25l"}])
    assert post.send(ours, as_json, key) == first.json()
    assert post.total(ours) == 1


def test_b2_one_winner_under_concurrency(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    key = fresh()
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: post.send(ours, body(theirs), key), range(12)))
    assert len({answer["messageId"] for answer in answers}) == 1
    post.messages(theirs, 1)
    assert (post.total(ours), post.total(theirs)) == (1, 1)


def test_b2_a_refused_request_leaves_its_key_free(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    key = fresh()
    post.send(ours, body(theirs, to="nobody"), key, status=400)
    post.send(ours, body(theirs, threadId="thr_01arz3ndektsv4rrffq69g5fav"), key, status=404)
    post.send(ours, body(theirs), key)
    assert post.total(ours) == 1


def test_b2_after_24_hours_the_key_is_new(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    key = fresh()
    first = post.send(ours, body(theirs), key)
    aged = post.gateway.database(
        lambda tx: sql(tx).run(
            "UPDATE idempotency SET created_at = created_at - ? WHERE realm LIKE ?",
            86_401 * 1_000_000,
            f"%{post.organization.id.rpartition('_')[2]}%",
        )
    )
    assert aged == 1
    second = post.send(ours, body(theirs, subject="other"), key)
    assert second["messageId"] != first["messageId"]
    assert post.total(ours) == 2


def test_b2_the_key_comes_before_rate_limits_and_a_429_is_not_remembered(tmp_path: Path) -> None:
    with running_gateway(tmp_path, limits__sends_per_minute=1) as gateway:
        post = Post(gateway, gateway.new_organization())
        ours, theirs, key = post.inbox(), post.inbox(), fresh()
        first = post.send(ours, body(theirs), key)
        refused = fresh()
        path = f"inboxes/{ours['id']}/send"
        error = post.call("POST", path, body(theirs), headers={"Idempotency-Key": refused}, status=429)
        assert error["error"] == "rate_limit_exceeded"
        assert post.send(ours, body(theirs), key) == first
        gateway.database(lambda tx: sql(tx).run("UPDATE outbox SET created_at = created_at - 61000000"))
        later = call(post.organization, "POST", path, body(theirs), headers={"Idempotency-Key": refused})
        assert later["messageId"] != first["messageId"]
        assert post.total(ours) == 2
