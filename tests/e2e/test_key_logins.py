"""API keys as passwords of mail clients, on each mail server: what a key may open, and that it ends with the key."""

from __future__ import annotations

import imaplib
import itertools
import smtplib
import socket
from pathlib import Path
from typing import Any

import pytest

from gateway.core.accounts.mail_logins import NEEDED
from gateway.core.key_ring import hash_of
from tests.api_mailboxkit.calls import made as mailboxkit
from tests.support.gateway_process import GatewayProcess, Organization, Server, running_gateway
from tests.support.mails import new_mail
from tests.support.own_gateway import OwnGateway, missing
from tests.support.waiting import until

MAIL = {name: True for names in NEEDED.values() for name in names}
_numbers = itertools.count(1)


def somewhere() -> str:
    """A loopback address of its own for each login: failures of one network make its later ones slow."""
    number = next(_numbers)
    return f"127.17.{number // 200}.{number % 200 + 1}"


class Imap(imaplib.IMAP4):
    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, (somewhere(), 0))


def imap(gateway: GatewayProcess, address: str, password: str) -> Imap:
    """A logged-in session. Raises imaplib.IMAP4.error."""
    client = Imap("127.0.0.1", gateway.port("imap"), timeout=60)
    try:
        client.login(address, password)
    except imaplib.IMAP4.error:
        client.shutdown()
        raise
    return client


def smtp(gateway: GatewayProcess, address: str, password: str) -> smtplib.SMTP:
    """A logged-in session. Raises smtplib.SMTPAuthenticationError."""
    client = smtplib.SMTP(
        "127.0.0.1", gateway.port("submission"), timeout=60, source_address=(somewhere(), 0)
    )
    try:
        client.login(address, password)
    except smtplib.SMTPException:
        client.close()
        raise
    return client


def opens(gateway: GatewayProcess, address: str, password: str) -> tuple[bool, bool]:
    """Whether a password opens a mailbox by IMAP, and by SMTP. A failure that is no refusal fails the test."""
    read = sent = ""
    try:
        imap(gateway, address, password).logout()
    except imaplib.IMAP4.error as error:
        read = str(error)
    try:
        smtp(gateway, address, password).quit()
    except smtplib.SMTPAuthenticationError as error:
        sent = str(error.smtp_code)
    assert not read or "AUTHENTICATIONFAILED" in read
    assert sent in ("", "535")
    return not read, not sent


def key_of(organization: Organization, inbox: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A key of one inbox."""
    path = f"inboxes/{inbox['inbox_id']}/api-keys"
    made: dict[str, Any] = organization.call("POST", path, json={"name": "mail", **fields})
    return made


def revoke(organization: Organization, key: dict[str, Any]) -> None:
    organization.call("DELETE", f"api-keys/{key['api_key_id']}")


def test_a_key_reads_and_sends_as_its_inbox(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    inbox, other = organization.new_inbox(), organization.new_inbox()
    address = inbox["email"]
    key = key_of(organization, inbox)["api_key"]
    client = smtp(own_gateway, address, key)
    client.sendmail(address, [other["email"]], new_mail(other["email"], "By key", sender=address).as_bytes())
    with pytest.raises(smtplib.SMTPException):
        client.sendmail(
            other["email"], [address], new_mail(address, "Forged", sender=other["email"]).as_bytes()
        )
    client.close()
    reader = imap(own_gateway, other["email"], organization.api_key)

    def arrived() -> bool:
        reader.select("INBOX")
        return reader.search(None, "SUBJECT", '"By key"')[1] != [b""]

    until(arrived, why="mail that was submitted with a key is delivered")
    reader.store("1", "+FLAGS", "(\\Seen)")
    reader.logout()
    assert opens(own_gateway, address.upper(), key) == (True, True), "a login has no case"


def test_a_key_opens_what_it_reaches_and_nothing_else(own_gateway: OwnGateway) -> None:
    organization, stranger = own_gateway.new_organization(), own_gateway.new_organization()
    inbox, other, theirs = organization.new_inbox(), organization.new_inbox(), stranger.new_inbox()
    narrow = key_of(organization, inbox)["api_key"]
    assert opens(own_gateway, other["email"], organization.api_key) == (True, True)
    assert opens(own_gateway, other["email"], narrow) == (False, False), "another inbox of the organization"
    assert opens(own_gateway, theirs["email"], organization.api_key) == (False, False)
    assert opens(own_gateway, "nobody@postern.test", organization.api_key) == (False, False)
    assert opens(own_gateway, inbox["email"], "inai_wrong") == (False, False)
    assert opens(own_gateway, inbox["email"], narrow[:-1]) == (False, False)
    assert opens(own_gateway, inbox["email"], narrow.swapcase()) == (False, False)


def test_a_key_needs_the_permissions_of_what_a_mail_client_does(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    inbox = organization.new_inbox()

    def with_permissions(**permissions: bool) -> tuple[bool, bool]:
        key = key_of(organization, inbox, permissions=permissions)["api_key"]
        return opens(own_gateway, inbox["email"], key)

    assert with_permissions(**MAIL) == (True, True)
    assert with_permissions(message_send=True) == (False, True)
    assert with_permissions(**dict.fromkeys(NEEDED["imap"], True)) == (True, False)
    assert with_permissions(message_read=True) == (False, False), "a session could delete, too"
    assert with_permissions(inbox_read=True) == (False, False)
    hiding = {name: True for name in MAIL if name != "label_unauthenticated_read"}
    assert with_permissions(**hiding) == (False, True), "a session shows what the API hides from the key"
    sandbox = mailboxkit(organization, "api_keys", {"name": "sandbox", "test": True})
    assert opens(own_gateway, inbox["email"], sandbox["key"]) == (False, False), "a mailbox is live"


def test_a_revoked_key_ends_at_once(own_gateway: OwnGateway) -> None:
    """The next login fails; what is open ends; the mailbox's own password and other keys go on."""
    organization = own_gateway.new_organization()
    inbox = organization.new_inbox()
    address = inbox["email"]
    password = organization.call("POST", f"inboxes/{address}/credentials")["password"]
    key, kept = key_of(organization, inbox), key_of(organization, inbox)
    reader, sender = imap(own_gateway, address, key["api_key"]), smtp(own_gateway, address, key["api_key"])
    assert reader.noop()[0] == "OK"
    revoke(organization, key)
    assert opens(own_gateway, address, key["api_key"]) == (False, False)
    until(lambda: _ended(reader), why="the open IMAP session ends")
    reader.shutdown()
    if own_gateway.server == "embedded":
        with pytest.raises(smtplib.SMTPException):
            sender.sendmail(
                address, ["a@abroad.test"], new_mail("a@abroad.test", "Late", sender=address).as_bytes()
            )
    sender.close()
    assert opens(own_gateway, address, password) == (True, True)
    assert opens(own_gateway, address, kept["api_key"]) == (True, True)


def test_a_key_that_may_do_less_ends_at_once(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    inbox = organization.new_inbox()
    key = key_of(organization, inbox)
    reader = imap(own_gateway, inbox["email"], key["api_key"])
    organization.call("PATCH", f"api-keys/{key['api_key_id']}", json={"permissions": {"message_send": True}})
    assert opens(own_gateway, inbox["email"], key["api_key"]) == (False, True)
    until(lambda: _ended(reader), why="the open IMAP session ends")
    reader.shutdown()


def test_what_was_opened_before_a_restart_ends_with_its_key(tmp_path: Path) -> None:
    """Where systemd runs Dovecot, sessions outlive a restart of the gateway."""
    with running_gateway(tmp_path) as gateway:
        address, noted = gateway.inbox["address"], gateway.data / "key-logins"
        imap(gateway, address, gateway.api_key).logout()
        held = noted.read_text()
        assert held.endswith(f" {address}\n")
        assert gateway.api_key not in held
        assert noted.stat().st_mode & 0o077 == 0
        gateway.stop()
        noted.write_text(f"{held}{hash_of('a key that was revoked')} {address}\n")
        gateway.start()
        until(lambda: noted.read_text() == held, why="its sessions are ended, those of the other key are not")
        assert f"ended the IMAP sessions of {address}" in gateway.log


def _ended(client: Imap) -> bool:
    try:
        return client.noop()[0] == "BYE"
    except (imaplib.IMAP4.error, OSError):
        return True


@pytest.fixture(params=["embedded", pytest.param("postfix_dovecot", marks=pytest.mark.root)])
def server(request: pytest.FixtureRequest) -> Server:
    reason = missing(request.param)
    if reason:
        pytest.skip(reason)
    wanted: Server = request.param
    return wanted


def test_the_operator_can_switch_it_off(server: Server, tmp_path: Path) -> None:
    with running_gateway(tmp_path, server, mail__key_logins="false") as gateway:
        address = gateway.inbox["address"]
        assert opens(gateway, address, gateway.api_key) == (False, False)
        assert opens(gateway, address, gateway.inbox["password"]) == (True, True)
        gateway.stop()
        gateway.settings["mail__key_logins"] = "true"
        gateway.start()
        assert opens(gateway, address, gateway.api_key) == (True, True)
