"""Imports from everything there is, into a running gateway: all there, once, in its place, and no news."""

from __future__ import annotations

import json
import mailbox
import secrets
import zipfile
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.store.sql import sql
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until
from tests.transfer.full_inbox import deliver, mail, person, shown


class Newcomer:
    """A fresh inbox to import into."""

    def __init__(self, gateway: GatewayProcess, organization: Organization) -> None:
        self.gateway, self.organization = gateway, organization
        self.address = organization.new_inbox()["email_address"]
        made = organization.call("POST", f"inboxes/{self.address}/credentials")
        self.password = str(made["password"])

    def bring(self, source: str, *options: str, code: int = 0, password: str = "") -> Any:
        env = self.gateway.environment() | ({"POSTERN_SOURCE_PASSWORD": password} if password else {})
        import subprocess

        command = self.gateway.command("import", source, "--into", self.address, "--json", *options)
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
        assert done.returncode == code, (done.stdout, done.stderr)
        return json.loads(done.stdout) if done.stdout else json.loads(done.stderr)

    def shown(self) -> dict[str, dict[str, Any]]:
        return shown(self.organization, self.address)

    def by_subject(self) -> dict[str, dict[str, Any]]:
        return {one["subject"]: one for one in self.shown().values()}

    def raw(self, message_id: str) -> bytes:
        with self.organization.client() as client:
            where = client.get(f"inboxes/{self.address}/messages/{message_id}/raw").json()["download_url"]
            return client.get(where).content

    def events(self) -> list[dict[str, Any]]:
        with self.organization.client() as client:
            answer = client.get(f"{self.organization.base_url}/api/v0/inboxes/{self.address}/messages")
            assert answer.is_success
        query = (
            "SELECT event.type FROM event JOIN inbox ON inbox.id = event.inbox_id WHERE inbox.address = ? "
            "AND event.type LIKE 'message%'"
        )
        return self.gateway.database(lambda tx: sql(tx).rows(query, self.address))


@pytest.fixture
def newcomer(gateway: GatewayProcess, organization: Organization) -> Newcomer:
    return Newcomer(gateway, organization)


def dated(subject: str, **headers: str) -> EmailMessage:
    return mail("old@elsewhere.example", subject, **headers)


def test_an_imap_account_with_all_it_holds_and_then_only_what_is_new(
    gateway: GatewayProcess, organization: Organization, newcomer: Newcomer
) -> None:
    """The account is one of a real Dovecot: the gateway's own, opened as a person opens it."""
    old = organization.new_inbox()["email_address"]
    password = organization.call("POST", f"inboxes/{old}/credentials")["password"]
    with person(gateway, old, password) as client:
        client.create('"Kunden/M&APw-ller"')
        for folder, n, flags, when in (
            ("INBOX", 1, "(\\Seen \\Flagged urgent)", "03-Feb-2024 10:00:00 +0000"),
            ("INBOX", 2, "()", "04-Feb-2024 10:00:00 +0000"),
            ("INBOX", 3, "(\\Deleted)", "05-Feb-2024 10:00:00 +0000"),
            ("Sent", 4, "(\\Seen)", "06-Feb-2024 10:00:00 +0000"),
            ("Junk", 5, "()", "07-Feb-2024 10:00:00 +0000"),
            ('"Kunden/M&APw-ller"', 6, "()", "08-Feb-2024 10:00:00 +0000"),
        ):
            one = dated(
                f"number {n}", Message_ID=f"<n{n}@old.example>", Date="Mon, 01 Jan 2024 00:00:00 +0000"
            )
            if n == 2:
                one["In-Reply-To"] = "<n1@old.example>"
            assert client.append(folder, flags, f'"{when}"', one.as_bytes())[0] == "OK"
    port = gateway.port("imap")
    source = f"imap://{old}@127.0.0.1:{port}"

    tried = newcomer.bring(source, "--dry-run", password=password)
    assert (tried["appended"], newcomer.shown()) == (5, {})
    first = newcomer.bring(source, password=password)
    assert (first["appended"], first["known"], first["deleted"], first["refused"]) == (5, 0, 1, [])
    found = newcomer.by_subject()
    assert set(found) == {"number 1", "number 2", "number 4", "number 5", "number 6"}
    assert set(found["number 1"]["labels"]) == {"received", "starred", "urgent"}
    assert "unread" in found["number 2"]["labels"]
    assert found["number 2"]["thread_id"] == found["number 1"]["thread_id"]
    assert found["number 4"]["direction"] == "outbound"
    assert "spam" in found["number 5"]["labels"]
    assert "folder:Kunden/Müller" in found["number 6"]["labels"]
    assert newcomer.events() == []
    with person(gateway, newcomer.address, newcomer.password) as client:
        client.select("INBOX")
        assert b"03-Feb-2024 10:00:00 +0000" in cast(Any, client.fetch("1", "(INTERNALDATE)")[1][0])
    search = organization.call("GET", f"inboxes/{newcomer.address}/messages/search", params={"q": "number"})
    assert len(search["messages"]) >= 4

    with person(gateway, old, password) as client:
        client.append("INBOX", "()", None, dated("number 7").as_bytes())
    again = newcomer.bring(source, password=password)
    assert (again["appended"], again["refused"]) == (1, [])
    assert len(newcomer.shown()) == 6
    one_folder = newcomer.bring(source + "/Sent", password=password)
    assert (one_folder["appended"], one_folder["known"]) == (
        0,
        0,
    )  # known by its Message-ID and size, never read

    wrong = newcomer.bring(source, password="wrong", code=4)
    assert old in wrong["error"]
    inside = newcomer.bring(f"imap://{old}:secret@127.0.0.1", code=4)
    assert "seen by every user" in inside["error"]


def test_with_events_it_is_told_as_news(newcomer: Newcomer, tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(dated("told", Date="").as_bytes())
    newcomer.bring(str(tmp_path / "one.eml"), "--events")
    until(lambda: newcomer.events() == [{"type": "message.received"}])
    (tmp_path / "two.eml").write_bytes(dated("untold").as_bytes())
    newcomer.bring(str(tmp_path / "two.eml"))
    assert len(newcomer.shown()) == 2
    assert len(newcomer.events()) == 1


def test_mboxes_of_every_descent(newcomer: Newcomer, tmp_path: Path) -> None:
    def message(n: int, body: str, *more: str) -> str:
        head = [f"Message-ID: <b{n}@x.example>", f"Subject: box {n}", "From: a@x.example", *more]
        return "\n".join([*head, "", body])

    rd = "From a@x Tue Feb  3 10:00:00 2026\n" + message(
        1, ">From me\n>>From you\n", "Status: RO", "X-Status: F"
    )
    rd += (
        "\nFrom a@x Wed Feb  4 10:00:00 2026\n"
        + message(2, "a blank, then\n\nFrom now on it goes on\n")
        + "\n"
    )
    (tmp_path / "rd").write_text(rd)
    body = "one\n\nFrom x@y Tue Feb  3 10:00:00 2026\nstill the same\n"
    cl2 = "From a@x Tue Feb  3 10:00:00 2026\n" + message(3, body, f"Content-Length: {len(body)}") + "\n"
    cl2 += "From a@x Tue Feb  3 11:00:00 2026\n" + message(4, "short\n", "Content-Length: 999999") + "\n"
    (tmp_path / "cl2.mbox").write_text(cl2)
    gmail = "From 17@xxx Tue Feb 03 10:00:00 +0000 2026\r\n" + message(
        5, "hi\n", "X-Gmail-Labels: Inbox,Unread,Starred,=?UTF-8?Q?B=C3=BCro?="
    )
    gmail += (
        "\nFrom 18@xxx Tue Feb 03 11:00:00 +0000 2026\n" + message(6, "hi\n", "X-Gmail-Labels: Sent") + "\n"
    )
    (tmp_path / "gmail.mbox").write_text(gmail)
    for name, count in (("rd", 2), ("cl2.mbox", 2), ("gmail.mbox", 2)):
        done = newcomer.bring(str(tmp_path / name))
        assert (done["appended"], done["refused"]) == (count, []), name
        assert newcomer.bring(str(tmp_path / name))["known"] == count
    found = newcomer.by_subject()
    ids = {one["subject"]: message_id for message_id, one in newcomer.shown().items()}
    assert newcomer.raw(ids["box 1"]).endswith(b"\r\n\r\nFrom me\r\n>From you\r\n")
    assert b"Status" not in newcomer.raw(ids["box 1"])
    assert set(found["box 1"]["labels"]) == {"received", "starred"}
    assert b"From now on it goes on" in newcomer.raw(ids["box 2"])
    assert newcomer.raw(ids["box 3"]).endswith(b"From x@y Tue Feb  3 10:00:00 2026\r\nstill the same\r\n")
    assert newcomer.raw(ids["box 4"]).endswith(b"short\r\n")
    assert {"unread", "starred", "büro"} <= set(found["box 5"]["labels"])
    assert found["box 6"]["direction"] == "outbound"


def test_what_pythons_mailbox_module_wrote(newcomer: Newcomer, tmp_path: Path) -> None:
    with_folders = mailbox.Maildir(tmp_path / "md", create=True)
    one = mailbox.MaildirMessage(dated("in maildir"))
    one.set_flags("FS")
    one.set_subdir("cur")
    with_folders.add(one)
    with_folders.add_folder("Sent").add(mailbox.MaildirMessage(dated("sent of maildir")))
    with_folders.add_folder("Work.2024").add(mailbox.MaildirMessage(dated("deep in maildir")))
    box = mailbox.mbox(tmp_path / "py.mbox")
    box.add(mailbox.mboxMessage(dated("in mbox", text="x\n\nFrom here to there\n")))
    box.close()
    assert newcomer.bring(str(tmp_path / "md"))["appended"] == 3
    assert newcomer.bring(str(tmp_path / "py.mbox"))["appended"] == 1
    found = newcomer.by_subject()
    assert set(found["in maildir"]["labels"]) == {"received", "starred"}
    assert found["sent of maildir"]["direction"] == "outbound"
    assert "folder:Work/2024" in found["deep in maildir"]["labels"]


def test_eml_files_directories_and_zips_and_hostile_ones(newcomer: Newcomer, tmp_path: Path) -> None:
    corpus = tmp_path / "dump"
    (corpus / "Sent").mkdir(parents=True)
    (corpus / "a.eml").write_bytes(dated("plain eml").as_bytes())
    (corpus / "Sent" / "b.eml").write_bytes(dated("sent eml").as_bytes())
    (corpus / "nul.eml").write_bytes(b"Subject: nul\nX: a\0b\n\nbo\0dy\n")
    (corpus / "bare.eml").write_bytes(b"Subject: bare\r\n\r\nlf\nand\rcr\r\n")
    (corpus / "empty.eml").write_bytes(b"")
    (corpus / "headless.eml").write_bytes(b"\n\nonly a body\n")
    (corpus / "badflags.eml").write_bytes(b"Date: nonsense\nSubject: " + b"\xff\xfe" * 50 + b"\n\nx\n")
    (corpus / "link.eml").symlink_to("/etc/passwd")
    (corpus / "notes.txt").write_text("not mail")
    done = newcomer.bring(str(corpus), code=1)
    assert done["appended"] == 6
    assert [one["reason"] for one in done["refused"]] == ["it is empty"]
    assert newcomer.bring(str(corpus), code=1)["known"] == 6
    assert newcomer.by_subject()["sent eml"]["direction"] == "outbound"
    with zipfile.ZipFile(tmp_path / "d.zip", "w") as archive:
        archive.writestr("mailpit/x.eml", dated("zipped").as_bytes())
        archive.writestr("mailpit/a.eml", (corpus / "a.eml").read_bytes())
    zipped = newcomer.bring(str(tmp_path / "d.zip"))
    assert (zipped["appended"], zipped["known"]) == (1, 1)
    assert newcomer.bring("/nowhere/at/all", code=4)["error"].startswith("there is no /nowhere")


def test_one_that_is_too_large_costs_no_neighbour_its_place(newcomer: Newcomer, tmp_path: Path) -> None:
    for n in range(3):
        size = 80 * 1024 * 1024 if n == 1 else 10
        (tmp_path / f"{n}.eml").write_bytes(f"Subject: size {n}\n\n".encode() + b"y" * size)
    done = newcomer.bring(str(tmp_path), code=1)
    assert done["appended"] == 2
    assert "mail.max_message" in done["refused"][0]["reason"]
    assert set(newcomer.by_subject()) == {"size 0", "size 2"}


class _Mailpit(BaseHTTPRequestHandler):
    """Mailpit's API as its documentation has it: /api/v1/messages and /api/v1/message/{ID}/raw."""

    mails: dict[str, tuple[bytes, dict[str, Any]]] = {}

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/api/v1/messages":
            query = parse_qs(url.query)
            start, limit = int(query["start"][0]), min(int(query["limit"][0]), 2)
            rows = [about | {"ID": name} for name, (_, about) in self.mails.items()]
            body = {"total": len(rows), "start": start, "messages": rows[start : start + limit]}
            self._answer(json.dumps(body).encode(), "application/json")
        else:
            self._answer(self.mails[url.path.split("/")[4]][0], "text/plain")

    def _answer(self, data: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def test_a_mailpit(newcomer: Newcomer) -> None:
    for n in range(3):
        about = {
            "Read": n == 0,
            "Created": f"2026-02-0{n + 1}T10:00:00.123Z",
            "Tags": ["Tag One"] if n == 1 else [],
        }
        _Mailpit.mails[f"id{n}"] = (dated(f"pit {n}").as_bytes(), about)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Mailpit)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        assert "--from mailpit" in newcomer.bring(url, code=4)["error"]
        assert newcomer.bring(url, "--from", "mailpit")["appended"] == 3
        assert newcomer.bring(url, "--from", "mailpit")["known"] == 3
    finally:
        server.shutdown()
        server.server_close()
    found = newcomer.by_subject()
    assert ["unread" in found[f"pit {n}"]["labels"] for n in range(3)] == [False, True, True]
    assert "tag one" in found["pit 1"]["labels"]


def test_an_agentmail(gateway: GatewayProcess, organization: Organization, newcomer: Newcomer) -> None:
    """This gateway speaks AgentMail's API, so it stands for one."""
    old = organization.new_inbox()["email_address"]
    deliver(gateway, mail(old, "agent's own", Message_ID=f"<{secrets.token_hex(4)}@x.example>"))
    [first] = until(lambda: shown(organization, old))
    organization.call(
        "POST", f"inboxes/{old}/messages/{first}/reply", json={"text": "yes", "labels": ["done"]}
    )
    until(lambda: len(shown(organization, old)) == 2)
    done = newcomer.bring(
        f"{gateway.base_url}/api", "--from", "agentmail", "--source-inbox", old, password=organization.api_key
    )
    assert (done["appended"], done["refused"]) == (2, [])
    found = newcomer.by_subject()
    assert found["Re: agent's own"]["direction"] == "outbound"
    assert found["Re: agent's own"]["thread_id"] == found["agent's own"]["thread_id"]
    assert "done" in found["Re: agent's own"]["labels"]
