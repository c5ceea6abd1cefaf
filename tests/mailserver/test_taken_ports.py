"""A port that another program has is named before anything starts, and no secret of ours goes to that program."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailserver.base import MailServerDown, MailServerError
from mailserver.port_owner import listening, listens
from mailserver.ports import Wanted, check_free
from tests.support.gateway_process import GatewayProcess
from tests.support.servers import data_directory, dovecot_missing, embedded_server


@contextlib.contextmanager
def stranger(port: int = 0) -> Iterator[tuple[int, list[bytes]]]:
    """A program that greets as an IMAP server does and keeps the commands it gets."""
    told: list[bytes] = []
    with socket.create_server(("127.0.0.1", port)) as server:

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                with client, contextlib.suppress(OSError):
                    client.settimeout(2)
                    client.sendall(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
                    told.append(client.recv(1000))

        threading.Thread(target=serve, daemon=True).start()
        yield int(server.getsockname()[1]), told
        server.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("option", ["--imap-port", "--smtp-port", "--submission-port"])
def test_a_taken_port_ends_the_start_with_its_name(option: str, tmp_path: Path) -> None:
    if missing := dovecot_missing():
        pytest.skip(missing)
    ports = {"--port": "0", "--imap-port": "0", "--smtp-port": "0", "--submission-port": "0"}
    with data_directory(tmp_path) as data, stranger() as (port, told):
        gateway = GatewayProcess(data / "new")
        arguments = [word for pair in (ports | {option: str(port)}).items() for word in pair]
        done = gateway.postern("serve", "--quickstart", *arguments)
        assert done.returncode == 4, done.stderr
        last = done.stderr.splitlines()[-1]
        assert f"port {port} for {option.strip('-').partition('-')[0].lower()}" in last.lower()
        assert option in last
        assert "0: any free one" in last
        assert [one for one in told if one] == []


@pytest.mark.anyio
async def test_the_gateway_logs_in_to_no_server_but_ours(tmp_path: Path) -> None:
    if missing := dovecot_missing():
        pytest.skip(missing)
    async with embedded_server(tmp_path) as server:
        await server.add_domain("a.test")
        await server.add_mailbox("ann@a.test")
        login = server.imap_login("ann@a.test")
        dovecot = server._dovecot
        assert dovecot is not None
        assert dovecot.pid is not None
        assert listens(dovecot.pid, login.endpoint.port) is True
        assert listens(os.getpid(), login.endpoint.port) is False
        await dovecot.stop()
        with stranger(login.endpoint.port) as (_, told):
            assert [one.uid for one in listening(login.endpoint.port)] == [os.geteuid()]
            with pytest.raises(MailServerDown, match="another program listens"):
                server.imap_login("ann@a.test")
            assert told == []


def test_a_port_below_1024_says_whose_these_are() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    check = (
        "from mailserver.ports import *\n"
        "try: check_free('127.0.0.1', [Wanted('IMAP', 143, '--imap-port')])\n"
        "except MailServerError as error: print(error)\n"
    )
    command = [sys.executable, "-c", check]
    if os.geteuid() == 0:
        command = [
            "setpriv",
            "--bounding-set=-all",
            "--inh-caps=-all",
            "--reuid=65534",
            "--clear-groups",
            *command,
        ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    if first > 143:
        assert "port 143 for IMAP" in done.stdout
        assert "--imap-port" in done.stdout
        assert "below 1024" in done.stdout or "taken" in done.stdout
    else:
        assert done.stdout == ""


def test_every_address_is_tried_and_only_ports_that_are_given() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as held:
        port = held.getsockname()[1]
        with pytest.raises(MailServerError, match=f"port {port} for SMTP at \\* is taken"):
            check_free("*", [Wanted("SMTP", port, "--smtp-port")])
        check_free("127.0.0.1", [Wanted("SMTP", 0, ""), Wanted("IMAP", port, "")])
    with pytest.raises(MailServerError, match="no such address"):
        check_free("192.0.2.1", [Wanted("SMTP", 2525, "--smtp-port")])
