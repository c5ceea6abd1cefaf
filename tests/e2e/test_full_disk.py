"""A disk without room: said everywhere, nothing taken in, nothing dead, and all well again when there is room.

The data directory is a small file system of its own, mounted in a mount namespace that ends with the gateway.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import smtplib
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.gateway_process import GatewayProcess
from tests.support.ports import keep_ports
from tests.support.servers import data_directory, dovecot_missing
from tests.support.waiting import until

pytestmark = pytest.mark.root
_ROOT = Path(__file__).resolve().parents[2]


def no_mounts() -> str:
    """Why no file system can be mounted here; empty when one can."""
    if os.geteuid() != 0:
        return "mounting a small file system needs root"
    if shutil.which("unshare") is None:
        return "unshare(1) is not there"
    tried = subprocess.run(
        ["unshare", "--mount", "sh", "-c", "mount -t tmpfs tmpfs /mnt"], capture_output=True, check=False
    )
    return "" if tried.returncode == 0 else "no file system may be mounted here"


@dataclass
class Small:
    """A gateway on a file system of 64 MB. ``data`` is that as it is seen from outside."""

    process: subprocess.Popen[bytes]
    data: Path
    quickstart: dict[str, Any]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(
            self.quickstart["base_url"] + path, headers=self.headers, timeout=30, trust_env=False
        )

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.quickstart['api_key']}"}

    def send(self) -> httpx.Response:
        inbox = self.quickstart["inbox"]
        body = {"to": [inbox["address"]], "subject": "s", "text": "t"}
        url = f"{self.quickstart['base_url']}/api/v0/inboxes/{inbox['id']}/messages/send"
        return httpx.post(url, json=body, headers=self.headers, timeout=30, trust_env=False)

    def mail(self, subject: str) -> tuple[int, bytes]:
        """The first reply that is no success, or the one to the message."""
        with smtplib.SMTP("127.0.0.1", self.quickstart["smtp"]["port"], timeout=30) as smtp:
            smtp.ehlo("far.example")
            code, words = smtp.mail("far@far.example")
            if code == 250:
                code, words = smtp.rcpt(self.quickstart["inbox"]["address"])
            if code == 250:
                code, words = smtp.data(f"From: far@far.example\r\nSubject: {subject}\r\n\r\nbody\r\n")
            return code, words

    def fill(self) -> None:
        with open(self.data / "filler", "ab", 0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"x" * 65536)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    if reason := no_mounts() or dovecot_missing():
        pytest.skip(reason)
    with data_directory(tmp_path) as data:
        made = GatewayProcess(data, settings={"log__level": "info"})
        ports = keep_ports(4, made)
        words = zip(
            ("--port", "--smtp-port", "--imap-port", "--submission-port"), map(str, ports), strict=True
        )
        command = made.command("serve", "--quickstart", *(one for pair in words for one in pair))
        script = f'mount -t tmpfs -o size=64m,mode=755 tmpfs "{data}" && exec "$@"'
        with open(tmp_path / "gateway.log", "wb") as log:
            process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", script, "sh", *command],
                env=made.environment(),
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            inside = Path(f"/proc/{process.pid}/root{data}")
            until(lambda: (inside / "operator.json").exists() or process.poll() is not None)
            assert process.poll() is None, (tmp_path / "gateway.log").read_text()
            yield Small(process, inside, json.loads((inside / "quickstart.json").read_text()))
        finally:
            process.terminate()
            assert process.wait(30) == 0
            assert "defect" not in (tmp_path / "gateway.log").read_text()


def test_a_full_disk_is_said_and_survived(small: Small) -> None:
    assert small.get("/ready").status_code == 200
    assert small.mail("before")[0] == 250

    small.fill()
    until(lambda: small.get("/ready").status_code == 503)
    disk = small.get("/ready").json()["parts"]["disk"]
    assert not disk["ok"]
    assert "the disk is full: 0 MB are free on the file system of" in disk["detail"]
    until(lambda: small.mail("during")[0] == 452)
    assert small.mail("during")[1].startswith(b"4.3.1 insufficient system storage: the disk is full")
    refused = small.send()
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "60"
    assert "the disk of the server is full" in refused.text
    assert small.get("/api/v0/inboxes").status_code == 200

    def free() -> list[float]:
        lines = small.get("/metrics").text.splitlines()
        return [float(one.split()[-1]) for one in lines if one.startswith('postern_disk_free_bytes{place="')]

    until(lambda: free() and max(free()) == 0)
    # Dovecot has something to say all the while, and no file to say it in
    time.sleep(2)
    os.unlink(small.data / "filler")
    until(lambda: small.get("/ready").status_code == 200, 20)
    assert small.get("/ready").json()["parts"]["mail_dovecot"]["detail"] == "0 restarts"
    assert small.mail("after")[0] == 250
    assert small.send().status_code == 200
    until(lambda: {"before", "after"} <= subjects(small))
    assert "during" not in subjects(small)


def subjects(small: Small) -> set[str]:
    listed = small.get(f"/api/v0/inboxes/{small.quickstart['inbox']['id']}/messages").json()["messages"]
    return {one["subject"] for one in listed}


def test_a_start_and_the_doctor_say_that_the_disk_is_full(tmp_path: Path) -> None:
    if reason := no_mounts() or dovecot_missing():
        pytest.skip(reason)
    with data_directory(tmp_path) as data:
        for arguments, code in (
            (["serve", "--quickstart", "--port", "0"], 4),
            (["doctor", "--only", "disk", "--only", "database"], 2),
        ):
            script = f'mount -t tmpfs -o size=2m tmpfs "{data}"; cat /dev/zero >"{data}/filler" 2>/dev/null; exec "$@"'
            command = [sys.executable, "-m", "gateway.cli.main", *arguments, "--data", str(data)]
            said = subprocess.run(
                ["unshare", "--mount", "sh", "-c", script, "sh", *command],
                cwd=_ROOT,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
                env=GatewayProcess(data).environment(),
            )
            words = said.stdout + said.stderr
            assert "the disk is full" in words, words
            assert str(data) in words
            assert "make room" in words
            assert "defect" not in words
            assert "please report" not in words
            assert said.returncode == code, words
