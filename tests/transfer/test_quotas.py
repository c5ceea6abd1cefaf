"""A mailbox's quota is a record: it outlives restart, rebuild, backup and restore, and mail over it comes back too."""

from __future__ import annotations

import smtplib
from pathlib import Path
from typing import Any

from tests.support.gateway_process import GatewayProcess, Organization, running_gateway
from tests.support.waiting import until
from tests.transfer.full_inbox import empty_place
from tests.transfer.test_backup import answer

MIB = 1 << 20


def test_a_mailbox_over_its_quota_goes_through_backup_and_restore(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway, empty_place(tmp_path) as other:
        organization = gateway.organization
        address = organization.new_inbox("over")["email_address"]
        for n in range(3):
            assert deliver(gateway, address, n) == 250
        until(lambda: messages(organization, address) == 3)
        assert answer(gateway, "inbox", "quota", address, "1M")["used_bytes"] > MIB
        gateway.restart()
        assert deliver(gateway, address, 3) == 552
        gateway.stop()
        answer(gateway, "rebuild")
        gateway.start()
        assert quota(organization, address) == MIB
        made = answer(gateway, "backup", str(tmp_path / "backups"), "--mail")
        key = gateway.api_key
        gateway.stop()

        assert answer(other, "restore", made["backup"])["refused"] == []
        other.start()
        same = Organization(organization.id, key, other.base_url)
        assert messages(same, address) == 3
        assert quota(same, address) == MIB
        assert deliver(other, address, 3) == 552


def messages(organization: Organization, address: str) -> int:
    return len(organization.call("GET", f"inboxes/{address}/messages")["messages"])


def quota(organization: Organization, address: str) -> Any:
    return organization.call("GET", f"inboxes/{address}/quota")["quota_bytes"]


def deliver(gateway: GatewayProcess, address: str, n: int) -> int:
    """The last answer to a mail of half a mebibyte."""
    with smtplib.SMTP("127.0.0.1", gateway.port("smtp"), "far.test", timeout=30) as smtp:
        smtp.ehlo()
        smtp.mail("eve@far.test")
        code, _ = smtp.rcpt(address)
        if code != 250:
            return code
        text = f"Message-ID: <quota{n}@far.test>\r\nSubject: big {n}\r\n\r\n" + ("y" * 70 + "\r\n") * 7300
        return smtp.data(text)[0]
