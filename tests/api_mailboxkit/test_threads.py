"""Threads (contract, "Endpoints"): by References and In-Reply-To, never by subject, each within its inbox."""

from __future__ import annotations

from typing import Any

from tests.api_mailboxkit.calls import answer, call
from tests.api_mailboxkit.mailing import Box, new_box, receive, reply, send, stranger, word
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import new_mail


def threads(organization: Organization, box: Box) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = call(organization, "GET", f"inboxes/{box['id']}/threads")["data"]
    return rows


def test_a_conversation_is_one_thread_oldest_first(
    gateway: GatewayProcess, organization: Organization
) -> None:
    box = new_box(organization)
    first = receive(gateway, organization, box, "Offer")
    second = reply(organization, box, first["id"], {"text": "How much?"})
    mail = new_mail(box["email"], "Something else entirely", In_Reply_To=second["message_id"])
    third = receive(gateway, organization, box, mail)
    (row,) = threads(organization, box)
    assert (row["id"], row["message_count"], row["inbox_id"]) == (first["thread_id"], 3, box["id"])
    assert row["last_message_at"] == third["created_at"]
    assert type(row["id"]) is int
    for ref in (row["id"], row["ulid"], f"thr_{row['ulid'].lower()}"):
        whole = call(organization, "GET", f"threads/{ref}")["data"]
        assert [one["id"] for one in whole["messages"]] == [first["id"], second["id"], third["id"]]
        assert {name: whole[name] for name in row} == row
    assert whole["messages"][2]["text_body"].strip() == "A line from outside."


def test_one_subject_is_not_one_thread(gateway: GatewayProcess, organization: Organization) -> None:
    box, subject = new_box(organization), word("News ")
    one = receive(gateway, organization, box, subject, sender="a@abroad.test")
    two = receive(gateway, organization, box, f"Re: {subject}", sender="b@abroad.test")
    assert one["thread_id"] != two["thread_id"]
    assert [row["id"] for row in threads(organization, box)] == [two["thread_id"], one["thread_id"]]


def test_threads_are_their_inboxs_own(gateway: GatewayProcess, organization: Organization) -> None:
    one, two = new_box(organization), new_box(organization)
    root = "<root@abroad.test>"
    got = [
        receive(gateway, organization, box, new_mail(box["email"], "same", References=root))
        for box in (one, two)
    ]
    assert got[0]["thread_id"] != got[1]["thread_id"]
    assert [len(threads(organization, box)) for box in (one, two)] == [1, 1]


def test_threads_go_by_page_and_garbage_is_404(gateway: GatewayProcess, organization: Organization) -> None:
    box = new_box(organization)
    sent = [send(organization, box, stranger(), subject=str(number)) for number in range(3)]
    page = call(organization, "GET", f"inboxes/{box['id']}/threads", params={"per_page": 1, "page": 2})
    assert [one["id"] for one in page["data"]] == [sent[1]["thread_id"]]
    assert page["meta"] == {"current_page": 2, "last_page": 3, "per_page": 1, "total": 3}
    for ref in ("not-an-id", "%00", "9" * 40, 1, "null", sent[0]["id"]):
        got = answer(organization, "GET", f"threads/{ref}")
        assert (got.status_code, got.json()["error"]) == (404, "not_found"), ref
    foreign = gateway.new_organization()
    assert answer(foreign, "GET", f"threads/{sent[0]['thread_id']}").status_code == 404
    assert answer(foreign, "GET", f"inboxes/{box['id']}/threads").status_code == 404
