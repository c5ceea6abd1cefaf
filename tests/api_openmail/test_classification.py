"""Which mail an agent may answer by itself: category, verdict and score in messages, webhooks and the WebSocket."""

from __future__ import annotations

import json
import uuid
from email.message import EmailMessage
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.api_openmail.post import Post
from tests.support.mails import new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint

FIELDS = ("autoReplyable", "category", "verdict", "spamScore")


def came(
    post: Post, inbox: dict[str, Any], mail: EmailMessage | bytes, sender: str = "ann@abroad.test"
) -> Any:
    """The message that a mail becomes: what /v1 says of it."""
    before = post.total(inbox)
    post.deliver(mail, inbox["address"], envelope_sender=sender)
    until(lambda: post.total(inbox) > before, why="the mail is listed")
    [message] = post.messages(inbox, query="?limit=1")
    return {name: message[name] for name in FIELDS}


@pytest.mark.parametrize(
    ("fields", "category"),
    [
        ({}, "personal"),
        ({"Auto_Submitted": "no"}, "personal"),
        ({"Auto_Submitted": "auto-replied (vacation)"}, "automated"),
        ({"X_Autoreply": "yes"}, "automated"),
        ({"X_Auto_Response_Suppress": "OOF, DR"}, "automated"),
        ({"Precedence": "bulk"}, "automated"),
        ({"sender": "No Reply <no-reply@abroad.test>"}, "automated"),
        ({"List_Unsubscribe": "<https://abroad.test/u>"}, "marketing"),
        ({"List_Id": "<news.abroad.test>", "Precedence": "bulk"}, "marketing"),
        ({"List_Id": "<dev.abroad.test>", "List_Post": "<mailto:dev@abroad.test>"}, "list"),
        ({"List_Id": "<news.abroad.test>", "List_Post": "NO"}, "marketing"),
    ],
)
def test_only_personal_mail_is_answered(post: Post, fields: dict[str, str], category: str) -> None:
    inbox = post.inbox()
    mail = new_mail(inbox["address"], uuid.uuid4().hex, **fields)
    assert came(post, inbox, mail) == {
        "autoReplyable": category == "personal",
        "category": category,
        "verdict": "clean",
        "spamScore": None,
    }


def test_a_bounce_is_one(post: Post) -> None:
    inbox = post.inbox()
    report = (
        "From: Mail <MAILER-DAEMON@abroad.test>\r\nTo: {to}\r\nSubject: Undelivered\r\n"
        "Message-ID: <{id}@abroad.test>\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\nMIME-Version: 1.0\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nNobody is there.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; abroad.test\r\n\r\n"
        "Final-Recipient: rfc822; gone@abroad.test\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n--b--\r\n"
    )
    raw = report.format(to=inbox["address"], id=uuid.uuid4().hex).encode()
    found = came(post, inbox, raw)
    assert (found["autoReplyable"], found["category"]) == (False, "bounce")
    bare = new_mail(inbox["address"], "Warning: not delivered yet", sender="MAILER-DAEMON@abroad.test")
    assert came(post, inbox, bare, sender="")["category"] == "bounce"


@pytest.mark.parametrize(
    ("fields", "verdict", "score"),
    [
        ({"X_Spam_Score": "1.5 (+)"}, "clean", 1.5),
        ({"X_Spam_Status": "No, score=-2.1 required=5.0 tests=A"}, "clean", -2.1),
        ({"X_Spam_Status": "Yes, score=7.25 required=5.0", "X_Spam_Score": "0"}, "spam", 7.25),
        ({"X_Spamd_Result": "default: False [3.40 / 15.00];\r\n\tARC_NA(0.00)[]"}, "clean", 3.4),
        ({"X_Spamd_Result": "default: True [16.00 / 15.00]"}, "spam", 16.0),
        ({"X_Spam_Flag": "YES"}, "spam", None),
        ({"X_Virus_Status": "Infected (Eicar)"}, "malicious", None),
        ({"X_Virus": "Eicar", "X_Spam": "Yes"}, "malicious", None),
        ({"X_Virus_Status": "Clean", "X_Spam_Flag": "NO", "X_Spam_Score": "high"}, "clean", None),
        ({"X_Spam_Score": "1e9"}, "clean", None),
    ],
)
def test_what_filters_wrote_decides_the_verdict(
    post: Post, fields: dict[str, str], verdict: str, score: float | None
) -> None:
    inbox = post.inbox()
    text = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    raw = f"From: ann@abroad.test\r\nTo: {inbox['address']}\r\nMessage-ID: <{uuid.uuid4().hex}@x>\r\n{text}\r\nHi\r\n"
    assert came(post, inbox, raw.encode()) == {
        "autoReplyable": verdict == "clean",
        "category": "personal",
        "verdict": verdict,
        "spamScore": score,
    }


def test_what_the_inbox_sent_and_mail_from_itself_are_not_answered(post: Post) -> None:
    inbox = post.inbox()
    form = new_mail(inbox["address"], "Contact form", sender=inbox["address"], Reply_To="visitor@abroad.test")
    assert came(post, inbox, form)["autoReplyable"] is False
    post.send(inbox, {"to": "ann@abroad.test", "subject": "s", "body": "b"})
    sent = next(one for one in post.messages(inbox) if one["direction"] == "outbound")
    assert [sent[name] for name in FIELDS] == [None, None, None, None]


def test_events_say_the_same(post: Post) -> None:
    inbox = post.inbox()
    url = post.organization.base_url.replace("http", "ws", 1) + "/v1/ws?token=" + post.organization.api_key
    seen = ("auto_replyable", "category", "verdict", "spam_score")
    with webhook_endpoint() as endpoint:
        post.call("PUT", "webhook", {"url": endpoint.url})
        mail = new_mail(inbox["address"], "Away", Auto_Submitted="auto-replied", X_Spam_Score="0.5")
        came(post, inbox, mail)
        [hook] = until(lambda: endpoint.posts, why="the webhook")
        assert [hook.json["message"][name] for name in seen] == [False, "automated", "clean", 0.5]
        with connect(url, proxy=None) as socket:
            socket.send(json.dumps({"type": "subscribe", "inbox_ids": [inbox["id"]]}))
            assert json.loads(socket.recv(timeout=20))["type"] == "subscribed"
            post.deliver(new_mail(inbox["address"], "From a person"), inbox["address"])
            event = json.loads(socket.recv(timeout=20))
    assert [event["message"][name] for name in seen] == [True, "personal", "clean", None]
