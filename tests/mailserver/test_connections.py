"""A person who opens hundreds of IMAP connections: others log in, and the gateway reads on."""

from __future__ import annotations

import imaplib
import subprocess
from pathlib import Path

from mailserver.dovecot.config import CONNECTIONS_PER_PERSON
from mailserver.own_address import OWN_ADDRESS, source_for
from tests.support.gateway_process import running_gateway
from tests.support.waiting import until
from tests.transfer.full_inbox import deliver, mail, person, shown


def test_hundreds_of_connections_of_one_person_hold_up_nobody(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        organization = gateway.organization
        greedy, other = (organization.new_inbox(name)["email_address"] for name in ("greedy", "other"))
        first, second = (
            organization.call("POST", f"inboxes/{one}/credentials")["password"] for one in (greedy, other)
        )
        held, refused = [], 0
        try:
            for _ in range(CONNECTIONS_PER_PERSON + 150):
                client = imaplib.IMAP4("127.0.0.1", gateway.port("imap"), timeout=30)
                try:
                    client.login(greedy, first)
                    held.append(client)
                except imaplib.IMAP4.error as error:
                    refused += "Maximum number of connections" in str(error)
                    client.shutdown()
            assert (len(held), refused) == (CONNECTIONS_PER_PERSON, 150)
            for subject in ("one", "two"):
                deliver(gateway, mail(greedy, subject))
            until(lambda: len(shown(organization, greedy)) == 2)
            with person(gateway, other, second) as client:
                assert client.select("INBOX")[0] == "OK"
            # the gateway's sessions are counted apart, and served by processes of their own
            conf = gateway.data / "dovecot" / "dovecot.conf"
            who = subprocess.run(["doveadm", "-c", conf, "who", "-1"], capture_output=True, text=True).stdout
            by_process: dict[str, set[str]] = {}
            for line in who.splitlines()[1:]:
                _, _, pid, address = line.split()[:4]
                by_process.setdefault(pid.strip("()"), set()).add(address.strip("()"))
            assert {OWN_ADDRESS} in by_process.values()
            assert all(len(addresses) == 1 for addresses in by_process.values()), who
        finally:
            for client in held:
                client.shutdown()


def test_only_connections_to_this_machine_come_from_the_gateways_address() -> None:
    assert [source_for(host) for host in ("127.0.0.1", "localhost", "::1", "192.0.2.1")] == [
        (OWN_ADDRESS, 0),
        (OWN_ADDRESS, 0),
        None,
        None,
    ]
