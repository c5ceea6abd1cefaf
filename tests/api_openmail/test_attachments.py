"""Attachments at ``/v1``: extracted before the event goes out, the same in REST, webhook and socket; downloaded
through a signed URL (contract §6, B10)."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from gateway.core import signed_links
from gateway.datadir import read_secret
from gateway.store.sql import sql
from tests.api_openmail.account_tree import AccountTree
from tests.api_openmail.calls import call
from tests.api_openmail.post import Post, word
from tests.extract import files
from tests.extract.conftest import needs_tesseract
from tests.extract.files import File
from tests.support.gateway_process import GatewayProcess
from tests.support.mails import new_mail
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint

BINARY = "application/octet-stream"
INVOICE: File = ("invoice.pdf", BINARY, files.pdf("Invoice 4711"))


def arrive(post: Post, inbox: dict[str, Any], *given: File) -> dict[str, Any]:
    """The message that a mail with these files becomes."""
    subject = word("files")
    post.deliver(files.mail(*given, to=inbox["address"], subject=subject), inbox["address"])
    return one_about(post, inbox, subject)


def one_about(post: Post, inbox: dict[str, Any], subject: str) -> dict[str, Any]:
    def found() -> list[dict[str, Any]]:
        return [one for one in post.messages(inbox) if one["subject"] == subject]

    return until(found, why=f"{subject} in {inbox['address']}")[0]


def fetch(url: str, key: str | None = None, method: str = "GET") -> httpx.Response:
    """One request, redirects not followed."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.request(method, url, headers=headers, follow_redirects=False, trust_env=False, timeout=30)


@contextmanager
def listening(post: Post) -> Iterator[ClientConnection]:
    url = post.organization.base_url.replace("http", "ws", 1) + "/v1/ws?token=" + post.organization.api_key
    with connect(url, proxy=None) as socket:
        yield socket


def subscribe(socket: ClientConnection, inboxes: list[str]) -> None:
    socket.send(json.dumps({"type": "subscribe", "inbox_ids": inboxes}))
    assert json.loads(socket.recv(timeout=20))["type"] == "subscribed"


def test_every_kind_is_read_on_arrival(post: Post) -> None:
    given: list[File] = [
        INVOICE,
        ("letter.docx", BINARY, files.docx(files.paragraph("Dear all"))),
        ("list.csv", "text/csv", "Größe\r\n1".encode("cp1252")),
        ("note.md", "text/markdown", b"# Note"),
        ("song.mp3", "audio/mpeg", b"ID3"),
        ("broken.pdf", "application/pdf", b"%PDF-1.4 nothing"),
        ("bomb.docx", BINARY, files.docx("", **{"word/document.xml": b"<a>" + b" " * 80_000_000})),
    ]
    shown = {one["filename"]: one for one in arrive(post, post.inbox(), *given)["attachments"]}
    assert {name: (one["extractionMethod"], one.get("parsedText")) for name, one in shown.items()} == {
        "invoice.pdf": ("pdf", "Invoice 4711"),
        "letter.docx": ("office", "Dear all"),
        "list.csv": ("csv", "Größe\n1"),
        "note.md": ("text", "# Note"),
        "song.mp3": ("unsupported", None),
        "broken.pdf": ("pdf_error", None),
        "bomb.docx": ("skipped_too_large", None),
    }
    assert [name for name, one in shown.items() if "parsedText" in one] == [name for name, _, _ in given[:4]]
    assert {name: one["sizeBytes"] for name, one in shown.items()} == {
        name: len(data) for name, _, data in given
    }
    assert shown["invoice.pdf"]["contentType"] == BINARY


@needs_tesseract
def test_words_in_a_picture_are_read(post: Post) -> None:
    (shown,) = arrive(post, post.inbox(), ("scan.png", "image/png", files.picture("Total 99")))["attachments"]
    assert (shown["extractionMethod"], shown["parsedText"]) == ("ocr", "Total 99")


def test_rest_webhook_and_socket_say_the_same(post: Post) -> None:
    heard, watched = post.inbox(), post.inbox()
    subject = word("same")
    with webhook_endpoint() as endpoint:
        post.call("PATCH", f"inboxes/{heard['id']}", {"webhookUrl": endpoint.url})
        url = (
            post.organization.base_url.replace("http", "ws", 1) + "/v1/ws?token=" + post.organization.api_key
        )
        with connect(url, proxy=None) as socket:
            subscribe(socket, [watched["id"]])
            raw = files.mail(INVOICE, INVOICE, ("a.bin", BINARY, b"\1\2"), subject=subject)
            post.deliver(raw, heard["address"], watched["address"])
            frame = json.loads(socket.recv(timeout=20))
        until(lambda: endpoint.posts)
        hook = endpoint.posts[0].json
    for event, inbox in ((hook, heard), (frame, watched)):
        assert event["event"] == "message.received"
        shown = event["message"]["attachments"]
        assert shown == one_about(post, inbox, subject)["attachments"]
        thread = post.thread(event["thread_id"])["data"][0]
        assert shown == thread["attachments"]
        assert [one["filename"] for one in shown] == ["invoice.pdf", "invoice (2).pdf", "a.bin"]
        assert [one.get("parsedText") for one in shown] == ["Invoice 4711", "Invoice 4711", None]


def test_agentmail_shows_no_new_keys(post: Post) -> None:
    inbox = post.inbox()
    message = arrive(post, inbox, INVOICE)
    other = post.organization.call("GET", f"inboxes/{inbox['address']}/messages/{message['id']}")
    assert set(other["attachments"][0]) == {
        "attachment_id",
        "filename",
        "size",
        "content_type",
        "content_disposition",
        "content_id",
    }


def test_download_is_a_redirect_to_a_link_that_needs_no_key_and_minds_none(post: Post) -> None:
    (shown,) = arrive(post, post.inbox(), INVOICE)["attachments"]
    key = post.organization.api_key
    assert shown["url"].startswith(f"{post.organization.base_url}/v1/attachments/msg_")
    assert fetch(shown["url"]).status_code == 401
    answer = fetch(shown["url"], key)
    assert answer.status_code == 302
    assert answer.content == INVOICE[2]  # for clients that do not follow
    assert fetch(shown["url"], key, "HEAD").status_code == 302
    link = answer.headers["location"]
    assert link.startswith(post.organization.base_url)
    for way in (None, key, "om_of_nobody"):
        got = fetch(link, way)
        assert got.status_code == 200
        assert got.content == INVOICE[2]
        assert got.headers["content-type"] == BINARY
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-disposition"].startswith('attachment; filename="invoice.pdf"')
    head = fetch(link, method="HEAD")
    assert (head.status_code, head.content) == (200, b"")
    followed = httpx.get(
        shown["url"], headers={"Authorization": f"Bearer {key}"}, follow_redirects=True, trust_env=False
    )
    assert followed.content == INVOICE[2]


def test_the_link_works_for_fifteen_minutes(
    post: Post, gateway: GatewayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shown,) = arrive(post, post.inbox(), INVOICE)["attachments"]
    link = fetch(shown["url"], post.organization.api_key).headers["location"]
    token = link.rpartition("/")[2]
    secret = read_secret(gateway.data)
    told = signed_links.verify(secret, token)
    assert 880 <= told.expires - time.time() <= 900
    monkeypatch.setattr(
        "gateway.core.signed_links.time.time", lambda: told.expires - 901.0
    )  # a link as it was made then
    old, _ = signed_links.sign(secret, told.kind, told.id, told.part, 1)
    monkeypatch.undo()
    assert fetch(link.replace(token, old)).status_code == 403
    assert fetch(link[:-2] + ("AA" if not link.endswith("AA") else "BB")).status_code == 403


NAMES = [
    "Rechnung für Müller.pdf",
    "請求書 (最終).pdf",
    "100% sure? #1 & more+.pdf",
    "a.b.c",
    "text",
    "%2e%2e",
    "'quoted\".pdf",
    "e\u0301.pdf",
]


def test_odd_names_lead_to_their_files(post: Post) -> None:
    given = [(name, BINARY, f"content of {number}".encode()) for number, name in enumerate(NAMES)]
    message = arrive(post, post.inbox(), *given)
    key = post.organization.api_key
    for number, one in enumerate(message["attachments"]):
        assert quote(one["filename"], safe="") in one["url"]
        got = fetch(fetch(one["url"], key).headers["location"])
        assert got.content == f"content of {number}".encode()
        shown = got.headers["content-disposition"].rpartition("UTF-8''")[2]
        assert unquote(shown) == one["filename"]
    wide = next(one for one in message["attachments"] if one["filename"] == "é.pdf")
    base = wide["url"].rpartition("/")[0]
    assert fetch(f"{base}/{quote('e' + chr(0x301) + '.pdf')}", key).status_code == 302  # as macOS spells it


def test_nameless_and_repeated_names(post: Post) -> None:
    inbox = post.inbox()
    subject = word("names")
    mail = new_mail(inbox["address"], subject)
    for text in ("one", "two", "three"):
        mail.add_attachment(text.encode(), maintype="text", subtype="plain", filename="a.txt")
    mail.add_attachment(b"\1", maintype="image", subtype="png")
    mail.add_attachment(new_mail("x@y.test", "inside"))
    post.deliver(mail, inbox["address"])
    shown = one_about(post, inbox, subject)["attachments"]
    assert [one["filename"] for one in shown] == [
        "a.txt",
        "a (2).txt",
        "a (3).txt",
        "attachment-4.png",
        "attachment-5.eml",
    ]
    key = post.organization.api_key
    texts = [fetch(one["url"] + "/text", key).json()["text"] for one in shown[:3]]
    assert texts == ["one", "two", "three"]
    assert [fetch(fetch(one["url"], key).headers["location"]).text for one in shown[:3]] == texts
    assert (
        'filename="attachment-4.png"'
        in fetch(fetch(shown[3]["url"], key).headers["location"]).headers["content-disposition"]
    )
    base = shown[3]["url"].removesuffix("/attachment-4.png")
    ends = {"attachment-4": 302, "attachment-4.jpe": 302, "attachment-1.txt": 404, "attachment-6": 404}
    assert {name: fetch(f"{base}/{name}", key).status_code for name in ends} == ends


def test_text(post: Post) -> None:
    inbox = post.inbox()
    found, broken, sound = arrive(
        post, inbox, INVOICE, ("b.pdf", "application/pdf", b"nothing"), ("c.mp3", "audio/mpeg", b"ID3")
    )["attachments"]
    key = post.organization.api_key
    answer = fetch(found["url"] + "/text", key)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {
        "inboxId": inbox["id"],
        "filename": "invoice.pdf",
        "contentType": BINARY,
        "extractionMethod": "pdf",
        "text": "Invoice 4711",
    }
    for one, reason in ((broken, "pdf_error"), (sound, "unsupported")):
        refused = fetch(one["url"] + "/text", key)
        assert refused.status_code == 422
        assert refused.json()["error"] == "no_attachment_text"
        assert refused.json()["extractionMethod"] == reason
        assert one["filename"] in refused.json()["message"]


def test_what_was_not_read_on_arrival_is_read_when_it_is_asked_for(
    post: Post, gateway: GatewayProcess
) -> None:
    message = arrive(post, post.inbox(), INVOICE)
    key, ulid = post.organization.api_key, message["id"].removeprefix("msg_")
    forget = "DELETE FROM attachment_text WHERE message_id = ?"
    gateway.database(lambda tx: sql(tx).run(forget, ulid))  # as of mail that came while it was off
    url = message["attachments"][0]["url"]
    answer = fetch(f"{url}/text", key)
    assert (answer.status_code, answer.json()["text"]) == (200, "Invoice 4711")
    kept = gateway.database(
        lambda tx: sql(tx).value("SELECT text FROM attachment_text WHERE message_id = ?", ulid)
    )
    assert kept == "Invoice 4711"


def test_what_is_not_there(post: Post) -> None:
    (shown,) = arrive(post, post.inbox(), INVOICE)["attachments"]
    base, key = shown["url"].rpartition("/")[0], post.organization.api_key
    for path in ("other.pdf", "..%2Finvoice.pdf", "invoice.pdf%00", "Invoice.pdf", "%FF", "a/b/c"):
        for more in ("", "/text"):
            answer = fetch(f"{base}/{path}{more}", key)
            assert (answer.status_code, answer.json()["error"]) == (404, "not_found"), path
    for ref in ("msg_01arz3ndektsv4rrffq69g5fav", "nonsense", "0", "9" * 400):
        answer = fetch(f"{post.organization.base_url}/v1/attachments/{ref}/invoice.pdf", key)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found"), ref


def test_scope(account_tree: AccountTree, gateway: GatewayProcess) -> None:
    post = Post(gateway, account_tree.organization)
    (own,) = arrive(post, account_tree.own, INVOICE)["attachments"]
    (sister,) = arrive(post, account_tree.sister, INVOICE)["attachments"]
    (outside,) = arrive(post, account_tree.outside, INVOICE)["attachments"]
    wanted = {
        "account": (302, 302, 302),
        "pod": (302, 302, 403),
        "inbox": (302, 403, 403),
        "foreign": (404, 404, 404),
    }
    for kind, statuses in wanted.items():
        key = account_tree.keys[kind]
        for one, status in zip((own, sister, outside), statuses, strict=True):
            assert fetch(one["url"], key).status_code == status, kind
            assert fetch(one["url"] + "/text", key).status_code == (200 if status == 302 else status), kind


def test_what_we_send_is_read_too(post: Post) -> None:
    inbox = post.inbox()
    file = {"filename": "i.pdf", "contentType": BINARY, "data": base64.b64encode(INVOICE[2]).decode()}
    sent = post.send(inbox, {"to": inbox["address"], "subject": "s", "body": "b", "attachments": [file]})
    url = f"{post.organization.base_url}/v1/attachments/{sent['messageId']}/i.pdf"
    answer = fetch(url + "/text", post.organization.api_key)  # at once, whether or not its copy was seen
    assert answer.json()["text"] == "Invoice 4711"
    assert fetch(fetch(url, post.organization.api_key).headers["location"]).content == INVOICE[2]

    def outbound() -> Any:
        mine = [one for one in post.messages(inbox) if one["id"] == sent["messageId"]]
        return mine and mine[0]["attachments"][0]["extractionMethod"] == "pdf"

    until(outbound, why="the sent copy was read")


def test_deleting_leaves_no_text(post: Post, gateway: GatewayProcess) -> None:
    inbox, marker = post.inbox(), word("secret")
    message = arrive(post, inbox, ("a.txt", "text/plain", marker.encode()))
    call(post.organization, "DELETE", f"inboxes/{inbox['id']}", status=204)
    assert fetch(message["attachments"][0]["url"], post.organization.api_key).status_code == 404
    for file in gateway.data.glob("postern.db*"):
        assert marker.encode() not in file.read_bytes()


def test_a_slow_attachment_holds_up_its_own_inbox_only_and_keeps_its_order(post: Post) -> None:
    slow, other = post.inbox(), post.inbox()
    with listening(post) as socket:
        subscribe(socket, [])
        post.deliver(files.mail(subject="before"), slow["address"])
        post.deliver(files.mail(("slow.pdf", BINARY, files.slow_pdf()), subject="slow"), slow["address"])
        post.deliver(files.mail(subject="after"), slow["address"])
        for number in range(3):
            post.deliver(files.mail(INVOICE, subject=f"other {number}"), other["address"])
        heard = [json.loads(socket.recv(timeout=60))["message"]["subject"] for _ in range(6)]
    assert [subject for subject in heard if not subject.startswith("other")] == ["before", "slow", "after"]
    assert [subject for subject in heard if subject.startswith("other")] == ["other 0", "other 1", "other 2"]
    assert heard.index("slow") > heard.index("other 2")
