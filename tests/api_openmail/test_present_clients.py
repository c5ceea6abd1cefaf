"""What OpenMail's MCP server, OpenClaw plugin, Hermes plugin and skills of July 2026 send and read (contract D)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.api_openmail.account_tree import AccountTree
from tests.api_openmail.calls import call, client
from tests.api_openmail.post import Post, word
from tests.support.mails import new_mail
from tests.support.waiting import until


def mcp_session(post: Post) -> httpx.Client:
    """A client with the headers of OpenMail's MCP server."""
    http = client(post.organization)
    http.headers.update({"Content-Type": "application/json", "x-openmail-client": "mcp"})
    return http


def test_me_says_what_a_key_reaches(account_tree: AccountTree) -> None:
    organization = account_tree.organization
    seen = {name: call(organization, "GET", "me", key=key) for name, key in account_tree.keys.items()}
    assert set(seen["account"]) == {"customerId", "plan", "apiKeyScope", "mcpScopes"}
    assert seen["account"]["apiKeyScope"] == "account"
    assert seen["account"]["mcpScopes"] is None
    assert seen["account"]["plan"]
    pod, inbox = account_tree.own["podId"], account_tree.own["id"]
    for name in ("pod", "v0_pod"):
        assert seen[name]["apiKeyScope"] == {"podId": pod, "inboxId": None}
    for name in ("inbox", "v0_inbox"):
        assert seen[name]["apiKeyScope"] == {"podId": pod, "inboxId": inbox}
    assert len({one["customerId"] for name, one in seen.items() if name != "foreign"}) == 1
    assert seen["foreign"]["customerId"] != seen["account"]["customerId"]
    assert call(organization, "GET", "me", key="om_nobody", status=401)["error"] == "unauthorized"


def test_a_send_without_an_idempotency_key_is_sent_each_time(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    letter = {"to": theirs["address"], "subject": word("twice"), "body": "b"}
    with mcp_session(post) as http:
        answers = [http.post(f"inboxes/{ours['id']}/send", json=letter) for _ in range(2)]
    assert [one.status_code for one in answers] == [200, 200]
    assert len({one.json()["messageId"] for one in answers}) == 2
    assert len(post.messages(theirs, 2)) == 2


def test_the_mailbox_loop_of_the_mcp_server(post: Post) -> None:
    inbox = post.inbox()
    mail = new_mail(inbox["address"], word("loop"), "Where is my invoice?\n")
    mail.add_attachment("a,b\n1,2\n", subtype="csv", filename="fig ures.csv")
    post.deliver(mail, inbox["address"])
    with mcp_session(post) as http:

        def unread(state: str) -> list[str]:
            found = http.get(f"inboxes/{inbox['id']}/threads?isRead={state}&limit=10").json()
            return [one["id"] for one in found["data"]]

        [thread] = until(lambda: unread("false"), why="an unread thread")
        assert unread("true") == []
        full = http.get(f"threads/{thread}/messages").json()
        assert (full["threadId"], full["inboxId"]) == (thread, inbox["id"])
        [message] = full["data"]
        name = quote(message["attachments"][0]["filename"])
        text = http.get(f"attachments/{message['id']}/{name}/text").json()
        assert (text["inboxId"], text["filename"]) == (inbox["id"], "fig ures.csv")
        assert "1" in text["text"]
        patched = http.patch(f"threads/{thread}", json={"isRead": True})
        assert patched.status_code == 200, patched.text
        assert (unread("false"), unread("true")) == ([], [thread])
        assert http.patch(f"threads/{thread}", json={"isRead": False}).is_success
        answer = {"to": message["fromAddr"], "body": "Attached.", "threadId": thread}
        assert http.post(f"inboxes/{full['inboxId']}/send", json=answer).json()["threadId"] == thread


@pytest.mark.parametrize(
    "body", [{}, {"is_read": True, "isRead": False}, {"isRead": "yes"}, {"is_read": None, "isRead": None}]
)
def test_a_read_state_that_says_nothing_or_two_things_is_refused(post: Post, body: dict[str, Any]) -> None:
    inbox = post.inbox()
    post.letter(inbox, word("state"))
    thread = post.threads(inbox)[0]["id"]
    assert post.call("PATCH", f"threads/{thread}", body, status=400)["field"] in ("is_read", "isRead")
    assert not post.is_read(thread)


def test_a_thread_filter_in_both_spellings_must_agree(post: Post) -> None:
    inbox = post.inbox()
    path = f"inboxes/{inbox['id']}/threads"
    assert post.call("GET", f"{path}?is_read=true&isRead=true")["total"] == 0
    assert post.call("GET", f"{path}?is_read=true&isRead=false", status=400)["field"] == "is_read"
    assert post.call("GET", f"{path}?isRead=nonsense", status=400)["field"] == "isRead"


@pytest.mark.parametrize("how", ["json", "form", "reply"])
def test_a_blind_copy_arrives_and_nobody_else_sees_it(post: Post, how: str) -> None:
    ours, theirs, first, second = (post.inbox() for _ in range(4))
    subject = word("blind")
    blind = [first["address"], second["address"]]
    letter = {"to": theirs["address"], "subject": subject, "body": "b", "bcc": blind}
    if how == "form":
        answer = post.form(ours, letter, files=[("attachments", ("a.txt", b"a", "text/plain"))])
        assert answer.status_code == 200, answer.text
    elif how == "reply":
        post.letter(ours, subject)
        del letter["subject"]
        post.send(ours, {**letter, "threadId": post.threads(ours)[0]["id"]})
    else:
        post.send(ours, letter)
    for box in (theirs, first, second):
        mail = post.mail(box, "ALL")
        assert subject in mail["Subject"]
        assert mail["Bcc"] is None
        assert not any(address in f"{mail['To']} {mail['Cc']}" for address in blind)


@pytest.mark.parametrize(
    ("bcc", "field"),
    [(["nobody"], "bcc[0]"), ("a@x.test", "bcc"), (["a@x.test"] * 100, "bcc"), (["a@x.test", 1], "bcc[1]")],
)
def test_a_blind_copy_that_cannot_be_is_refused(post: Post, bcc: Any, field: str) -> None:
    ours = post.inbox()
    error = post.send(ours, {"to": "a@x.test", "subject": "s", "body": "b", "bcc": bcc}, status=400)
    assert error["field"].replace("[]", "[1]") == field
    assert post.total(ours) == 0


def test_the_redirect_of_an_attachment_carries_the_file(post: Post) -> None:
    inbox, content = post.inbox(), bytes(range(256)) * 40
    mail = new_mail(inbox["address"], word("file"))
    mail.add_attachment(content, maintype="image", subtype="png", filename="picture.png")
    post.deliver(mail, inbox["address"])
    [message] = post.messages(inbox, 1)
    headers = {"Authorization": f"Bearer {post.organization.api_key}"}
    with httpx.Client(headers=headers, trust_env=False, timeout=30) as http:
        answer = http.get(message["attachments"][0]["url"])
        assert (answer.status_code, answer.content) == (302, content)
        assert answer.headers["content-type"] == "image/png"
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert http.get(answer.headers["location"]).content == content
        head = http.head(message["attachments"][0]["url"])
        assert (head.status_code, head.content) == (302, b"")
        assert head.headers["location"]


def test_feedback_is_answered_and_goes_into_the_log(post: Post) -> None:
    words = word("confusing")
    report = {"type": "bug", "message": f"{words}\nline two", "context": {"endpoint": "mcp"}}
    assert post.call("POST", "feedback", report, status=201) == {"ok": True}
    [line] = [one for one in post.gateway.log.splitlines() if words in one]
    for one in ("postern.feedback", "'bug'", "'mcp'", "\\nline two", post.organization.id.lower()):
        assert one in line


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "message"),
        ({"message": ""}, "message"),
        ({"message": "x" * 4001}, "message"),
        ({"message": "m", "context": {"endpoint": "x" * 501}}, "context.endpoint"),
    ],
)
def test_feedback_is_bounded(post: Post, body: dict[str, Any], field: str) -> None:
    assert post.call("POST", "feedback", body, status=400)["field"] == field
