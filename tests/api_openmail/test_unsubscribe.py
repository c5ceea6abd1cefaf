"""One-click unsubscribe (RFC 8058): the header fields a send asks for, and the link that works without a login."""

from __future__ import annotations

import email
import email.policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import dkim
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import Invalid, NotFound
from gateway.core.sending.send import SendRequest
from gateway.core.sending.send import send as core_send
from gateway.core.sending.unsubscribe import Wish, token_of, wish_of
from gateway.records.ids import MessageId, OrganizationId
from gateway.store.sql import sql
from tests.api_openmail.calls import call, client
from tests.api_openmail.mailing import send, stranger
from tests.outbox.running_outbox import SCOPE, running_outbox
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until

SECRET = b"s" * 32
ID = "01m7ygm8m19q3ra63kv4vmrvk4"


class Reader:
    """A person with a mailbox in another account, whom the account writes to."""

    def __init__(self, gateway: GatewayProcess, account: Organization, username: str | None = None) -> None:
        self.account, self.home = account, gateway.new_organization()
        made = account.new_inbox()
        self.inbox, self.sender = made["inbox_id"], made["email_address"]
        self.address = self.home.new_inbox(username)["email_address"]

    def gets(self, **fields: Any) -> bytes:
        """The first mail to this person, as it came."""
        answer = send(self.account, self.inbox, self.address, **fields)
        assert answer.status_code == 200, answer.text
        box = f"inboxes/{self.address}/messages"
        (row,) = until(lambda: self.home.call("GET", box)["data"], why="the mail")
        return raw_of(self.home, f"{box}/{row['message_id']}")


def raw_of(organization: Organization, message: str) -> bytes:
    """The octets of a message, by its path."""
    link = organization.call("GET", f"{message}/raw")["download_url"]
    return httpx.get(link, trust_env=False).content


@pytest.fixture
def reader(gateway: GatewayProcess, organization: Organization) -> Reader:
    return Reader(gateway, organization)


def headers_of(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def link_in(raw: bytes) -> str:
    """The URL of List-Unsubscribe."""
    value = str(headers_of(raw)["List-Unsubscribe"])
    assert value.startswith("<http"), value
    return value.removeprefix("<").removesuffix(">")


def suppressed(account: Organization) -> dict[str, Any]:
    return {row["address"]: row for row in call(account, "GET", "suppressions")["data"]}


def test_one_click_unsubscribes_from_the_whole_account(gateway: GatewayProcess, reader: Reader) -> None:
    raw = reader.gets(unsubscribe=True)
    url = link_in(raw)
    assert url.startswith(f"{gateway.base_url}/unsubscribe/")
    assert headers_of(raw)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for _ in range(2):  # as a mail program does it: no login, no cookie, no redirect; again is the same
        answer = httpx.post(url, data={"List-Unsubscribe": "One-Click"}, trust_env=False)
        assert answer.status_code == 200
    row = suppressed(reader.account)[reader.address]
    assert (row["type"], row["reason"]) == ("unsub", "one-click unsubscribe")
    assert row["messageId"].removeprefix("msg_") in str(headers_of(raw)["Message-ID"])
    other = reader.account.new_inbox()["inbox_id"]
    answer = send(reader.account, other, reader.address)
    assert (answer.status_code, answer.json()["type"]) == (422, "unsub")
    # an answer of that person lifts nothing, another account is not concerned
    mail = {"to": reader.sender, "text": "What was that?"}
    reader.home.call("POST", f"inboxes/{reader.address}/messages/send", json=mail)
    box = f"inboxes/{reader.inbox}/messages?labels=received"
    until(lambda: reader.account.call("GET", box)["data"], why="the answer")
    assert send(reader.account, reader.inbox, reader.address).status_code == 422
    stranger_to_it = gateway.new_organization()
    inbox = stranger_to_it.new_inbox()["inbox_id"]
    assert send(stranger_to_it, inbox, reader.address).status_code == 200


def test_the_page_asks_and_changes_nothing(reader: Reader) -> None:
    url = link_in(reader.gets(unsubscribe=True))
    for method in ("GET", "HEAD"):
        page = httpx.request(method, url, trust_env=False)
        assert page.status_code == 200
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert (page.headers["cache-control"], page.headers["referrer-policy"]) == ("no-store", "no-referrer")
    page = httpx.get(url, trust_env=False)
    assert reader.address in page.text
    assert '<form method="post"><button' in page.text
    assert suppressed(reader.account) == {}
    assert httpx.put(url, trust_env=False).status_code == 405
    # an empty POST, or one with a file in it, is a wish as well
    assert httpx.post(url, content=b"", trust_env=False).status_code == 200
    assert httpx.post(url, files={"x": b"y" * 100_000}, trust_env=False).status_code == 200
    assert set(suppressed(reader.account)) == {reader.address}


def test_the_link_outlives_its_mail_and_its_inbox(reader: Reader) -> None:
    url = link_in(reader.gets(unsubscribe=True))
    reader.account.call("DELETE", f"inboxes/{reader.inbox}")
    assert httpx.post(url, trust_env=False).status_code == 200
    assert set(suppressed(reader.account)) == {reader.address}


def test_an_altered_link_is_none(gateway: GatewayProcess, reader: Reader) -> None:
    base, _, token = link_in(reader.gets(unsubscribe=True)).rpartition("/")
    middle = len(token) // 2
    altered = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1 :]
    for bad in (
        altered,
        token[:-1],
        token + "A",
        token + "=",
        "x",
        "%00",
        "%ff%fe",
        "a" * 5000,
        f"{token}%20",
    ):
        for method in ("GET", "POST"):
            answer = httpx.request(method, f"{base}/{bad}", trust_env=False)
            assert answer.status_code == 404, bad
            assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert httpx.post(f"{base}/", trust_env=False).status_code == 404
    assert suppressed(reader.account) == {}


def test_dkim_signs_both_fields(gateway: GatewayProcess, organization: Organization) -> None:
    reader = Reader(gateway, organization, "r" + "e" * 55 + stranger()[9:15])  # too long for one line
    raw = reader.gets(unsubscribe=True)
    public = gateway.database(
        lambda tx: sql(tx).value("SELECT dkim_public FROM domain WHERE name = 'postern.test'")
    )

    def lookup(name: bytes, timeout: int = 5) -> bytes:
        return str(public).encode()

    assert dkim.verify(raw, dnsfunc=lookup)
    url = link_in(raw)
    assert not dkim.verify(raw.replace(url[-20:].encode(), b"x" * 20), dnsfunc=lookup)
    assert not dkim.verify(
        raw.replace(b"List-Unsubscribe=One-Click", b"List-Unsubscribe=Two"), dnsfunc=lookup
    )
    assert httpx.get(url, trust_env=False).status_code == 200


def test_only_a_send_that_asks_has_a_link(reader: Reader) -> None:
    raw = reader.gets()
    assert headers_of(raw)["List-Unsubscribe"] is None
    assert headers_of(raw)["List-Unsubscribe-Post"] is None


def test_an_answer_in_a_thread_and_a_form_and_the_other_dialect_may_ask(reader: Reader) -> None:
    with client(reader.account) as http:
        sent = http.post(
            f"inboxes/{reader.inbox}/send",
            files={"unsubscribe": (None, "true"), "to": (None, reader.address), "subject": (None, "s"),
                   "body": (None, "b")},
            headers={"Idempotency-Key": "form"},
        )  # fmt: skip
    assert sent.status_code == 200, sent.text
    made = [sent.json()["messageId"]]
    thread = sent.json()["threadId"]
    answer = send(reader.account, reader.inbox, reader.address, threadId=thread, unsubscribe=True)
    made.append(answer.json()["messageId"])
    body = {"to": reader.address, "text": "t", "unsubscribe": True}
    made.append(reader.account.call("POST", f"inboxes/{reader.inbox}/messages/send", json=body)["message_id"])
    links = set()
    for one in made:
        links.add(link_in(raw_of(reader.account, f"inboxes/{reader.inbox}/messages/{one}")))
    assert len(links) == 3


def test_it_takes_one_recipient_and_no_header_of_ones_own(organization: Organization) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    answer = send(organization, inbox, stranger(), cc=[stranger()], unsubscribe=True)
    assert (answer.status_code, answer.json()["field"]) == (400, "unsubscribe")
    assert send(organization, inbox, stranger(), unsubscribe="yes").status_code == 400
    with organization.client() as http:
        body: dict[str, Any] = {"to": stranger(), "text": "t", "unsubscribe": True}
        for more in ({"bcc": stranger()}, {"headers": {"list-unsubscribe": "<https://x.test/>"}}):
            assert http.post(f"inboxes/{inbox}/messages/send", json=body | more).status_code == 400
    assert organization.call("GET", f"inboxes/{inbox}/messages")["data"] == []


@pytest.mark.anyio
async def test_a_server_without_https_says_what_its_operator_must_do(tmp_path: Path) -> None:
    async with running_outbox(tmp_path, start=False) as r:
        inbox = await r.inbox()
        with pytest.raises(Invalid) as caught:
            await core_send(r.core, SCOPE, inbox, SendRequest(to=[stranger()], unsubscribe=True))
        assert caught.value.field == "unsubscribe"
        assert "http.public_url" in (caught.value.fix or "")


@given(st.text(max_size=300) | st.from_regex(r"[A-Za-z0-9_=-]{0,300}", fullmatch=True))
def test_no_text_but_ours_is_a_token(text: str) -> None:
    with pytest.raises(NotFound):
        wish_of(SECRET, text)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=254))
def test_a_token_stands_for_what_it_was_made_of(address: str) -> None:
    wish = Wish(OrganizationId(ID), MessageId(ID), address.strip().lower())
    token = token_of(SECRET, wish)
    assert wish_of(SECRET, token) == wish
    with pytest.raises(NotFound):
        wish_of(b"t" * 32, token)


@given(st.data())
def test_a_token_with_any_character_changed_is_none(data: st.DataObject) -> None:
    token = token_of(SECRET, Wish(OrganizationId(ID), MessageId(ID), "ann@abroad.test"))
    at = data.draw(st.integers(0, len(token) - 1))
    char = data.draw(st.characters(codec="ascii").filter(lambda one: one != token[at]))
    with pytest.raises(NotFound):
        wish_of(SECRET, token[:at] + char + token[at + 1 :])
