"""Deleting an inbox leaves none of its mail in any file of the data directory."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until


def files_with(data: Path, mark: bytes) -> list[str]:
    """The files below ``data`` that hold ``mark`` in any case, the gateway's own log left out."""
    found = []
    for folder, _, names in os.walk(data):
        for name in names:
            path = Path(folder) / name
            if name != "gateway.log" and path.is_file() and mark in path.read_bytes().lower():
                found.append(str(path.relative_to(data)))
    return found


def fill(gateway: GatewayProcess, name: str, mark: str) -> str:
    """An inbox with mail in every state, all of it marked; answers its id."""
    home = gateway.organization
    inbox: str = home.new_inbox(name)["inbox_id"]
    sender = f"{mark} <{mark}@abroad.test>"
    address = f"{name}@postern.test"
    for number in range(3):
        deliver(gateway.port("smtp"), new_mail(address, f"{mark} {number}", mark, sender=sender), address)
    # (to nobody here: the address of a hard bounce stays on the account's suppression list)
    letter_out = {"to": f"{mark}@abroad.test", "subject": mark, "text": mark, "labels": [mark]}
    home.call("POST", f"inboxes/{inbox}/messages/send", json=letter_out)
    content = base64.b64encode(mark.encode() * 50).decode()
    draft = {"subject": mark, "text": mark, "attachments": [{"filename": mark, "content": content}]}
    home.call("POST", f"inboxes/{inbox}/drafts", json=draft)
    home.call("POST", f"inboxes/{inbox}/drafts", json=letter_out | {"send_at": "2090-01-01T00:00:00Z"})
    until(lambda: home.call("GET", f"inboxes/{inbox}/messages")["total"] >= 4)
    return inbox


def test_a_deleted_inbox_leaves_no_octet_behind(tmp_path: Path) -> None:
    mark = "mark" + secrets.token_hex(8)
    with running_gateway(tmp_path, mail__smarthost="127.0.0.1:1") as gateway:
        other = gateway.organization.new_inbox("other")["inbox_id"]
        deliver(gateway.port("smtp"), new_mail("other@postern.test", "kept words"), "other@postern.test")
        inbox = fill(gateway, "gone", mark)
        assert files_with(gateway.data, mark.encode())

        gateway.organization.call("DELETE", f"inboxes/{inbox}")

        assert files_with(gateway.data, mark.encode()) == []
        found = gateway.organization.call("GET", f"inboxes/{other}/messages/search", params={"q": "kept"})
        assert [row["subject"] for row in found["messages"]] == ["kept words"]
        gateway.restart()
        assert files_with(gateway.data, mark.encode()) == []
