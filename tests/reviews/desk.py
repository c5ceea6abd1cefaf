"""An agent whose mail is held, a friend it writes to, and a person who decides."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import Any

import httpx

from gateway.records.ids import MESSAGE_ID
from gateway.store.sql import sql
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until


class Desk:
    """``agent`` and ``friend``: addresses; ``agent_key``: of the agent's inbox; ``person``: who decides, with a key of
    the organization that asked for nothing."""

    def __init__(
        self, gateway: GatewayProcess, organization: Organization, mode: str = "approve_all"
    ) -> None:
        self.gateway, self.organization = gateway, organization
        made = organization.new_inbox()
        self.agent, self.friend = str(made["email"]), str(organization.new_inbox()["email"])
        rule = {"sending": {"mode": mode}}
        organization.call("PUT", f"inboxes/{self.agent}/policy", json=rule)
        self.agent_key = self.key(f"inboxes/{self.agent}/")
        self.person = Organization(organization.id, self.key(), organization.base_url)

    def moved(self, gateway: GatewayProcess) -> None:
        """The gateway was started again, perhaps at another port."""
        self.organization = replace(self.organization, base_url=gateway.base_url)
        self.person = replace(self.person, base_url=gateway.base_url)

    def key(self, path: str = "", **body: Any) -> str:
        """A new key of the organization, or of what ``path`` names."""
        made = self.organization.call("POST", f"{path}api-keys", json={"name": "made", **body})
        return str(made["api_key"])

    def send(self, subject: str = "", key: str | None = None, **body: Any) -> dict[str, Any]:
        """What the agent is answered when it sends."""
        wanted = {"to": [self.friend], "subject": subject or secrets.token_hex(6), "text": "Hello.", **body}
        agent = Organization(self.organization.id, key or self.agent_key, self.organization.base_url)
        sent: dict[str, Any] = agent.call("POST", f"inboxes/{self.agent}/messages/send", json=wanted)
        return sent

    def review(self, review_id: str) -> dict[str, Any]:
        """A review with its message, as the agent sees it."""
        agent = Organization(self.organization.id, self.agent_key, self.organization.base_url)
        found: dict[str, Any] = agent.call("GET", f"reviews/{review_id}")
        return found

    def decide(self, review_id: str, how: str, key: str | None = None, **body: Any) -> httpx.Response:
        """The answer to a decision."""
        return httpx.post(
            f"{self.organization.base_url}/api/v0/reviews/{review_id}/{how}",
            json=body,
            headers={"Authorization": f"Bearer {key or self.person.api_key}"},
            timeout=30,
            trust_env=False,
        )

    def octets(self, message_id: str) -> bytes:
        """What the outbox holds of a message."""
        ulid = MESSAGE_ID.parse(message_id)
        found = self.gateway.database(lambda tx: sql(tx).octets("SELECT mime FROM outbox WHERE id = ?", ulid))
        assert found is not None
        return found

    def received(self, subject: str) -> list[dict[str, Any]]:
        """The friend's messages with this subject."""
        query = {"subject": subject}
        found: list[dict[str, Any]] = self.organization.call(
            "GET", f"inboxes/{self.friend}/messages", params=query
        )["messages"]
        return found

    def arrived(self, subject: str) -> bytes:
        """The friend's one message with this subject, once it is there: its octets."""
        (got,) = until(lambda: self.received(subject), why=f"{subject} did not arrive")
        link = self.organization.call("GET", f"inboxes/{self.friend}/messages/{got['message_id']}/raw")
        answer = httpx.get(link["download_url"], trust_env=False, timeout=30)
        assert answer.is_success
        return answer.content

    def in_sent(self, message_id: str) -> bool:
        """Whether the copy of a message in Sent is indexed."""
        ulid = MESSAGE_ID.parse(message_id)
        query = "SELECT 1 FROM location WHERE message_id = ?"
        return self.gateway.database(lambda tx: sql(tx).value(query, ulid)) is not None

    def settled(self, message_id: str) -> dict[str, str]:
        """The states of a message's recipients by role, once nothing of it is left to do."""
        ulid = MESSAGE_ID.parse(message_id)

        def states() -> dict[str, str] | None:
            def read(tx: Any) -> dict[str, str] | None:
                if sql(tx).value("SELECT state FROM outbox WHERE id = ?", ulid) != "done":
                    return None
                rows = sql(tx).rows("SELECT role, state FROM outbox_recipient WHERE outbox_id = ?", ulid)
                return {row["role"]: row["state"] for row in rows}

            return self.gateway.database(read)

        return until(states, why=f"{message_id} is not settled")

    def events(self, message_id: str) -> list[tuple[str, dict[str, Any]]]:
        """(type, what AgentMail's event has) of what happened to a message, the oldest first."""
        found = self.organization.call("GET", "events", params={"limit": 100, "ascending": True})["events"]
        facts = [
            (one["event_type"], fact) for one in found for fact in one.values() if isinstance(fact, dict)
        ]
        return [(name, fact) for name, fact in facts if fact.get("message_id") == message_id]
