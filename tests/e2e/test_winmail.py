"""A file that Outlook packed into winmail.dat is downloaded and read for its text like any other."""

from __future__ import annotations

import httpx

from tests.mime.test_tnef import file, mail, stream
from tests.support.gateway_process import GatewayProcess
from tests.support.mails import deliver
from tests.support.waiting import until


def test_a_packed_file_is_downloaded_and_read(gateway: GatewayProcess) -> None:
    organization = gateway.organization
    address = organization.new_inbox()["email_address"]
    raw = b"Message-ID: <winmail@far.test>\r\n" + mail(stream(file(b"notes.txt", b"The plan is good.\r\n")))
    deliver(gateway.port("smtp"), raw, address)
    path = f"inboxes/{address}/messages"
    [message] = until(lambda: organization.call("GET", path)["messages"], why="the mail is there")
    names = [one["filename"] for one in message["attachments"]]
    assert names == ["winmail.dat", "notes.txt", "after.png"]
    packed = message["attachments"][1]
    found = organization.call("GET", f"{path}/{message['message_id']}/attachments/{packed['attachment_id']}")
    got = httpx.get(found["download_url"], timeout=30, trust_env=False)
    assert (got.status_code, got.content) == (200, b"The plan is good.\r\n")
    headers = {"Authorization": f"Bearer {organization.api_key}"}
    listed = httpx.get(
        f"{gateway.base_url}/v1/inboxes/{address}/messages", headers=headers, timeout=30
    ).json()
    assert "The plan is good." in listed["data"][0]["attachments"][1]["parsedText"]
