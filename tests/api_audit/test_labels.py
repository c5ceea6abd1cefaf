"""Labels set through the API while a person's mail client sets keywords of its own."""

from __future__ import annotations

from tests.support.gateway_process import GatewayProcess
from tests.support.mails import deliver, new_mail, person
from tests.support.waiting import until


def test_replacing_labels_clears_a_persons_mixed_case_keyword_and_all_others(
    gateway: GatewayProcess,
) -> None:
    home = gateway.organization
    address = gateway.inbox["address"]
    deliver(gateway.port("smtp"), new_mail(address, "mixed case"), address)

    def arrived() -> list[str]:
        rows = home.call("GET", f"inboxes/{address}/messages")["messages"]
        return [row["message_id"] for row in rows if row["subject"] == "mixed case"]

    path = f"inboxes/{address}/messages/{until(arrived)[0]}"
    home.call("PATCH", path, json={"labels": ["a", "x y"]})
    with person("127.0.0.1", gateway.port("imap"), address, gateway.inbox["password"]) as client:
        client.select("INBOX")
        number = client.search(None, "SUBJECT", '"mixed case"')[1][0].split()[-1].decode()
        client.store(number, "+FLAGS", "(Custom)")
        until(lambda: "custom" in home.call("GET", path)["labels"])

        assert home.call("PATCH", path, json={"labels": ["only"]})["labels"] == ["only"]

        client.noop()
        flags = client.fetch(number, "(FLAGS)")[1][-1].decode()
        assert "x=20y" not in flags
        assert "ustom" not in flags
        assert "only" in flags
        assert home.call("GET", path)["labels"] == ["only"]
