"""The limits in Postfix: how much room its disk must have, and whom it counts as one client."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mailserver.postfix_dovecot import PostfixSettings
from mailserver.postfix_dovecot.config import PostfixPorts, postfix_binary
from mailserver.postfix_dovecot.render import rendered
from tests.support.servers import postfix_missing


def main_cf(tmp_path: Path, min_free: int) -> list[str]:
    settings = PostfixSettings(data_dir=tmp_path, min_free=min_free)
    ports = PostfixPorts(smtp=25, submission=587, submissions=0, gateway=2588)
    files = {one.path.name: one for one in rendered(settings, tmp_path / "run", ports)}
    return files["main.cf"].text.splitlines()


def test_the_queue_keeps_some_room(tmp_path: Path) -> None:
    if reason := postfix_missing():
        pytest.skip(reason)
    assert "queue_minfree = 1000" in main_cf(tmp_path, 1000)


def test_ipv6_clients_count_by_their_network_where_postfix_can(tmp_path: Path) -> None:
    if reason := postfix_missing():
        pytest.skip(reason)
    name = "smtpd_client_ipv6_prefix_length"
    known = subprocess.run([postfix_binary("postconf"), "-d", name], capture_output=True, check=False)
    assert (f"{name} = 64" in main_cf(tmp_path, 0)) == known.stdout.startswith(name.encode())
