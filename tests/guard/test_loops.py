"""Two programs that answer each other on a running gateway, and a person whom nobody stops."""

from __future__ import annotations

from typing import Any

from gateway.records.ids import MESSAGE_ID
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until

LONG = "This is more than anybody reads and answers in two minutes. " * 15
"""So that a slow machine does not look like a person."""


class Agent:
    """Answers each message that comes to its inbox, once."""

    def __init__(self, organization: Organization, text: str = LONG) -> None:
        self.organization, self.text = organization, text
        self.address: str = organization.new_inbox()["email"]
        self.answered: set[str] = set()

    def write(self, to: str) -> str:
        body = {"to": [to], "subject": "Hello", "text": self.text}
        path = f"inboxes/{self.address}/messages/send"
        sent: str = self.organization.call("POST", path, json=body)["message_id"]
        return sent

    def received(self) -> list[dict[str, Any]]:
        path = f"inboxes/{self.address}/messages"
        rows: list[dict[str, Any]] = self.organization.call(
            "GET", path, params={"labels": "received", "limit": 100}
        )["messages"]
        return rows

    def answer(self) -> list[str]:
        """Answer what is new; the ids of the answers."""
        new = [one["message_id"] for one in self.received() if one["message_id"] not in self.answered]
        self.answered.update(new)
        path = f"inboxes/{self.address}/messages"
        return [
            self.organization.call("POST", f"{path}/{one}/reply", json={"text": self.text})["message_id"]
            for one in new
        ]


def held(gateway: GatewayProcess, organization: Organization) -> list[dict[str, Any]]:
    """The events of an organization that something is held back."""

    def read(tx: Tx) -> list[dict[str, Any]]:
        return sql(tx).rows(
            "SELECT message_id, test FROM event WHERE type = 'guard.tripped' AND organization_id = ? ORDER BY seq",
            organization.id.removeprefix("org_"),
        )

    return gateway.database(read)


def test_two_agents_that_answer_each_other_stop_after_three_rounds(
    gateway: GatewayProcess, organization: Organization
) -> None:
    one, other = Agent(organization), Agent(organization)
    one.write(other.address)

    def stopped() -> bool:
        other.answer()
        one.answer()
        return bool(held(gateway, organization))

    until(stopped, 60)
    (tripped,) = held(gateway, organization)
    message = MESSAGE_ID.public(tripped["message_id"])
    until(lambda: other.answer() == [] and one.answer() == [] and len(other.received()) == 3)
    assert len(one.received()) == 3
    (waits,) = [row for row in organization.call("GET", "queue")["queue"] if row["id"] == message]
    assert (waits["attempts"], waits["sending"], waits["paused"]) == (0, False, False)
    assert waits["next_attempt_at"] > waits["created_at"]
    shown = organization.call("GET", f"inboxes/{one.address}/messages/{message}")
    assert "loop" in shown["labels"]
    thread = organization.call("GET", f"threads/{shown['thread_id']}")
    assert "loop" in thread["labels"]
    history = organization.call("GET", f"inboxes/{one.address}/messages/{message}/history")
    assert "after 3 automatic rounds" in str(history)

    behind = one.write(other.address)  # waits with it
    (row,) = [row for row in organization.call("GET", "queue")["queue"] if row["id"] == behind]
    assert row["next_attempt_at"] == waits["next_attempt_at"]
    third = organization.new_inbox()["email"]
    one.write(third)  # somebody else gets his mail
    until(lambda: organization.call("GET", f"inboxes/{third}/messages")["messages"])
    assert len(held(gateway, organization)) == 1


def test_a_person_and_an_agent_that_answers_at_once_are_never_stopped(
    gateway: GatewayProcess, organization: Organization
) -> None:
    agent, person = Agent(organization), Agent(organization, "Yes, but why?")

    def minutes_pass(minutes: int) -> None:
        by = minutes * 60_000_000
        ids = "(SELECT id FROM message WHERE organization_id = ?)"
        organization_id = organization.id.removeprefix("org_")

        def age(tx: Tx) -> None:
            sql(tx).run(
                f"UPDATE outbox_recipient SET updated_at = updated_at - ? WHERE outbox_id IN {ids}",
                by,
                organization_id,
            )
            sql(tx).run(
                "UPDATE message SET timestamp = timestamp - ? WHERE organization_id = ?", by, organization_id
            )

        gateway.database(age)

    person.write(agent.address)
    for _ in range(5):
        until(agent.answer)
        until(lambda: len(person.received()) > len(person.answered))
        minutes_pass(3)
        person.answer()
    until(agent.answer)
    assert held(gateway, organization) == []
