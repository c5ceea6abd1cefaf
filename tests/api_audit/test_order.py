"""Lists are in order also for what happened within the same second, the width of a mail's time."""

from __future__ import annotations

from tests.support.gateway_process import Organization


def test_threads_of_the_same_second_are_listed_by_latest_activity(organization: Organization) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    sent = []
    for number in range(6):
        letter = {"to": "away@elsewhere.test", "subject": f"topic {number}", "text": "x"}
        sent.append(organization.call("POST", f"inboxes/{inbox}/messages/send", json=letter))
    first = sent[1]
    path = f"inboxes/{inbox}/messages/{first['message_id']}/reply"
    organization.call("POST", path, json={"text": "more", "to": "away@elsewhere.test"})

    wanted = [one["thread_id"] for one in (sent[1], sent[5], sent[4], sent[3], sent[2], sent[0])]
    found: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = organization.call("GET", f"inboxes/{inbox}/threads", params={"limit": 4, **token})
        found += [row["thread_id"] for row in page["threads"]]
        if not page.get("next_page_token"):
            break
        token = {"page_token": page["next_page_token"]}
    assert found == wanted
    everywhere = organization.call("GET", "threads", params={"ascending": "true"})["threads"]
    assert [row["thread_id"] for row in everywhere] == wanted[::-1]
