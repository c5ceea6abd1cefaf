"""A sender that missed our 250 sends the same mail again: it is one message and one event."""

from __future__ import annotations

import time

from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until


def test_a_mail_repeated_seconds_later_is_shown_once(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = organization.new_inbox()
    address, path = inbox["email"], f"inboxes/{inbox['inbox_id']}/messages"

    def shown() -> list[str]:
        return [row["subject"] for row in organization.call("GET", path)["messages"]]

    repeated = new_mail(address, "repeated", message_id="<repeated@abroad.test>")
    other = new_mail(address, "repeated", "another text\n", message_id="<repeated@abroad.test>")
    deliver(gateway.port("smtp"), repeated, address)
    until(shown)
    time.sleep(1.1)  # the time in Received, which ids take theirs from, has whole seconds
    deliver(gateway.port("smtp"), repeated, address)
    deliver(gateway.port("smtp"), other, address)
    deliver(gateway.port("smtp"), new_mail(address, "last"), address)
    until(lambda: "last" in shown())
    assert shown() == [
        "last",
        "repeated",
        "repeated",
    ]  # other content under the same Message-ID is another mail
    counts = organization.call("GET", "metrics/events")["message.received"]
    assert sum(row["count"] for row in counts) == 3
