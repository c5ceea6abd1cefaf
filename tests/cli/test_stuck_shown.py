"""``postern status``, ``/ready``, ``/metrics`` and the log show a mailbox that the mail server does not answer for."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.gateway_process import GatewayProcess, running_gateway


@pytest.fixture
def own_gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with running_gateway(tmp_path) as gateway:
        yield gateway


def _until(look: Callable[[], Any], seconds: float = 120.0) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.2)
    return found


def _sessions(gateway: GatewayProcess) -> list[int]:
    """Dovecot's processes that serve IMAP to this gateway."""
    found = []
    for dovecot in gateway.children():
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except OSError:
                continue
            name, rest = re.match(r"\d+ \((.*)\) (.*)", stat).groups()
            if name == "imap" and int(rest.split()[1]) == dovecot:
                found.append(int(entry))
    return found


def _get(gateway: GatewayProcess, path: str) -> httpx.Response:
    return httpx.get(gateway.base_url + path, trust_env=False, timeout=10)


@pytest.mark.slow
def test_a_stopped_session_is_named_until_it_goes_on(own_gateway: GatewayProcess) -> None:
    address = own_gateway.inbox["address"]
    assert _until(lambda: _get(own_gateway, "/ready").json()["parts"]["idle"]["watched"] == 1)
    assert 'postern_idle_inboxes{state="watched"} 1.0' in _get(own_gateway, "/metrics").text
    stopped = _sessions(own_gateway)
    assert stopped
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        _until(lambda: _get(own_gateway, "/ready").json()["parts"]["mailboxes"]["stuck"] == 1)
        ready = _get(own_gateway, "/ready")
        assert address not in ready.text  # nobody had to show a key
        assert "postern_stuck_mailboxes 1.0" in _get(own_gateway, "/metrics").text
        found = json.loads(own_gateway.postern("status", "--json").stdout)
        assert [one["address"] for one in found["stuck_mailboxes"]] == [address]
        assert f"No answer    {address} for " in own_gateway.postern("status").stdout
        assert f"the mailbox {address} did not answer" in own_gateway.log
        _until(lambda: _get(own_gateway, "/ready").json()["parts"]["idle"]["waiting"] == 1)
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    _until(lambda: _get(own_gateway, "/ready").json()["parts"]["mailboxes"]["stuck"] == 0)
    assert _until(lambda: _get(own_gateway, "/ready").json()["parts"]["idle"]["watched"] == 1)
    assert f"the mailbox {address} answers again" in own_gateway.log
