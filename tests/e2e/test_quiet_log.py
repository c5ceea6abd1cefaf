"""A gateway that does its work says nothing of deprecated things: not by its log, not by Python's warnings."""

from __future__ import annotations

import json
import smtplib
import time
from pathlib import Path

import pytest

from tests.support.gateway_process import GatewayProcess, running_gateway


def test_mail_in_and_out_and_from_a_mail_client_warns_of_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    with running_gateway(tmp_path, log__format="json") as gateway:
        inbox = gateway.inbox
        with smtplib.SMTP("127.0.0.1", gateway.port("smtp"), "far.test", timeout=30) as smtp:
            smtp.sendmail("a@far.test", [inbox["address"]], mail("from the world", inbox["address"]))
        with smtplib.SMTP("127.0.0.1", gateway.port("submission"), timeout=30) as client:
            client.login(inbox["address"], inbox["password"])
            client.sendmail(inbox["address"], [inbox["address"]], mail("from a person", inbox["address"]))
        gateway.organization.call(
            "POST",
            f"inboxes/{inbox['id']}/messages/send",
            json={"to": inbox["address"], "subject": "by API", "text": "x"},
        )
        wait_for(gateway, {"from the world", "from a person", "by API"})
        gateway.stop()
        lines = gateway.log.splitlines()
    assert [line for line in lines if "deprecat" in line.lower()] == []
    levels = [json.loads(line)["level"] for line in lines if line.startswith("{")]
    assert levels
    assert set(levels) == {"info"}


def mail(subject: str, sender: str) -> str:
    return f"From: {sender}\r\nTo: {sender}\r\nSubject: {subject}\r\n\r\nhello\r\n"


def wait_for(gateway: GatewayProcess, subjects: set[str]) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        found = gateway.organization.call("GET", f"inboxes/{gateway.inbox['id']}/messages")
        received = {one["subject"] for one in found["messages"] if "received" in one["labels"]}
        if subjects <= received:
            return
        time.sleep(0.1)
    raise AssertionError(f"received only {received}")
