"""One mailbox, two APIs: what is made through either is there in the other, with the same ids."""

from __future__ import annotations

import uuid

from tests.api_openmail.calls import call
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until


def test_an_inbox_of_either_api_is_an_inbox_of_both(organization: Organization) -> None:
    ours = call(organization, "POST", "inboxes", {"displayName": "Ada", "externalId": "cust-1"})
    theirs = organization.new_inbox(display_name="Bob")
    seen = organization.call("GET", f"inboxes/{ours['id']}")
    assert (seen["postern_id"], seen["email_address"], seen["display_name"]) == (
        ours["id"],
        ours["address"],
        "Ada",
    )
    shown = call(organization, "GET", f"inboxes/{theirs['inbox_id']}")
    assert (shown["id"], shown["address"], shown["displayName"]) == (
        theirs["postern_id"],
        theirs["email_address"],
        "Bob",
    )
    listed = {row["id"] for row in call(organization, "GET", "inboxes")["data"]}
    assert listed == {row["postern_id"] for row in organization.call("GET", "inboxes")["data"]}
    assert listed == {ours["id"], theirs["postern_id"]}
    organization.call("DELETE", f"inboxes/{ours['id']}")
    call(organization, "GET", f"inboxes/{ours['id']}", status=404)
    call(organization, "DELETE", f"inboxes/{theirs['inbox_id']}", status=204)
    assert organization.call("GET", "inboxes")["data"] == []


def test_mail_and_threads_have_the_same_ids_in_both(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = call(organization, "POST", "inboxes", {})
    key = call(organization, "POST", f"inboxes/{inbox['id']}/api-keys", {})["token"]
    deliver(gateway.port("smtp"), new_mail(inbox["address"], "Hello"), inbox["address"])

    def arrived() -> list[dict[str, str]]:
        found: list[dict[str, str]] = call(organization, "GET", f"inboxes/{inbox['id']}/messages")["data"]
        return found

    (message,) = until(arrived, why="the mail")
    sent = call(
        organization,
        "POST",
        f"inboxes/{inbox['id']}/send",
        {"to": "ann@abroad.test", "threadId": message["threadId"], "body": "Yes."},
        headers={"Idempotency-Key": uuid.uuid4().hex},
    )
    assert sent["threadId"] == message["threadId"]
    path = f"inboxes/{inbox['id']}/threads/{message['threadId']}"
    thread = organization.call("GET", path)
    assert [row["message_id"] for row in thread["messages"]] == [message["id"], sent["messageId"]]
    other = call(organization, "GET", f"threads/{thread['thread_id']}/messages")
    assert [row["id"] for row in other["data"]] == [message["id"], sent["messageId"]]
    # a key of one API opens the other, within its reach
    narrow = Organization(organization.id, key, organization.base_url)
    assert narrow.call("GET", path)["thread_id"] == message["threadId"]
    assert [row["postern_id"] for row in narrow.call("GET", "inboxes")["data"]] == [inbox["id"]]
