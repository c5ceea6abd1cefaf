"""GET /v1/usage: what each inbox received, sent and holds (contract §2, branch feat/usage-api)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.api_openmail.calls import call
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until

ZERO = {"inbound": 0, "outbound": 0, "attachmentBytes": 0}


def usage(organization: Organization, key: str | None = None, **query: str) -> Any:
    return call(organization, "GET", "usage", key=key, params=query)


def figures(row: dict[str, Any]) -> dict[str, int]:
    return {name: row[name] for name in ZERO}


def test_mail_in_and_out_is_counted_by_inbox(gateway: GatewayProcess, organization: Organization) -> None:
    quiet, busy = organization.new_inbox(), organization.new_inbox()
    address = busy["email_address"]
    call(organization, "POST", "sender-rules", {"action": "block", "sender": "eve@abroad.test"})
    mail = new_mail(address)
    mail.add_attachment(b"x" * 5000, maintype="application", subtype="octet-stream", filename="a.bin")
    for one in (mail, new_mail(address, "Hidden", sender="eve@abroad.test"), new_mail(address, "Last")):
        deliver(gateway.port("smtp"), one, address)
    organization.call(
        "POST", f"inboxes/{address}/messages/send", json={"to": quiet["email_address"], "text": "out"}
    )

    def counted() -> Any:
        found = usage(organization)
        rows = {row["inboxId"]: row for row in found["inboxes"]}
        return (
            found
            if figures(rows[busy["postern_id"]])["inbound"] == 2
            and figures(rows[quiet["postern_id"]])["inbound"]
            else None
        )

    found = until(counted, why="usage")
    assert list(found) == ["from", "to", "groupBy", "inboxes", "totals"]
    assert [row["inboxId"] for row in found["inboxes"]] == [busy["postern_id"], quiet["postern_id"]]
    first, second = found["inboxes"]
    assert figures(first) == {"inbound": 2, "outbound": 1, "attachmentBytes": 5000}
    assert figures(second) == {"inbound": 1, "outbound": 0, "attachmentBytes": 0}
    assert first["address"] == address
    assert first["storedBytes"] > 5000 > second["storedBytes"] > 0
    assert found["totals"] == {name: first[name] + second[name] for name in (*ZERO, "storedBytes")}
    account = usage(organization, group_by="account")
    assert account["inboxes"] == []
    assert account["totals"] == found["totals"]
    elsewhen = usage(organization, **{"from": "2026-01-01T00:00:00Z", "to": "2026-02-01"})
    assert (elsewhen["from"], elsewhen["to"]) == ("2026-01-01T00:00:00.000Z", "2026-02-01T00:00:00.000Z")
    assert [figures(row) for row in elsewhen["inboxes"]] == [ZERO, ZERO]
    assert elsewhen["totals"]["storedBytes"] == found["totals"]["storedBytes"]
    key = organization.call("POST", f"inboxes/{quiet['inbox_id']}/api-keys", json={"name": "one"})["api_key"]
    assert usage(organization, key)["inboxes"] == [second]


def test_the_window_is_thirty_days_unless_said(organization: Organization) -> None:
    found = usage(organization)
    start, end = (datetime.fromisoformat(found[name]) for name in ("from", "to"))
    assert end - start == timedelta(days=30)
    assert abs(datetime.now(UTC) - end) < timedelta(minutes=5)
    assert found["groupBy"] == "inbox"
    assert found["totals"] == {**ZERO, "storedBytes": 0}
    usage(organization, **{"from": "2026-01-01T00:00:00Z", "to": "2026-04-03T00:00:00Z"})


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"to": "1.5"}, "to"),
        ({"from": "2026-02-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}, "from"),
        ({"from": "2026-02-02T00:00:00Z", "to": "2026-02-01T00:00:00Z"}, "from"),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-04-03T00:00:00.001Z"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"group_by": "pod"}, "group_by"),
    ],
)
def test_a_bad_range_is_refused(organization: Organization, query: dict[str, str], field: str) -> None:
    refused = call(organization, "GET", "usage", params=query, status=400)
    assert (refused["error"], refused["field"]) == ("bad_request", field)


def test_the_command_line_shows_usage(gateway: GatewayProcess, organization: Organization) -> None:
    address = organization.new_inbox()["email_address"]
    place = ("--url", organization.base_url, "--key", organization.api_key)
    shown = gateway.postern("usage", *place)
    assert shown.returncode == 0, shown.stderr
    assert address in shown.stdout
    done = gateway.postern("usage", "--from", "2026-01-01", "--to", "2026-02-01", "--json", *place)
    found = json.loads(done.stdout)
    assert [row["address"] for row in found["inboxes"]] == [address]
    refused = gateway.postern("usage", "--from", "yesterday", *place)
    assert (refused.returncode, "from" in refused.stderr) == (1, True)
