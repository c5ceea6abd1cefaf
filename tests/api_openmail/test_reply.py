"""Answering in a thread (contract §4, §5): B3 threading by headers, B4 the subject, B5 copies; the quote; read back
over IMAP at the one who gets it.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.api_openmail.calls import call
from tests.api_openmail.post import Post, word


def conversation(post: Post, subject: str = "Question", **fields: Any) -> tuple[Any, Any, Any, Any]:
    """Two inboxes; the second wrote to the first: (ours, theirs, their mail as sent, it as we got it)."""
    ours, theirs = post.inbox(**fields), post.inbox()
    sent = post.send(theirs, {"to": ours["address"], "subject": subject, "body": "How are you?\n\nB."})
    (got,) = post.messages(ours, 1)
    return ours, theirs, sent, got


def test_a_reply_carries_in_reply_to_references_and_the_quote(post: Post) -> None:
    ours, theirs, sent, got = conversation(post)
    first = post.send(ours, {"to": theirs["address"], "body": "Fine, thanks.", "threadId": got["threadId"]})
    assert first["threadId"] == got["threadId"]
    post.messages(theirs, 2)
    back = post.send(theirs, {"to": ours["address"], "body": "Good.", "threadId": sent["threadId"]})
    post.messages(ours, 3)
    last = post.send(ours, {"to": theirs["address"], "body": "Bye.", "threadId": got["threadId"]})
    mail = post.mail(theirs, "HEADER", "Message-ID", last["providerMessageId"])
    assert mail["In-Reply-To"] == back["providerMessageId"]
    assert mail["References"].split() == [
        sent["providerMessageId"], first["providerMessageId"], back["providerMessageId"],
    ]  # fmt: skip
    mail = post.mail(theirs, "HEADER", "Message-ID", first["providerMessageId"])
    assert mail["In-Reply-To"] == mail["References"] == sent["providerMessageId"]
    lines = mail.get_content().splitlines()
    assert lines[:2] == ["Fine, thanks.", ""]
    assert lines[2].startswith("On ")
    assert lines[2].endswith(f"{theirs['address']} wrote:")
    assert lines[3:] == ["> How are you?", ">", "> B."]
    # three messages in one thread at either side, each in its own
    assert sent["threadId"] != got["threadId"]
    assert [one["id"] for one in post.thread(got["threadId"])["data"]] == [
        got["id"], first["messageId"], post.messages(ours, query="?direction=inbound")[0]["id"], last["messageId"],
    ]  # fmt: skip


def test_include_quote_false_sends_only_the_new_words(post: Post) -> None:
    ours, theirs, _, got = conversation(post)
    body = {"to": theirs["address"], "body": "Fine.", "threadId": got["threadId"], "includeQuote": False}
    sent = post.send(ours, body)
    mail = post.mail(theirs, "HEADER", "Message-ID", sent["providerMessageId"])
    assert mail.get_content().strip() == "Fine."


def test_an_html_answer_has_an_html_quote_and_a_text_one(post: Post) -> None:
    ours, theirs, _, got = conversation(post)
    sent = post.send(
        ours, {"to": theirs["address"], "body": "<p>Fine, <b>thanks</b>.</p>", "threadId": got["threadId"]}
    )
    mail = post.mail(theirs, "HEADER", "Message-ID", sent["providerMessageId"])
    html = mail.get_body(("html",)).get_content()
    assert html.startswith("<p>Fine, <b>thanks</b>.</p>")
    assert "<blockquote" in html
    assert "How are you?" in html
    text = mail.get_body(("plain",)).get_content().replace("\r\n", "\n")
    assert text.startswith("Fine, thanks.\n\nOn ")
    assert "> How are you?" in text


@pytest.mark.parametrize(
    ("subject", "given", "expected"),
    [
        ("Question", None, "Re: Question"),
        ("Question", "Re: Question", "Re: Question"),
        ("Question", "Something else", "Re: Question"),
        ("Re: Question", "Re: Re: Question", "Re: Question"),
        ("RE: AW: Question", "x" * 2000, "Re: Question"),
        ("Grüße 🎉", "", "Re: Grüße 🎉"),
    ],
)
def test_b4_the_subject_is_the_threads_with_one_re(
    post: Post, subject: str, given: Any, expected: str
) -> None:
    ours, theirs, _, got = conversation(post, subject)
    body = {"to": theirs["address"], "body": "a", "threadId": got["threadId"]}
    sent = post.send(ours, body if given is None else {**body, "subject": given})
    assert post.thread(got["threadId"])["data"][-1]["subject"] == expected
    assert post.mail(theirs, "HEADER", "Message-ID", sent["providerMessageId"])["Subject"] == expected
    assert post.thread(got["threadId"])["subject"] == subject


def test_b3_only_headers_thread_never_the_subject(post: Post) -> None:
    inbox, subject = post.inbox(), word("Subject ")
    first = post.letter(inbox, subject)
    post.letter(inbox, f"Re: {subject}")
    assert len(post.threads(inbox)) == 2
    post.letter(inbox, "Another subject", In_Reply_To=str(first["Message-ID"]))
    post.letter(inbox, "And one more", References=f"<unknown@abroad.test> {first['Message-ID']}")
    thread = next(one for one in post.threads(inbox) if one["subject"] == subject)
    assert thread["messageCount"] == 3
    assert len(post.threads(inbox)) == 2


def test_b3_in_reply_to_wins_over_references(post: Post) -> None:
    inbox = post.inbox()
    one, two = post.letter(inbox, "one"), post.letter(inbox, "two")
    post.letter(inbox, "both", In_Reply_To=str(two["Message-ID"]), References=str(one["Message-ID"]))
    assert {row["subject"]: row["messageCount"] for row in post.threads(inbox)} == {"one": 1, "two": 2}


def test_b3_threads_belong_to_one_inbox(post: Post) -> None:
    ours, theirs, sent, got = conversation(post)
    # the thread of the other side is in the account, but not in this inbox
    error = post.send(ours, {"to": theirs["address"], "body": "a", "threadId": sent["threadId"]}, status=404)
    assert error["error"] == "not_found"
    for unknown in ("thr_01arz3ndektsv4rrffq69g5fav", "nonsense", "", "thr_" + "z" * 5000, got["id"]):
        error = post.send(ours, {"to": theirs["address"], "body": "a", "threadId": unknown}, status=404)
        assert error["error"] == "not_found"
    assert post.total(ours) == 1


def test_a_thread_of_another_account_is_not_found(post: Post) -> None:
    ours, _, _, got = conversation(post)
    foreign = post.gateway.new_organization()
    for method, path, body in (
        ("GET", f"threads/{got['threadId']}/messages", None),
        ("PATCH", f"threads/{got['threadId']}", {"is_read": True}),
        ("GET", f"inboxes/{ours['id']}/messages", None),
        ("GET", f"inboxes/{ours['id']}/threads", None),
        ("POST", f"inboxes/{ours['id']}/send", {"to": "a@b.test", "subject": "s", "body": "b"}),
    ):
        error = call(foreign, method, path, body, status=404)
        assert error["error"] == "not_found"


def test_b5_one_mail_to_two_inboxes_is_two_messages_in_two_threads(post: Post) -> None:
    to, copied = post.inbox(), post.inbox()
    writer = post.inbox()
    post.send(writer, {"to": to["address"], "cc": [copied["address"]], "subject": "Both", "body": "b"})
    (one,), (two,) = post.messages(to, 1), post.messages(copied, 1)
    assert one["id"] != two["id"]
    assert one["threadId"] != two["threadId"]
    assert (one["deliveryRole"], two["deliveryRole"]) == ("to", "cc")
    assert (one["toAddr"], two["toAddr"]) == (to["address"], copied["address"])
    assert one["headerTo"] == two["headerTo"] == to["address"]
    assert one["cc"] == two["cc"] == [copied["address"]]


def test_b5_a_copied_inbox_keeps_the_original_sender_in_cc(post: Post) -> None:
    writer, main, copied, friend = (post.inbox() for _ in range(4))
    post.send(writer, {"to": main["address"], "cc": [copied["address"]], "subject": "Both", "body": "b"})
    (got,) = post.messages(copied, 1)
    body = {"to": got["headerTo"], "body": "my view", "threadId": got["threadId"]}
    sent = post.send(copied, {**body, "cc": [friend["address"], writer["address"].upper()]})
    for inbox in (main, friend, writer):
        mail = post.mail(inbox, "HEADER", "Message-ID", sent["providerMessageId"])
        assert mail["To"] == main["address"]
        people = [one.addr_spec.lower() for one in mail["Cc"].addresses]
        assert people == [friend["address"], writer["address"]]
    row = post.thread(got["threadId"])["data"][-1]
    assert row["toAddr"] == main["address"]
    # written to the original sender itself, nobody is copied
    plain = post.send(copied, {**body, "to": writer["address"]})
    assert post.mail(writer, "HEADER", "Message-ID", plain["providerMessageId"])["Cc"] is None


def test_b5_nobody_is_copied_who_must_not_be_written_to(post: Post) -> None:
    writer, main, copied = (post.inbox() for _ in range(3))
    post.send(writer, {"to": main["address"], "cc": [copied["address"]], "subject": "Both", "body": "b"})
    (got,) = post.messages(copied, 1)
    post.call("POST", "suppressions", {"address": writer["address"], "type": "unsub"})
    body = {"to": got["headerTo"], "body": "my view", "threadId": got["threadId"]}
    sent = post.send(copied, body)
    assert post.mail(main, "HEADER", "Message-ID", sent["providerMessageId"])["Cc"] is None
    error = post.send(copied, {**body, "cc": [writer["address"]]}, status=422)
    assert error["error"] == "recipient_suppressed"


def test_b5_an_inbox_that_was_written_to_copies_nobody(post: Post) -> None:
    ours, theirs, _, got = conversation(post)
    other = post.inbox()
    sent = post.send(ours, {"to": other["address"], "body": "a", "threadId": got["threadId"]})
    assert post.mail(other, "HEADER", "Message-ID", sent["providerMessageId"])["Cc"] is None
    assert post.total(theirs) == 1


def test_a_long_thread_keeps_its_first_and_last_references(post: Post) -> None:
    inbox, other = post.inbox(), post.inbox()
    ids = [f"<{number}.{'x' * 150}.{word()}@abroad.test>" for number in range(60)]
    mail = post.letter(
        inbox, "Long", message_id=ids[-1], References=" ".join(ids[:-1]), sender=other["address"]
    )
    (thread,) = post.threads(inbox)
    sent = post.send(inbox, {"to": other["address"], "body": "a", "threadId": thread["id"]})
    reply = post.mail(other, "HEADER", "Message-ID", sent["providerMessageId"])
    assert reply["References"].split() == [ids[0], *ids[-49:]]
    assert reply["In-Reply-To"] == mail["Message-ID"].strip()
    assert max(len(line) for line in reply.as_bytes().splitlines()) <= 998


def test_a_hostile_original_still_gets_its_answer(post: Post) -> None:
    inbox, other = post.inbox(), post.inbox()
    raw = (
        f"From: =?utf-8?q?=0D=0ABcc:_x=40evil.test?= <{other['address']}>\r\nTo: {inbox['address']}\r\n"
        "Subject: =?utf-8?q?a=0D=0ABcc:_x=40evil.test=01=1B=00?=\r\nMessage-ID: <bad id with spaces>\r\n"
        "References: <ok@abroad.test> <" + "y" * 2000 + "@abroad.test>\r\n\r\n\x00\xff> quoted\r\n"
    ).encode("latin-1")
    post.deliver(raw, inbox["address"])
    (got,) = post.messages(inbox, 1)
    sent = post.send(inbox, {"to": other["address"], "body": "a", "threadId": got["threadId"]})
    reply = post.mail(other, "HEADER", "Message-ID", sent["providerMessageId"])
    assert reply["Bcc"] is None
    assert reply["Subject"].startswith("Re: a")
    assert sent["threadId"] == got["threadId"]
