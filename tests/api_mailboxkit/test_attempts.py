"""The attempts to post an event: what they show, that each has the same octets, and trying again by hand."""

from __future__ import annotations

import re
from typing import Any

from tests.api_mailboxkit.calls import call, client, made
from tests.api_mailboxkit.hooks import Hook, hooked, new_inbox, valid
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import Post

FIELDS = {
    *("id", "webhook_id", "event", "url", "attempt", "status", "response_status", "response_body", "error"),
    *("duration_ms", "payload", "next_retry_at", "created_at"),
}


def settled(hook: Hook, count: int) -> list[dict[str, Any]]:
    """The rows when there are ``count`` (an attempt is written after the endpoint answered)."""
    until(lambda: len(hook.attempts()) >= count, why=f"{count} attempts")
    return hook.attempts()


def newer(hook: Hook, than: dict[str, Any]) -> dict[str, Any]:
    """The attempt that followed one."""
    until(lambda: hook.attempts()[0]["id"] > than["id"], why=f"an attempt after {than}")
    return [one for one in hook.attempts() if one["id"] > than["id"]][-1]


def failing(times: int) -> Any:
    """An endpoint's answers: so many times 503, then 200."""
    seen: list[Post] = []

    def answer(post: Post) -> int:
        seen.append(post)
        return 503 if len(seen) <= times else 200

    return answer


def test_each_try_is_a_row_and_has_the_same_octets(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = new_inbox(organization)
    mail = new_mail(inbox["email"], "again and again")
    mail.add_attachment(b"a file", maintype="text", subtype="plain", filename="a.txt")
    with hooked(organization, "message.received") as hook:
        hook.endpoint.answer = failing(2)
        deliver(gateway.port("smtp"), mail, inbox["email"])
        posts = hook.heard("message.received", 3)
        rows = settled(hook, 3)
        assert len(posts) == len(rows) == 3
        assert len({one.body for one in posts}) == 1
        assert len({one.headers["x-mailboxkit-event-id"] for one in posts}) == 1
        assert all(valid(one, hook.secret) for one in posts)

        assert all(set(one) == FIELDS for one in rows)
        assert [one["attempt"] for one in rows] == [3, 2, 1]  # newest first
        assert [one["status"] for one in rows] == ["success", "failed", "failed"]
        assert [one["response_status"] for one in rows] == [200, 503, 503]
        assert [one["error"] is None for one in rows] == [True, False, False]
        assert [one["next_retry_at"] for one in rows] == [None, None, None]
        for one in rows:
            assert one["payload"] == posts[0].json
            assert (one["webhook_id"], one["url"]) == (hook.id, hook.endpoint.url)
            assert one["event"] == "message.received"
            assert isinstance(one["id"], int)
            assert isinstance(one["duration_ms"], int)
            assert one["response_body"] == ""
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", one["created_at"])

        page = call(organization, "GET", f"webhooks/{hook.id}/attempts", params={"per_page": 2, "page": 2})
        assert [one["id"] for one in page["data"]] == [rows[2]["id"]]
        assert page["meta"] == {"current_page": 2, "last_page": 2, "per_page": 2, "total": 3}


def test_a_try_that_is_followed_says_when_and_can_be_hurried(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = new_inbox(organization)
    with hooked(organization, "message.received") as hook:
        hook.endpoint.answer = lambda post: 500
        deliver(gateway.port("smtp"), new_mail(inbox["email"], "hurry"), inbox["email"])
        rows = settled(hook, 3)  # the next try is 4.8 s away
        latest = rows[0]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", latest["next_retry_at"])
        assert latest["next_retry_at"] >= latest["created_at"]
        assert [one["next_retry_at"] for one in rows[1:]] == [None] * (len(rows) - 1)

        hook.endpoint.answer = lambda post: 200
        path = f"webhooks/{hook.id}/attempts/{latest['id']}/resend"
        assert call(organization, "POST", path, status=202)["data"] == {
            "attempt_id": latest["id"],
            "webhook_id": hook.id,
            "status": "queued",
        }
        done = newer(hook, latest)
        assert (done["status"], done["attempt"]) == ("success", latest["attempt"] + 1)

        again = f"webhooks/{hook.id}/attempts/{done['id']}/resend"
        call(organization, "POST", again, status=202)  # what went well can be had again too
        row = newer(hook, done)
        assert (row["status"], row["payload"]) == ("success", done["payload"])
        assert len({one.body for one in hook.endpoint.posts}) == 1
        assert len({one.headers["x-mailboxkit-event-id"] for one in hook.endpoint.posts}) == 1

        for attempt in ("0", "999999999", "not-an-id", "9" * 40):
            call(organization, "POST", f"webhooks/{hook.id}/attempts/{attempt}/resend", status=404)
        stranger = gateway.new_organization()
        call(stranger, "POST", again, status=404)
        with hooked(organization, "message.sent") as other:
            wrong = f"webhooks/{other.id}/attempts/{done['id']}/resend"
            call(organization, "POST", wrong, status=404)


def test_an_endpoint_that_cannot_be_reached(gateway: GatewayProcess, organization: Organization) -> None:
    inbox = new_inbox(organization)
    with hooked(organization, "message.received") as closed:
        pass
    row = made(organization, "webhooks", {"url": closed.endpoint.url, "events": ["message.received"]})
    hook = Hook(organization, closed.endpoint, row["id"], row["secret"])
    deliver(gateway.port("smtp"), new_mail(inbox["email"], "to nobody"), inbox["email"])
    one = settled(hook, 1)[-1]
    assert (one["status"], one["response_status"], one["response_body"]) == ("failed", None, None)
    assert "127.0.0.1" in one["error"]
    assert one["payload"]["data"]["subject"] == "to nobody"
    call(organization, "DELETE", f"webhooks/{row['id']}")
    call(organization, "GET", f"webhooks/{row['id']}/attempts", status=404)


def test_a_repeated_resend_posts_once_more(gateway: GatewayProcess, organization: Organization) -> None:
    with hooked(organization, "inbox.created") as hook:
        new_inbox(organization)
        (row,) = settled(hook, 1)
        with client(organization) as http:
            for _ in range(2):
                got = http.post(
                    f"webhooks/{hook.id}/attempts/{row['id']}/resend", headers={"Idempotency-Key": "once"}
                )
                assert got.status_code == 202
        settled(hook, 2)
        new_inbox(organization)  # a later event: what was to come before it has come
        hook.heard("inbox.created", 3)
        assert len(settled(hook, 3)) == 3


def test_a_deleted_inbox_takes_its_attempts_along(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = new_inbox(organization)
    with hooked(organization, "message.received", "inbox.deleted") as hook:
        deliver(gateway.port("smtp"), new_mail(inbox["email"], "private words"), inbox["email"])
        settled(hook, 1)
        call(organization, "DELETE", f"inboxes/{inbox['id']}")
        hook.heard("inbox.deleted")
        until(lambda: [one["event"] for one in hook.attempts()] == ["inbox.deleted"], why="one attempt left")
