"""Large mails and large sends, many at once, cost the gateway little memory, and it gives that back."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from scripts.bench.memory import MB, WAYS, Peak, mails_at_once, sends_at_once, watched
from tests.support.gateway_process import GatewayProcess, running_gateway

_ALLOWED = 200 * MB
"""Beside what it had before. Each of these loads took over 700 MB when messages were held in memory."""
_KEPT = 100 * MB


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[GatewayProcess]:
    with running_gateway(tmp_path) as running:
        running.organization.new_inbox()
        time.sleep(1)
        yield running


def judge(peak: Peak) -> None:
    assert peak.most - peak.base < _ALLOWED, peak
    assert peak.after - peak.base < _KEPT, peak


def test_large_mails_at_once(gateway: GatewayProcess) -> None:
    to = gateway.organization.new_inbox()["email"]
    with watched(gateway.pid) as peak:
        mails_at_once(gateway, 8, 16 * MB, to)
        time.sleep(3)
    judge(peak)


@pytest.mark.parametrize("way", ["agentmail, JSON", "openmail, form"])
def test_large_sends_at_once(gateway: GatewayProcess, way: str) -> None:
    with watched(gateway.pid) as peak:
        sends_at_once(gateway, WAYS[way], 5, 12 * MB)
        time.sleep(3)
    judge(peak)


def test_unfinished_mails_and_bodies(gateway: GatewayProcess) -> None:
    """Whoever sends much and never ends holds disk, and little memory."""
    to = gateway.organization.new_inbox()
    text = b"x" * 70 + b"\r\n"
    held = []
    with watched(gateway.pid) as peak:
        for _ in range(8):
            smtp = socket.create_connection(("127.0.0.1", gateway.port("smtp")), 60)
            file = smtp.makefile("rb")
            file.readline()
            for command in (
                "HELO far.example",
                "MAIL FROM:<a@far.example>",
                f"RCPT TO:<{to['email']}>",
                "DATA",
            ):
                smtp.sendall(command.encode() + b"\r\n")
                file.readline()
            smtp.sendall(b"Subject: s\r\n\r\n" + text * (25 * MB // len(text)))
            held.append(smtp)
        base = httpx.URL(gateway.base_url)
        for _ in range(6):
            http = socket.create_connection((base.host, base.port or 80), 60)
            http.sendall(
                f"POST /api/v0/inboxes/{to['inbox_id']}/messages/send HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {gateway.api_key}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {40 * MB}\r\n\r\n".encode()
            )
            http.sendall(b" " * 30 * MB)
            held.append(http)
        time.sleep(2)
        for one in held:
            one.close()
        time.sleep(3)
    judge(peak)
    assert gateway.organization.call("GET", "inboxes")["count"] >= 2
