"""Small parts that need no server: addresses, tables, notifications, wire format, version choice."""

from __future__ import annotations

import asyncio
import grp
import os
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest

from mailserver.addresses import fold, names_of
from mailserver.base import Hint, MailServerError
from mailserver.directory import Directory, Mailbox, home_prefix, new_home
from mailserver.embedded import wire
from mailserver.lookup_sqlite import SqliteStorage
from mailserver.notifications import NotificationListener
from mailserver.passwords import hash_password, verify_password
from mailserver.ports import held_ports
from mailserver.smtp_client import Connection, Recipient, Target, Timeouts, Transaction, xtext
from tests.support.servers import data_directory


def test_addresses_fold_and_split() -> None:
    assert fold("Alice@Bücher.Test") == "alice@xn--bcher-kva.test"
    assert fold("Alice+50%@x.test") == "alice+50%@x.test"
    assert names_of("Alice+A+b@X.test") == ("alice+a+b@x.test", "alice+a@x.test", "alice@x.test")
    assert names_of("+a@x.test") == ("+a@x.test",)
    assert names_of("no-at") == names_of("a\r\n@x.test") == names_of("@x.test") == ()
    assert names_of('"a b"@x.test') == ('"a b"@x.test',)
    assert names_of('"a b+c"@x.test') == ('"a b+c"@x.test',)
    assert names_of('"Alice+A"@x.test') == ("alice+a@x.test", "alice@x.test")
    assert names_of("a b@x.test") == ()
    for name in ("a+sent-x", "a+b-team", "a+verp-"):
        with pytest.raises(MailServerError):
            fold(f"{name}@x.test")


def test_an_endless_address_has_few_names() -> None:
    stranger = "a+b" + "+" * 100_000
    names = names_of(f"{stranger}@x.test")
    assert names[0] == f"{stranger}@x.test"
    assert names[-2:] == ("a+b@x.test", "a@x.test")
    assert len(names) <= 66  # itself, and what a mailbox can be called
    assert names_of("a" * 64 + "+t@x.test")[1:] == ("a" * 64 + "@x.test",)
    assert names_of("a" * 65 + "+t@x.test")[1:] == ()


def test_envelope_paths_are_quoted_where_they_must_be() -> None:
    connection = Connection(Target(), "mx.x.test", Timeouts())
    people = [Recipient(one) for one in ("eva..s.@far.test", '"eva s"@far.test', "eva.s@far.test")]
    mail, recipients = connection._commands(Transaction("a.@x.test", people, b""), utf8=False)
    assert mail == b'MAIL FROM:<"a."@x.test>\r\n'
    assert recipients == [
        b'RCPT TO:<"eva..s."@far.test>\r\n',
        b'RCPT TO:<"eva s"@far.test>\r\n',
        b"RCPT TO:<eva.s@far.test>\r\n",
    ]
    for unfit in ("a b@x.test", '"a\r\nDATA"@x.test', '"a>"@x.test'):
        with pytest.raises(ValueError, match="unfit"):
            connection._commands(Transaction(unfit, people, b""), utf8=False)


def test_home_names_are_fresh_safe_and_told_apart() -> None:
    assert new_home("a@x.test") != new_home("a@x.test")
    assert "/" not in home_prefix("../a/b@x.test")
    assert home_prefix("a=2fb@x.test") != home_prefix("a/b@x.test")
    assert len(new_home("é" * 60 + "@" + "d" * 180 + ".test")) < 255


def test_passwords() -> None:
    stored = hash_password("pä")
    assert verify_password(stored, "pä".encode())
    assert not verify_password(stored, b"other")
    assert not verify_password("{PLAIN}pa", b"pa")


def test_directory_is_read_by_others_and_sees_their_changes(tmp_path: Path) -> None:
    path = tmp_path / "lookup.db"
    one, two = Directory(SqliteStorage(path)), Directory(SqliteStorage(path))
    one.open()
    two.open()
    one.add_domain("x.test")
    one.add_mailboxes([Mailbox("a@x.test", "h1", None), Mailbox("b@x.test", "h2", "pw")])
    assert two.find("a@x.test") is None
    assert two.refresh()
    assert two.find("a@x.test") == one.find("a@x.test")
    assert two.has_domain("x.test")
    two.disable("a@x.test")
    assert one.refresh()
    assert one.find("a@x.test") is None
    held = one.row("a@x.test")
    assert held is not None
    one.forget(held)
    assert one.row("a@x.test") is None
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as reader:
        assert reader.execute("SELECT address FROM mailbox").fetchall() == [("b@x.test",)]
    reader.close()
    one.close()
    two.close()
    assert path.stat().st_mode & 0o007 == 0


_READER = """
import sqlite3, sys
seen = set()
while len(seen) < 300:
    # as Postfix: a connection now and then, no right to write, no patience
    with sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=0) as db:
        for _ in range(50):
            seen |= {row[0] for row in db.execute("SELECT address FROM mailbox")}
    db.close()
"""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to read as")
def test_readers_without_rights_never_meet_a_lock(tmp_path: Path) -> None:
    with data_directory(tmp_path) as data:
        path, group = data / "lookup.db", grp.getgrnam("nogroup").gr_gid
        directory = Directory(SqliteStorage(path))
        directory.open(group=group)
        command = ["setpriv", "--reuid=nobody", f"--regid={group}", "--clear-groups"]
        command += ["/usr/bin/python3", "-c", _READER, str(path)]
        readers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
        for number in range(300):
            address = f"box{number}@x.test"
            directory.add_mailboxes([Mailbox(address, f"h{number}", None, enabled=False, making=True)])
            made = directory.row(address)
            assert made is not None
            directory.enable(made)
        for one in readers:
            _, errors = one.communicate(timeout=60)
            assert errors == b""
            assert one.returncode == 0
        directory.close()
        # nobody is there to make the log and its index again: what is left is read without them
        after = subprocess.run(command, stderr=subprocess.PIPE, timeout=60, check=False)
        assert after.stderr == b""


@pytest.mark.anyio
async def test_the_notification_listener_knows_its_secret_and_survives_rubbish() -> None:
    hints: list[Hint] = []
    wake = NotificationListener(hints.append)
    await wake.start()
    host, port = "127.0.0.1", int(wake.url.rpartition(":")[2].partition("/")[0])

    async def post(path: str, body: bytes, extra: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(
            b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n%s\r\n" % (path.encode(), len(body), extra)
        )
        if extra:
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        answer = await asyncio.wait_for(reader.readline(), 5)
        writer.close()
        await writer.wait_closed()
        return answer[9:12]

    events = b'{"event":"MessageNew","mailbox":"IN\\u000aX"},{"event":"MailboxRename"},{"event":"??"}'
    event = b'{"user":"a@x","events":[' + events + b"]}"
    assert await post(wake.path, event, b"Expect: 100-continue\r\n") == b"200"
    assert hints == [Hint("a@x", "IN\nX", "new"), Hint("a@x", None, "folders"), Hint("a@x", None, "unknown")]
    assert await post("/wrong", event) == b"404"
    assert await post(wake.path, b"\xff{") == b"400"
    assert await post(wake.path, b'{"user":5}') == b"400"
    assert len(hints) == 3
    await wake.stop()


def test_no_port_is_chosen_twice() -> None:
    # drawn one after the other, 400 of the kernel's some 14,000 hold the same port twice nearly always
    with held_ports("127.0.0.1", [0, 25025, *[0] * 400]) as chosen:
        assert chosen[1] == 25025
        assert len(set(chosen)) == len(chosen)
    with pytest.raises(MailServerError, match="same port"), held_ports("127.0.0.1", [25025, 0, 25025]):
        pass
    with pytest.raises(MailServerError, match=r"192\.0\.2\.1: .*assign"), held_ports("192.0.2.1", [0]):
        pass


def test_a_chosen_port_is_none_that_the_kernel_gives_away() -> None:
    # a service that is down for a second must find its port again
    kept = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    with held_ports("127.0.0.1", [0] * 50) as chosen:
        assert all(port < int(kept[0]) for port in chosen)


def test_a_chosen_port_is_kept_for_its_service(monkeypatch: pytest.MonkeyPatch) -> None:
    with held_ports("127.0.0.1", [0]) as (port,):
        drawn = iter([port, port, 0])  # as unlucky as can be
        monkeypatch.setattr("mailserver.ports._quiet_port", lambda: next(drawn))
        with held_ports("127.0.0.1", [0]) as (other,):
            assert other != port
        for _ in range(2):  # a start, and another after a stop with a connection left in TIME_WAIT
            with (
                socket.create_server(("127.0.0.1", port)) as service,
                socket.create_connection(("127.0.0.1", port)) as caller,
            ):
                service.accept()[0].close()
                assert caller.recv(1) == b""


def test_wire() -> None:
    assert wire.line_ends(b"a\nb\rc\r\nd\0") == b"a\r\nb\r\nc\r\nd"
    assert wire.split(b"A: 1\r\n 2\r\nB: 3\r\n\r\nbody") == ([b"A: 1\r\n 2\r\n", b"B: 3\r\n"], b"\r\nbody")
    assert wire.split(b"\r\nbody") == ([], b"\r\nbody")
    assert wire.split(b"no header here\r\n\r\nx") == ([], b"\r\nno header here\r\n\r\nx")
    odd = b"A: 1\r\nno field\r\nSubject: 2\r\n\r\nbody"
    assert wire.split(odd) == ([b"A: 1\r\nno field\r\n", b"Subject: 2\r\n"], b"\r\nbody")
    assert wire.split(b"no field\r\nTo: b\r\n\r\nx") == ([b"no field\r\n", b"To: b\r\n"], b"\r\nx")
    assert wire.split(b"A: 1\r\nHello\r\nnote: b\r\n\r\nx") == (
        [b"A: 1\r\n"],
        b"\r\nHello\r\nnote: b\r\n\r\nx",
    )
    assert wire.claims(b"Authentication-Results: ((a) b) mx.x; spf=pass", b"mx.x")
    assert not wire.claims(b"Authentication-Results: mx.xy; spf=pass", b"mx.x")
    assert wire.claims(b"ARC-Authentication-Results: i = 1; mx.x; spf=pass", b"mx.x")
    assert not wire.claims(b"ARC-Authentication-Results: i=1; far.test; spf=pass smtp.helo=mx.x", b"mx.x")
    assert xtext("a+b=c é") == "a+2Bb+3Dc+20+C3+A9"
    field = wire.received_field(
        helo="x\r\nBcc: y", peer="::1", hostname="h", protocol="ESMTP", recipient=None, queue_id="q"
    )
    assert "Bcc" not in [line.partition(":")[0] for line in field.splitlines()]
