"""Mail to people who never wrote to the inbox is capped per UTC day, per inbox and per account (contract §10)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.api_openmail.mailing import accepted, change, send, send_at_once, stranger, told
from tests.support.gateway_process import GatewayProcess, Organization, running_gateway
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until

NEW_INBOX, INBOX, NEW_ACCOUNT, ACCOUNT, DAILY = 3, 5, 6, 8, 12
DAY = 86400
MONTH_US = 31 * DAY * 1_000_000


@pytest.fixture(scope="module")
def capped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    with running_gateway(
        tmp_path_factory.mktemp("capped"),
        limits__sends_per_day=DAILY,
        limits__cold_new_inbox=NEW_INBOX,
        limits__cold_inbox=INBOX,
        limits__cold_new_organization=NEW_ACCOUNT,
        limits__cold_organization=ACCOUNT,
    ) as running:
        yield running


@pytest.fixture
def account(capped: GatewayProcess) -> Organization:
    return capped.new_organization()


def refused(answer: httpx.Response, limit: int) -> None:
    """A 429 of cold outreach that ends at the next UTC midnight."""
    body = answer.json()
    assert (answer.status_code, body["error"], body["scope"]) == (429, "cold_outreach_limit", "cold_outreach")
    said = told(answer)
    assert (said["limit"], said["remaining"], said["reset"] % DAY) == (limit, 0, 0)
    assert 1 <= int(answer.headers["retry-after"]) <= DAY
    assert 0 <= said["reset"] - time.time() - int(answer.headers["retry-after"]) + 30 < 60


def hear(capped: GatewayProcess, account: Organization, address: str, sender: str) -> str:
    """A mail of ``sender`` to an inbox, arrived; answers its id."""
    subject = f"From {sender}"
    deliver(capped.port("smtp"), new_mail(address, subject, sender=f"Somebody <{sender}>"), address)

    def there() -> str | None:
        rows = account.call("GET", f"inboxes/{address}/messages")["data"]
        return next((row["message_id"] for row in rows if row["subject"] == subject), None)

    return until(there, why=f"the mail of {sender}")


def test_of_cold_sends_at_once_exactly_the_cap_is_taken(
    capped: GatewayProcess, account: Organization
) -> None:
    inbox = account.new_inbox()["postern_id"]
    answers = send_at_once(account, [(inbox, stranger()) for _ in range(NEW_INBOX + 4)])
    taken = accepted(answers)
    assert sorted(told(one)["remaining"] for one in taken) == list(range(NEW_INBOX))
    for answer in answers:
        if answer.status_code == 429:
            refused(answer, NEW_INBOX)
    # an inbox that is not new may more, and a new day gives all of it again
    change(capped, "UPDATE inbox SET created_at = created_at - ? WHERE id = ?", MONTH_US, inbox[4:])
    assert len(accepted(send_at_once(account, [(inbox, stranger()) for _ in range(4)]))) == INBOX - NEW_INBOX
    assert (
        change(capped, "UPDATE tally SET day = day - 1 WHERE subject IN (?, ?)", inbox[4:], account.id[4:])
        == 2
    )
    assert send(account, inbox, stranger()).status_code == 200


def test_who_wrote_to_the_inbox_is_not_cold_to_it(capped: GatewayProcess, account: Organization) -> None:
    inbox, other = account.new_inbox(), account.new_inbox()
    friend = stranger()
    assert hear(capped, account, inbox["email_address"], friend.replace("stranger", "Stranger"))
    box = inbox["postern_id"]
    # any number of warm sends take nothing of the cap
    assert len(accepted(send_at_once(account, [(box, friend)] * (NEW_INBOX + 1)))) == NEW_INBOX + 1
    assert (
        len(accepted(send_at_once(account, [(box, stranger()) for _ in range(NEW_INBOX + 1)]))) == NEW_INBOX
    )
    assert send(account, box, friend.upper()).status_code == 200
    refused(send(account, box, stranger()), NEW_INBOX)
    # the same person is cold to the inbox beside it
    assert told(send(account, other["postern_id"], friend))["remaining"] == NEW_INBOX - 1
    # a sender that failed authentication proves nothing
    change(
        capped,
        "INSERT INTO label (message_id, inbox_id, label) SELECT id, inbox_id, 'unauthenticated' FROM message "
        "WHERE inbox_id = ? AND direction = 'inbound'",
        box[4:],
    )
    refused(send(account, box, friend), NEW_INBOX)


def test_each_cold_recipient_counts_and_a_mail_is_refused_whole(account: Organization) -> None:
    inbox = account.new_inbox()["postern_id"]
    assert send(account, inbox, stranger()).status_code == 200
    assert told(send(account, inbox, stranger()))["remaining"] == NEW_INBOX - 2
    crowd = send(account, inbox, stranger(), cc=[stranger()])
    assert crowd.status_code == 429
    assert "2 of them, 1 are left" in crowd.json()["message"]
    assert told(send(account, inbox, stranger()))["remaining"] == 0
    inbox = account.new_inbox()["postern_id"]
    assert told(send(account, inbox, stranger(), cc=[stranger()]))["remaining"] == NEW_INBOX - 2


def test_the_accounts_cap_holds_over_its_inboxes_and_drafts(
    capped: GatewayProcess, account: Organization
) -> None:
    boxes = [account.new_inbox()["postern_id"] for _ in range(4)]
    answers = send_at_once(account, [(box, stranger()) for box in boxes[:3] for _ in range(3)])
    assert len(accepted(answers)) == NEW_ACCOUNT
    refused(send(account, boxes[3], stranger()), NEW_ACCOUNT)
    draft = account.call("POST", f"inboxes/{boxes[3]}/drafts", json={"to": [stranger()], "text": "t"})
    with account.client() as http:
        answer = http.post(f"inboxes/{boxes[3]}/drafts/{draft['draft_id']}/send", json={})
        assert (answer.status_code, told(answer)["limit"]) == (429, NEW_ACCOUNT)
        change(
            capped,
            "UPDATE organization SET created_at = created_at - ? WHERE id = ?",
            MONTH_US,
            account.id[4:],
        )
        answer = http.post(f"inboxes/{boxes[3]}/drafts/{draft['draft_id']}/send", json={})
        assert answer.status_code == 200, answer.text
    assert len(accepted(send_at_once(account, [(boxes[3], stranger())] * 3))) == ACCOUNT - NEW_ACCOUNT - 1


def test_of_warm_sends_at_once_exactly_the_days_are_taken(
    capped: GatewayProcess, account: Organization
) -> None:
    inbox, friend = account.new_inbox(), stranger()
    hear(capped, account, inbox["email_address"], friend)
    answers = send_at_once(account, [(inbox["postern_id"], friend)] * (DAILY + 3))
    assert len(accepted(answers)) == DAILY
    late = next(one for one in answers if one.status_code == 429)
    assert (late.json()["error"], late.json()["scope"]) == ("rate_limit_exceeded", "daily")
    assert (told(late)["limit"], told(late)["reset"] % DAY) == (DAILY, 0)
