"""The names of metrics: in a text, and on a gateway."""

from __future__ import annotations

import re
from pathlib import Path

import httpx

from tests.support.gateway_process import GatewayProcess

ROOT = Path(__file__).resolve().parents[2]

ELSEWHERE = frozenset(
    {"postern_mail_queue_messages", "postern_mail_queue_oldest_seconds", "postern_certificate_expiry_seconds"}
)
"""Exposed with Postfix and with a certificate only: ``tests/api/test_gauges.py`` has both."""


def names_in(text: str) -> set[str]:
    """Every metric that a text names, as a rule names it (a counter with ``_total``)."""
    return set(re.findall(r"\bpostern_[a-z_]*[a-z]\b", text))


def scraped(gateway: GatewayProcess) -> str:
    answer = httpx.get(f"{gateway.base_url}/metrics", timeout=30, trust_env=False)
    assert answer.status_code == 200
    return answer.text


def exposed_in(gateway: GatewayProcess) -> set[str]:
    """Every metric that a gateway exposes, and those that others do."""
    return set(re.findall(r"^# TYPE (postern_\w+) ", scraped(gateway), re.MULTILINE)) | ELSEWHERE


def value(text: str, name: str, **labels: str) -> float:
    """The sum of a metric's samples with these labels; 0 for none."""
    total = 0.0
    for found in re.finditer(rf"^{name}(?:{{(.*)}})? (\S+)$", text, re.MULTILINE):
        there = dict(re.findall(r'(\w+)="([^"]*)"', found[1] or ""))
        if labels.items() <= there.items():
            total += float(found[2])
    return total
