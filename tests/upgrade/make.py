"""python -m tests.upgrade.make: this version's data directory, and what it held, into ``releases/VERSION.tar.xz``."""

from __future__ import annotations

import io
import json
import smtplib
import tarfile
import tempfile
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from gateway import __version__
from tests.support.gateway_process import GatewayProcess, start_gateway
from tests.support.servers import data_directory
from tests.support.waiting import until

RELEASES = Path(__file__).with_name("releases")
SHOWN = ("message_id", "thread_id", "subject", "labels", "from", "to", "timestamp", "size")
_PASSING = ("run", "dovecot", "gateway.log", "operator.json", "dovecot.log", "dovecot.out")


def what_it_holds(gateway: GatewayProcess) -> dict[str, Any]:
    """What must be the same after an upgrade, as /api/v0 tells it."""
    call, address = gateway.organization.call, gateway.inbox["address"]
    messages = call("GET", f"inboxes/{address}/messages", params={"limit": 50})["messages"]
    return {
        "messages": [{name: one.get(name) for name in SHOWN} for one in messages],
        "texts": {
            one["message_id"]: call("GET", f"inboxes/{address}/messages/{one['message_id']}")["text"]
            for one in messages
        },
        "inboxes": sorted(
            one.get("postern_id", one["inbox_id"]) for one in call("GET", "inboxes")["inboxes"]
        ),
        "webhooks": sorted(one["url"] for one in call("GET", "webhooks")["webhooks"]),
        "drafts": [one["subject"] for one in call("GET", f"inboxes/{address}/drafts")["drafts"]],
        "aliases": [one["address"] for one in call("GET", "aliases")["aliases"]],
    }


def fill(gateway: GatewayProcess) -> None:
    """Mail in and out, a thread, a label, a draft, a webhook, an alias."""
    call, address = gateway.organization.call, gateway.inbox["address"]

    def received() -> list[dict[str, Any]]:
        listed = call("GET", f"inboxes/{address}/messages", params={"limit": 50})["messages"]
        return [one for one in listed if "received" in one["labels"]]

    for number in range(3):
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "Zoë <zoe@elsewhere.test>", address, f"Grüße {number}"
        mail["Message-ID"], mail["Date"] = f"<g{number}@elsewhere.test>", "Sat, 21 Nov 2026 10:00:00 +0000"
        mail.set_content(f"Number {number}, with an ß.\n")
        with smtplib.SMTP("127.0.0.1", gateway.port("smtp"), timeout=20) as client:
            client.send_message(mail)
    until(lambda: len(received()) == 3, 30)
    newest = received()[0]
    call("PATCH", f"inboxes/{address}/messages/{newest['message_id']}", json={"add_labels": ["kept"]})
    call("POST", f"inboxes/{address}/messages/{newest['message_id']}/reply", json={"text": "An answer."})
    call("POST", f"inboxes/{address}/drafts", json={"subject": "Unsent", "to": ["zoe@elsewhere.test"]})
    call("POST", "webhooks", json={"url": "http://127.0.0.1:9999/hook", "event_types": ["message.bounced"]})
    call("POST", "aliases", json={"address": "second@postern.test", "inbox_ids": [address]})
    until(lambda: len(what_it_holds(gateway)["messages"]) == 4, 30)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, data_directory(Path(folder)) as data:
        gateway = start_gateway(data, mail__smarthost="127.0.0.1:9", mail__smarthost_tls="none")
        try:
            fill(gateway)
            held = json.dumps(what_it_holds(gateway), indent=1, ensure_ascii=False).encode()
        finally:
            gateway.stop()
        RELEASES.mkdir(exist_ok=True)
        with tarfile.open(RELEASES / f"{__version__}.tar.xz", "w:xz") as tar:
            tar.add(
                data, "data", filter=lambda info: None if Path(info.name).name in _PASSING else _nobody(info)
            )
            info = tarfile.TarInfo("held.json")
            info.size = len(held)
            tar.addfile(info, io.BytesIO(held))


def unpack_release(release: Path, into: Path) -> None:
    """Unpack one of ``RELEASES`` with its links, which are our own."""
    with tarfile.open(release) as tar:
        # an attribute, because Debian 12's extractall() has no argument ``filter``
        tar.extraction_filter = getattr(tarfile, "tar_filter", None)
        tar.extractall(into)


def _nobody(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    main()
