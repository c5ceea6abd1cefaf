"""GET /v1/inboxes/{id}/threads and /v1/threads/{id}/messages (contract §1, §2, §3)."""

from __future__ import annotations

import re

from tests.api_openmail.post import Post

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_a_thread_has_the_documented_shape(post: Post) -> None:
    inbox = post.inbox()
    first = post.letter(inbox, "Hello")
    post.letter(inbox, "Re: Hello", In_Reply_To=str(first["Message-ID"]))
    (row,) = post.threads(inbox)
    assert set(row) == {"id", "inboxId", "subject", "isRead", "lastMessageAt", "createdAt", "messageCount"}
    assert row["id"].startswith("thr_")
    assert (row["inboxId"], row["subject"], row["isRead"], row["messageCount"]) == (
        inbox["id"],
        "Hello",
        False,
        2,
    )
    assert TIME.fullmatch(row["lastMessageAt"])
    assert TIME.fullmatch(row["createdAt"])


def test_threads_come_by_latest_activity(post: Post) -> None:
    inbox = post.inbox()
    one, _ = post.letter(inbox, "one"), post.letter(inbox, "two")
    assert [row["subject"] for row in post.threads(inbox)] == ["two", "one"]
    post.letter(inbox, "Re: one", In_Reply_To=str(one["Message-ID"]))
    assert [row["subject"] for row in post.threads(inbox)] == ["one", "two"]
    assert [row["subject"] for row in post.threads(inbox, "?limit=1&offset=1")] == ["two"]
    assert post.call("GET", f"inboxes/{inbox['id']}/threads?limit=1")["total"] == 2


def test_a_threads_messages_come_oldest_first_without_paging(post: Post) -> None:
    inbox, other = post.inbox(), post.inbox()
    first = post.letter(inbox, "Hello", sender=other["address"])
    post.letter(inbox, "Re: Hello", In_Reply_To=str(first["Message-ID"]))
    (row,) = post.threads(inbox)
    sent = post.send(inbox, {"to": other["address"], "body": "b", "threadId": row["id"]})
    whole = post.call("GET", f"threads/{row['id']}/messages?limit=1&offset=1")
    assert set(whole) == {"threadId", "inboxId", "subject", "isRead", "data"}
    assert (whole["threadId"], whole["subject"], whole["isRead"]) == (row["id"], "Hello", True)
    assert [one["subject"] for one in whole["data"]] == ["Hello", "Re: Hello", "Re: Hello"]
    assert [one["direction"] for one in whole["data"]] == ["inbound", "inbound", "outbound"]
    assert whole["data"][-1]["id"] == sent["messageId"]
    assert {one["threadId"] for one in whole["data"]} == {row["id"]}


def test_a_long_body_is_whole_in_its_thread(post: Post) -> None:
    inbox = post.inbox()
    text = "".join(f"line {number} of a long letter\n" for number in range(30_000))
    post.letter(inbox, "Long", text)
    (listed,) = post.messages(inbox)
    (whole,) = post.thread(listed["threadId"])["data"]
    assert whole["bodyText"].strip() == text.strip()
    assert text.startswith(listed["bodyText"][:1000])
    assert len(listed["bodyText"]) <= 512 * 1024


def test_the_same_thread_is_seen_through_both_apis(post: Post) -> None:
    inbox, other = post.inbox(), post.inbox()
    post.letter(inbox, "Hello", sender=other["address"])
    (row,) = post.threads(inbox)
    post.send(inbox, {"to": other["address"], "body": "b", "threadId": row["id"]})
    old = post.organization.call("GET", f"threads/{row['id'].removeprefix('thr_')}")
    assert old["message_count"] == 2
    assert [one["message_id"] for one in old["messages"]] == [
        one["id"] for one in post.thread(row["id"])["data"]
    ]
    assert not any("unread" in one["labels"] for one in old["messages"])


def test_unknown_threads_are_not_found(post: Post) -> None:
    inbox = post.inbox()
    for ref in ("thr_01arz3ndektsv4rrffq69g5fav", "x", "thr_", inbox["id"], "%00", "thr_" + "9" * 3000):
        assert post.call("GET", f"threads/{ref}/messages", status=404)["error"] == "not_found"
        assert post.call("PATCH", f"threads/{ref}", {"is_read": True}, status=404)["error"] == "not_found"
    assert (
        post.call("GET", "inboxes/inb_01arz3ndektsv4rrffq69g5fav/threads", status=404)["error"] == "not_found"
    )
