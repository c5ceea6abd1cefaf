"""B1, read state (contract §5): what comes in re-opens a read thread, our own thread is not unread, an answer marks
read, PATCH sets either, GET changes nothing. It stands on the mail server, so a person's client shows the same.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_openmail.post import Post, word
from tests.support.mails import sees
from tests.support.waiting import until


def test_b1_a_new_inbound_thread_is_unread_and_reading_it_changes_nothing(post: Post) -> None:
    inbox = post.inbox()
    post.letter(inbox, "Hello")
    (thread,) = post.threads(inbox)
    assert thread["isRead"] is False
    assert post.thread(thread["id"])["isRead"] is False
    post.messages(inbox)
    assert post.threads(inbox)[0]["isRead"] is False
    assert "\\seen" not in post.flags(inbox, "ALL")


def test_b1_a_thread_of_our_own_is_read_until_somebody_answers(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    sent = post.send(ours, {"to": theirs["address"], "subject": "Question", "body": "q?"})
    assert post.is_read(sent["threadId"]) is True
    assert post.threads(ours)[0]["isRead"] is True
    (got,) = post.messages(theirs, 1)
    post.send(theirs, {"to": ours["address"], "body": "a!", "threadId": got["threadId"]})
    post.messages(ours, 2)
    assert post.is_read(sent["threadId"]) is False


def test_b1_an_inbound_reply_reopens_a_read_thread(post: Post) -> None:
    inbox = post.inbox()
    first = post.letter(inbox, "Hello")
    (thread,) = post.threads(inbox)
    post.call("PATCH", f"threads/{thread['id']}", {"is_read": True})
    assert post.is_read(thread["id"]) is True
    post.letter(inbox, "Re: Hello", In_Reply_To=str(first["Message-ID"]))
    (again,) = post.threads(inbox)
    assert (again["id"], again["isRead"], again["messageCount"]) == (thread["id"], False, 2)


def test_b1_answering_marks_the_whole_thread_read_and_seen_on_the_mail_server(post: Post) -> None:
    inbox, other = post.inbox(), post.inbox()
    first = post.letter(inbox, "Hello", sender=f"Other <{other['address']}>")
    post.letter(inbox, "Re: Hello", sender=other["address"], In_Reply_To=str(first["Message-ID"]))
    (thread,) = post.threads(inbox)
    post.send(inbox, {"to": other["address"], "body": "thanks", "threadId": thread["id"]})
    assert post.is_read(thread["id"]) is True
    with post.person(inbox) as imap:
        until(lambda: len(sees(imap, "INBOX", "SEEN")) == 2, why="both are seen")
        until(lambda: len(sees(imap, "INBOX", "ANSWERED")) == 1, why="the last one is answered")
        # a person's own mark makes the sync read the flags again: the thread stays read
        imap.store("1:*", "+FLAGS", "(\\Flagged)")
    address = inbox["address"]

    def labels() -> list[list[str]]:
        rows = post.organization.call("GET", f"inboxes/{address}/messages")["messages"]
        return [row["labels"] for row in rows if "received" in row["labels"]]

    until(lambda: all("starred" in one for one in labels()), why="the person's mark is here")
    assert not any("unread" in one for one in labels())
    assert post.is_read(thread["id"]) is True


def test_b1_patch_sets_either_value_on_the_mail_server(post: Post) -> None:
    inbox = post.inbox()
    first = post.letter(inbox, word("one"))
    last = post.letter(inbox, "Re: it", In_Reply_To=str(first["Message-ID"]))
    (thread,) = post.threads(inbox)
    path = f"threads/{thread['id']}"
    for _ in range(2):
        assert post.call("PATCH", path, {"is_read": True}) == {"ok": True}
        assert post.is_read(thread["id"]) is True
    with post.person(inbox) as imap:
        assert len(sees(imap, "INBOX", "SEEN")) == 2
    for _ in range(2):
        assert post.call("PATCH", path, {"is_read": False}) == {"ok": True}
        assert post.is_read(thread["id"]) is False
    with post.person(inbox) as imap:
        assert len(sees(imap, "INBOX", "UNSEEN")) == 1
        assert sees(imap, "INBOX", "UNSEEN", "HEADER", "Message-ID", str(last["Message-ID"]))


def test_b1_a_person_who_reads_it_in_a_mail_client_marks_it_read_here(post: Post) -> None:
    inbox = post.inbox()
    post.letter(inbox, "Hello")
    (thread,) = post.threads(inbox)
    with post.person(inbox) as imap:
        imap.select("INBOX")
        imap.store("1", "+FLAGS", "(\\Seen)")
        until(lambda: post.is_read(thread["id"]), why="read there is read here")
        imap.store("1", "-FLAGS", "(\\Seen)")
        until(lambda: not post.is_read(thread["id"]), why="unread there is unread here")


def test_b1_a_thread_without_any_answer_can_be_made_unread_too(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    sent = post.send(ours, {"to": theirs["address"], "subject": "Reminder", "body": "look at this again"})
    path = f"threads/{sent['threadId']}"
    post.call("PATCH", path, {"is_read": False})
    assert post.threads(ours, "?is_read=false")[0]["id"] == sent["threadId"]
    post.mail(ours, "SUBJECT", "Reminder", folder="Sent")
    until(
        lambda: "$notseen" in post.flags(ours, "ALL", folder="Sent"), why="the wish stands on the mail server"
    )
    assert post.is_read(sent["threadId"]) is False
    post.call("PATCH", path, {"is_read": True})
    assert post.is_read(sent["threadId"]) is True
    assert "$notseen" not in post.flags(ours, "ALL", folder="Sent")


def test_b1_what_lies_in_trash_makes_nothing_unread(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    sent = post.send(ours, {"to": theirs["address"], "subject": "Question", "body": "q?"})
    post.letter(ours, "Re: Question", In_Reply_To=sent["providerMessageId"])
    assert post.is_read(sent["threadId"]) is False
    (got,) = post.messages(ours, query="?direction=inbound")
    path = f"inboxes/{ours['address']}/messages/{got['id']}"
    post.organization.call("PATCH", path, json={"add_labels": ["trash"]})
    assert post.is_read(sent["threadId"]) is True
    assert [one["id"] for one in post.thread(sent["threadId"])["data"]] == [sent["messageId"]]
    assert post.threads(ours)[0]["messageCount"] == 1


def test_b1_is_read_filters_by_the_words_true_and_false(post: Post) -> None:
    inbox = post.inbox()
    post.letter(inbox, "one")
    post.letter(inbox, "two")
    two, one = post.threads(inbox)
    post.call("PATCH", f"threads/{one['id']}", {"is_read": True})
    path = f"inboxes/{inbox['id']}/threads"
    unread, read = (post.call("GET", f"{path}?is_read={word}") for word in ("false", "true"))
    assert [row["id"] for row in unread["data"]] == [two["id"]]
    assert [row["id"] for row in read["data"]] == [one["id"]]
    assert (unread["total"], read["total"]) == (1, 1)
    assert post.call("GET", f"{path}?is_read=")["total"] == 2
    for wrong in ("0", "1", "False", "no", "null", "true,false"):
        error = post.call("GET", f"{path}?is_read={wrong}", status=400)
        assert (error["error"], error["field"]) == ("bad_request", "is_read")


@pytest.mark.parametrize(
    "body", [{}, {"is_read": None}, {"is_read": "true"}, {"is_read": 1}, {"isRead": "true"}, [], "true"]
)
def test_patch_needs_a_boolean(post: Post, body: Any) -> None:
    inbox = post.inbox()
    post.letter(inbox, "Hello")
    (thread,) = post.threads(inbox)
    error = post.call("PATCH", f"threads/{thread['id']}", body, status=400)
    assert error["error"] == "bad_request"
    assert error["message"]
    assert post.is_read(thread["id"]) is False
