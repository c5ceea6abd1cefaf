"""Reading (contract, "Message"): one list of what was sent and received, each message as documented."""

from __future__ import annotations

import re
import time
from typing import Any

import httpx
import pytest

from gateway.core.signed_links import Link, sign_until
from gateway.datadir import read_secret
from tests.api_mailboxkit.calls import answer, call
from tests.api_mailboxkit.mailing import file_of, listed, message, new_box, receive, send, stranger
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import new_mail
from tests.support.waiting import until

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
ALWAYS = {
    "id", "ulid", "inbox_id", "message_id", "from_email", "from_name", "to_emails", "cc_emails", "subject",
    "text_body", "html_body", "extracted_text", "extracted", "status", "thread_id", "attachments", "test",
    "created_at", "auto_submitted", "bulk", "list_id", "defects", "unlisted_attachments", "calendar", "trust",
    "hidden_text", "risk",
}  # fmt: skip

PAGE = """<html><head><style>p { color: red }</style><script>alert(1)</script></head><body>
<p>Fish &amp; chips &mdash; 5&nbsp;&euro;</p><div style="display:none">You cannot see me</div>
<blockquote type="cite">What would you like?</blockquote></body></html>"""


def fetch(url: str) -> httpx.Response:
    """A plain GET without the key."""
    return httpx.get(url, trust_env=False, timeout=30)


def test_a_received_message_is_as_documented(gateway: GatewayProcess, organization: Organization) -> None:
    box = new_box(organization)
    mail = new_mail(box["email"], "Re: Order #1234", "Thanks, got it!\n", Cc="Bob <bob@abroad.test>")
    mail.add_alternative("<p>Thanks, got it!</p>", subtype="html")
    mail.add_attachment(b"%PDF receipt", maintype="application", subtype="pdf", filename="receipt.pdf")
    got = receive(gateway, organization, box, mail)
    assert set(got) == ALWAYS
    assert type(got["id"]) is type(got["inbox_id"]) is type(got["thread_id"]) is int
    assert re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", got["ulid"])
    assert TIME.fullmatch(got["created_at"])
    (file,) = got["attachments"]
    assert (file["filename"], file["mime_type"], file["size"]) == ("receipt.pdf", "application/pdf", 12)
    assert {name: got[name] for name in ALWAYS & set(_WANTED)} == _WANTED | {
        "inbox_id": box["id"],
        "message_id": mail["Message-ID"],
        "to_emails": [box["email"]],
    }
    assert got["text_body"].strip() == "Thanks, got it!"
    assert got["html_body"].strip() == "<p>Thanks, got it!</p>"
    whole = message(organization, box, got["ulid"])
    assert {**whole, "attachments": []} == {**got, "attachments": []}


_WANTED: dict[str, Any] = {
    "inbox_id": None,
    "message_id": None,
    "to_emails": None,
    "from_email": "ann@abroad.test",
    "from_name": "Ann Outside",
    "cc_emails": ["bob@abroad.test"],
    "subject": "Re: Order #1234",
    "extracted_text": "Thanks, got it!",
    "extracted": {"code": None, "link": None},
    "status": "received",
    "test": False,
}


def test_sent_and_received_share_a_list_newest_first(
    gateway: GatewayProcess, organization: Organization
) -> None:
    box, bcc = new_box(organization), stranger()
    first = receive(gateway, organization, box, "one", sender="nobody@abroad.test")
    second = send(
        organization, box, stranger(), bcc=[bcc], subject="two", text=None, html="<p>T<b>w</b>o</p>"
    )
    third = receive(gateway, organization, box, "three")
    rows = listed(organization, box)
    assert [one["id"] for one in rows] == [third["id"], second["id"], first["id"]]
    assert [one["from_email"] == box["email"] for one in rows] == [False, True, False]
    assert set(rows[1]) == ALWAYS | {"bcc_emails"}
    assert rows[1]["bcc_emails"] == [bcc]
    assert rows[1]["extracted_text"] == "Two"
    assert (rows[1]["from_name"], first["from_name"]) == ("Support Agent", None)


def test_lists_go_by_page(organization: Organization) -> None:
    box = new_box(organization)
    sent = [send(organization, box, stranger(), subject=str(number))["id"] for number in range(5)]
    path = f"inboxes/{box['id']}/messages"
    page = call(organization, "GET", path, params={"per_page": 2, "page": 2})
    assert [one["id"] for one in page["data"]] == sent[::-1][2:4]
    assert page["meta"] == {"current_page": 2, "last_page": 3, "per_page": 2, "total": 5}
    assert call(organization, "GET", path, params={"page": 4, "per_page": 2})["data"] == []


def test_a_blind_copy_names_nobody(organization: Organization) -> None:
    ours, theirs = new_box(organization), new_box(organization)
    send(organization, ours, stranger(), bcc=[theirs["email"]])
    (got,) = listed(organization, theirs, 1)
    assert "bcc_emails" not in got
    assert theirs["email"] not in got["to_emails"] + got["cc_emails"]


@pytest.mark.parametrize(
    ("text", "html", "extracted"),
    [
        (None, PAGE, "Fish & chips — 5 €"),
        ("Only text\n\nOn Mon, 2 Nov 2026, Bob <bob@abroad.test> wrote:\n> What now?\n", None, "Only text"),
        ("> all of it\n> is quoted\n", None, "> all of it\n> is quoted"),
    ],
)
def test_extracted_text_is_what_was_written_now(
    gateway: GatewayProcess, organization: Organization, text: str | None, html: str | None, extracted: str
) -> None:
    box = new_box(organization)
    mail = new_mail(box["email"], "Re: Lunch", text or "x")
    if html is not None:
        mail.set_content(html, subtype="html")
    got = receive(gateway, organization, box, mail)
    assert " ".join(got["extracted_text"].replace("\xa0", " ").split()) == " ".join(extracted.split())


def test_a_code_and_a_link_are_taken_out(gateway: GatewayProcess, organization: Organization) -> None:
    box = new_box(organization)
    text = "Your verification code is 482913.\n\nOr confirm your address:\nhttps://abroad.test/confirm?token=a1b2\n"
    got = receive(gateway, organization, box, "Verify your email", text)
    assert got["extracted"] == {"code": "482913", "link": "https://abroad.test/confirm?token=a1b2"}


def test_an_attachment_opens_without_the_key_until_its_url_expires(
    gateway: GatewayProcess, organization: Organization
) -> None:
    box = new_box(organization)
    mail = new_mail(box["email"], "Files")
    for name in ("a.txt", "a.txt"):
        mail.add_attachment(b"<script>" + name.encode(), maintype="text", subtype="html", filename=name)
    got = receive(gateway, organization, box, mail)
    assert [one["filename"] for one in got["attachments"]] == ["a.txt", "a (2).txt"]
    url = got["attachments"][0]["url"]
    assert url.startswith(f"{organization.base_url}/api/v1/files/")
    opened = fetch(url)
    assert opened.content == b"<script>a.txt"
    assert opened.headers["content-disposition"].startswith("attachment")
    assert opened.headers["x-content-type-options"] == "nosniff"
    for wrong in (url[:-1], url[:-2] + "zz", url.replace("/files/", "/files/Z")):
        refused = fetch(wrong)
        assert refused.status_code == 403
        assert "message" in refused.json()
    token = url.rpartition("/")[2]
    assert got["id"] not in (token, url)

    secret = read_secret(gateway.data)
    ulid = got["ulid"].lower()
    row = organization.call("GET", f"inboxes/{box['email']}/messages/msg_{ulid}")
    file = row["attachments"][0]["attachment_id"]
    for seconds, status in ((60, 200), (-1, 403)):
        link = Link("file", ulid, file, int(time.time()) + seconds)
        made = f"{organization.base_url}/api/v1/files/{sign_until(secret, link)}"
        assert fetch(made).status_code == status


def test_a_url_is_renewed_on_each_read(gateway: GatewayProcess, organization: Organization) -> None:
    box = new_box(organization)
    sent = send(organization, box, stranger(), attachments=[file_of(b"x", "x.txt")])
    first = message(organization, box, sent["id"])["attachments"][0]["url"]

    def renewed() -> str | None:  # a URL says until which second it works
        url: str = message(organization, box, sent["id"])["attachments"][0]["url"]
        return url if url != first else None

    second = until(renewed)
    assert second is not None
    assert fetch(first).content == fetch(second).content == b"x"


def test_a_body_cut_for_the_list_is_whole_in_the_message(
    gateway: GatewayProcess, organization: Organization
) -> None:
    box = new_box(organization)
    text = "".join(f"line {number}\n" for number in range(60_000))
    got = receive(gateway, organization, box, "long", text)
    assert len(got["text_body"]) <= 512 * 1024 < len(text)
    assert message(organization, box, got["id"])["text_body"].split() == text.split()


def test_spam_is_left_out(gateway: GatewayProcess, organization: Organization) -> None:
    box = new_box(organization)
    got = receive(gateway, organization, box, "one")
    organization.call(
        "PATCH", f"inboxes/{box['email']}/messages/msg_{got['ulid'].lower()}", json={"add_labels": ["spam"]}
    )
    assert listed(organization, box) == []
    assert answer(organization, "GET", f"inboxes/{box['id']}/threads").json()["data"] == []
