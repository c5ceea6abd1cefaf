"""The wallet (contract, "Errors"; subtle behaviour 4): charged once a message, never overdrawn, and what a send is
answered with when it holds too little.
"""

from __future__ import annotations

import email
import email.policy
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from gateway.cli.failure import USAGE
from gateway.cli.main import run
from tests.api_mailboxkit.calls import answer, call, made
from tests.api_mailboxkit.mailing import (
    Box,
    file_of,
    listed,
    message,
    new_box,
    receive,
    send,
    stranger,
    try_send,
    word,
)
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.own_gateway import OwnGateway, missing, start_gateway

START = 12  # mills of a new account: six mails


@pytest.fixture(scope="module")
def till() -> Iterator[OwnGateway]:
    """A gateway that charges."""
    reason = missing("embedded")
    if reason:
        pytest.skip(reason)
    with start_gateway(
        wallet__enabled=True, wallet__new_account_mills=START, register__per_address=0
    ) as made:
        yield made


class Account:
    """A registered organization with its inbox, and what it has left."""

    def __init__(self, till: OwnGateway) -> None:
        self.till = till
        self.owner = f"{word('owner')}@abroad.test"
        url = f"{till.base_url}/api/v1/register"
        body = {"name": "My Agent", "owner_email": self.owner}
        got = httpx.post(url, json=body, trust_env=False, timeout=30).json()
        self.box: Box = {"id": got["inbox_id"], "email": got["email"]}
        self.organization = Organization("", got["api_key"], till.base_url)

    @property
    def balance(self) -> int:
        return int(call(self.organization, "GET", "wallet")["data"]["balance_mills"])

    def send(self, **fields: Any) -> httpx.Response:
        headers = fields.pop("headers", {})
        body = {"to": [stranger()], "subject": "s", "text": "t", **fields}
        return try_send(self.organization, self.box, body, headers=headers)

    def spend(self) -> None:
        """Send until nothing is left."""
        for left in range(self.balance // 2, 0, -1):
            assert self.send().status_code == 201, left
        assert self.balance == 0

    def add(self, mills: int) -> None:
        """What the operator does."""
        top_up(self.till, self.box["email"], {"mills": mills}, 200)

    def told(self) -> list[str]:
        """The texts of the mails that the owner got."""
        mails = [
            email.message_from_bytes(one.data, policy=email.policy.default)
            for one in self.till.foreign.to(self.owner)
        ]
        return [one.get_content() for one in mails]


def top_up(till: OwnGateway, organization: str, body: Any, status: int) -> Any:
    """The operator's route, with the key of the machine."""
    key = json.loads((till.data / "operator.json").read_text())["api_key"]
    return call(
        till.organization, "POST", f"organizations/{organization}/wallet", body, key=key, status=status
    )


@pytest.fixture
def account(till: OwnGateway) -> Account:
    return Account(till)


def test_a_send_without_credit_is_answered_as_documented(till: OwnGateway, account: Account) -> None:
    account.spend()
    got = account.send()
    assert got.status_code == 402
    assert got.json() == {
        "error": "insufficient_balance",
        "message": "Your organization does not have enough credit to send this email.",
        "action": "Top up your wallet to continue sending.",
        "billing_url": f"{till.base_url}/billing",
        "docs_url": f"{till.base_url}/api-docs#billing-errors",
        "balance_mills": 0,
        "balance_dollars": "$0.000",
        "cost_mills": 2,
        "cost_dollars": "$0.002",
        "emails_remaining": 0,
    }
    for link in ("billing_url", "docs_url"):
        assert httpx.get(got.json()[link], follow_redirects=True, trust_env=False).status_code == 200
    assert len(listed(account.organization, account.box)) == START // 2


def test_so_is_a_reply_while_reading_and_receiving_go_on(till: OwnGateway, account: Account) -> None:
    account.spend()
    question = receive(till, account.organization, account.box, "Question")
    path = f"inboxes/{account.box['id']}/messages/{question['id']}"
    got = answer(account.organization, "POST", f"{path}/reply", {"text": "a", "attachments": [file_of(b"x")]})
    assert got.status_code == 402
    assert (got.json()["cost_mills"], got.json()["cost_dollars"]) == (3, "$0.003")
    assert message(account.organization, account.box, question["id"])["subject"] == "Question"
    assert call(account.organization, "POST", "messages/search", {"query": "Question"})["meta"]["total"] == 1
    assert account.balance == 0


def test_a_message_costs_once_and_each_attachment_too(account: Account) -> None:
    assert account.balance == START
    got = account.send(
        to=[stranger(), stranger()], cc=[stranger()], attachments=[file_of(b"a"), file_of(b"b")]
    )
    assert got.status_code == 201
    assert account.balance == START - 4
    for refused in ({"to": ["nobody"]}, {"text": None}, {"attachments": [file_of(b"x")] * 6}):
        assert account.send(**refused).status_code == 422
    assert account.balance == START - 4
    last = account.send(attachments=[file_of(b"x")] * 5)
    assert (last.status_code, account.balance) == (201, 1)
    short = account.send().json()
    assert (short["balance_mills"], short["balance_dollars"], short["emails_remaining"]) == (1, "$0.001", 0)
    wallet = call(account.organization, "GET", "wallet")["data"]
    assert (wallet["spent_mills"], wallet["emails_remaining"]) == (START - 1, 0)


def test_what_is_left_over_an_expensive_mail_is_said(account: Account) -> None:
    account.send(attachments=[file_of(b"x")])
    account.send(attachments=[file_of(b"x")])
    short = account.send(attachments=[file_of(b"x")] * 5)
    assert short.status_code == 402
    assert [short.json()[name] for name in ("balance_mills", "cost_mills", "emails_remaining")] == [6, 7, 3]
    assert account.send().status_code == 201


def test_twenty_at_once_do_not_overdraw(account: Account) -> None:
    with ThreadPoolExecutor(20) as pool:
        codes = Counter(one.status_code for one in pool.map(lambda _: account.send(), range(20)))
    assert codes == {201: START // 2, 402: 20 - START // 2}
    assert account.balance == 0
    assert len(listed(account.organization, account.box, per_page=100)) == START // 2


def test_a_repeat_is_free_and_a_refusal_keeps_no_key(account: Account) -> None:
    headers = {"Idempotency-Key": word()}
    body = {"to": [stranger()], "headers": headers}
    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(lambda _: account.send(**body), range(5)))
    assert {one.status_code for one in answers} == {201}
    assert len({one.content for one in answers}) == 1
    assert account.balance == START - 2
    account.spend()
    assert account.send(**body).status_code == 201  # the repeat again, at zero
    other = {"to": [stranger()], "headers": {"Idempotency-Key": word()}}
    assert account.send(**other).status_code == 402
    account.add(2)
    paid = account.send(**other)
    assert (paid.status_code, paid.headers.get("x-idempotent-replayed")) == (201, None)
    assert account.balance == 0


def test_a_sandbox_key_is_never_charged(account: Account) -> None:
    key = made(account.organization, "api_keys", {"name": "Test Key", "test": True})["key"]
    send(account.organization, account.box, stranger(), key=key, attachments=[file_of(b"x")])
    assert account.balance == START
    account.spend()
    assert send(account.organization, account.box, stranger(), key=key)["test"] is True


def test_the_owner_is_told_once_until_the_wallet_is_topped_up(till: OwnGateway, account: Account) -> None:
    account.spend()
    with ThreadPoolExecutor(8) as pool:
        assert {one.status_code for one in pool.map(lambda _: account.send(), range(8))} == {402}
    (mail,) = till.foreign.wait(account.owner)
    shown = email.message_from_bytes(mail.data, policy=email.policy.default)
    assert (mail.mail_from, shown["To"], shown["Auto-Submitted"]) == ("", account.owner, "auto-generated")
    assert shown["From"].addresses[0].domain == "postern.test"
    assert "DKIM-Signature" in shown
    assert "My Agent" in shown.get_content()
    assert f"{till.base_url}/billing" in shown.get_content()
    account.add(2)
    after = stranger()
    assert account.send(to=[after]).status_code == 201
    till.foreign.wait(after)
    assert len(account.told()) == 1
    assert account.send().status_code == 402
    till.foreign.wait(account.owner, 2)
    assert account.send().status_code == 402
    assert len(account.told()) == 2
    assert [one["subject"] for one in listed(account.organization, account.box)] == ["s"] * (START // 2 + 1)


def test_an_organization_without_an_owner_is_refused_all_the_same(till: OwnGateway) -> None:
    organization = till.new_organization()
    box = new_box(organization)
    for _ in range(START // 2):
        send(organization, box, stranger())
    assert try_send(organization, box, {"to": stranger(), "text": "t"}).status_code == 402


def test_the_other_dialects_charge_and_refuse_in_their_own_words(account: Account) -> None:
    box, other = account.box["email"], account.organization
    other.call("POST", f"inboxes/{box}/messages/send", json={"to": stranger(), "text": "t"})
    assert account.balance == START - 2
    account.spend()
    with other.client() as http:
        sent = http.post(f"inboxes/{box}/messages/send", json={"to": stranger(), "text": "t"})
        assert (sent.status_code, sent.json()["name"]) == (403, "LimitExceededError")
        draft = other.call("POST", f"inboxes/{box}/drafts", json={"to": [stranger()], "text": "t"})
        kept = http.post(f"inboxes/{box}/drafts/{draft['draft_id']}/send")
        assert (kept.status_code, kept.json()["code"]) == (403, "limit_exceeded")
        assert http.get(f"inboxes/{box}/drafts/{draft['draft_id']}").status_code == 200
        sent = http.post(
            f"{other.base_url}/v1/inboxes/{box}/send",
            json={"to": stranger(), "subject": "s", "body": "b"},
            headers={"Idempotency-Key": word()},
        )
        assert (sent.status_code, sent.json()["error"]) == (402, "spend_cap_paused")
    account.add(2)
    other.call("POST", f"inboxes/{box}/drafts/{draft['draft_id']}/send")
    assert account.balance == 0


def test_the_operator_tops_up_on_the_command_line(till: OwnGateway, account: Account) -> None:
    def postern(*arguments: str, code: int = 0) -> Any:
        done = till.postern("wallet", *arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout if code == 0 else done.stderr)

    shown = postern("show", account.box["email"])
    assert (shown["organization"], shown["balance_mills"]) == ("My Agent", START)
    assert postern("add", str(shown["organization_id"]), "1.25")["balance_dollars"] == "$1.262"
    assert "cannot become" in postern("add", account.box["email"], "-2", code=1)["error"]
    assert account.balance == START + 1250


@pytest.mark.parametrize("amount", ["0.0001", "five", "inf", ""])
def test_no_amount_of_dollars_is_a_usage_error(amount: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["wallet", "add", "agent@postern.test", amount]) == USAGE
    assert "no amount of dollars" in capsys.readouterr().err


def test_only_the_operator_tops_up(till: OwnGateway, account: Account) -> None:
    path = f"organizations/{account.box['email']}/wallet"
    for method, body in (("POST", {"mills": 1000}), ("GET", None)):
        got = answer(account.organization, method, path, body)
        assert (got.status_code, got.json()["error"]) == (403, "forbidden")
    for wrong in ({}, {"mills": 0}, {"mills": "5"}, {"mills": 0.5}, {"mills": 10**13}, {"mills": -START - 1}):
        refused = top_up(till, account.box["email"], wrong, 422)
        assert list(refused["errors"]) == ["mills"]
    for nobody in ("not-an-id", "9" * 40, "1", "a@b.test"):
        top_up(till, nobody, {"mills": 5}, 404)
    assert account.balance == START


def test_nothing_is_charged_unless_the_operator_says_so(
    gateway: GatewayProcess, organization: Organization
) -> None:
    got = answer(organization, "GET", "wallet")
    assert (got.status_code, got.json()["error"]) == (404, "not_found")
    assert httpx.get(f"{gateway.base_url}/billing", trust_env=False).status_code == 404
