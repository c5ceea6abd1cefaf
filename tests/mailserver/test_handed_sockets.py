"""Ports that somebody else (systemd) opened for Dovecot: sd_listen_fds(3)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from mailserver.dovecot import dovecot_binary
from mailserver.private_dovecot import DovecotSettings, PrivateDovecot
from mailserver.process import wrapped
from mailserver.server_key import server_key
from tests.support.servers import data_directory, dovecot_missing

# the sockets go to where systemd puts them, and LISTEN_PID is who Dovecot becomes
HAND_OVER = """
import os, sys
for number in (0, 1):
    os.dup2(int(sys.argv[1 + number]), 100 + number)
for number in (0, 1):
    os.dup2(100 + number, 3 + number, inheritable=True)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()))
os.execvp(sys.argv[3], sys.argv[3:])
"""


def attached(data: Path, imap: int, sieve: int) -> PrivateDovecot:
    """A Dovecot that others run, rendered, with empty lookup tables."""
    settings = DovecotSettings(
        data_dir=data, imap_port=imap, sieve_port=sieve, run_dir=data / "run", push=False, manage=False
    )
    settings.lookup.path.parent.mkdir()
    with closing(settings.lookup.storage()) as tables:
        tables.open(0o600, -1)
    dovecot = PrivateDovecot(settings, server_key(data / "server.key"), peer_group=None, notifications_port=0)
    if os.geteuid() == 0:
        for path in (settings.lookup.path.parent, settings.lookup.path):
            shutil.chown(path, dovecot.config.user, dovecot.config.group)
    dovecot.render()
    return dovecot


def test_dovecot_takes_the_sockets_it_is_handed(tmp_path: Path) -> None:
    if missing := dovecot_missing():
        pytest.skip(missing)
    with (
        data_directory(tmp_path) as data,
        socket.create_server(("127.0.0.1", 0)) as imap,
        socket.create_server(("127.0.0.1", 0)) as sieve,
    ):
        config = attached(data, imap.getsockname()[1], sieve.getsockname()[1]).config
        command = wrapped([dovecot_binary(), "-F", "-c", str(config.file)], config.user, config.group)
        fds = [imap.fileno(), sieve.fileno()]
        # they stay open here, so Dovecot cannot have opened these ports itself
        child = subprocess.Popen([sys.executable, "-c", HAND_OVER, *map(str, fds), *command], pass_fds=fds)
        try:
            for one, greeting in ((imap, b"* OK"), (sieve, b'"IMPLEMENTATION"')):
                with (
                    socket.create_connection(one.getsockname(), 20) as client,
                    client.makefile("rb") as lines,
                ):
                    assert lines.readline().startswith(greeting)
        finally:
            child.terminate()
            assert child.wait(20) == 0
