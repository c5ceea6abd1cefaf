"""A Node receiver that signs what it parsed and wrote again, as OpenMail's oldest sample does, against a live gateway:
the body must be its own JSON.stringify (contract B7)."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from typing import Any

import pytest

from tests.api_openmail.hooks import Hooks
from tests.e2e.world import deliver, letter
from tests.gateway_process import GatewayProcess, Organization

node = shutil.which("node")
pytestmark = pytest.mark.skipif(node is None, reason="Node is not installed")

RECEIVER = """
const http = require("http");
const crypto = require("crypto");
let secret = "";
require("readline").createInterface({ input: process.stdin }).on("line", (line) => { secret = line; });
const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const raw = Buffer.concat(chunks).toString("utf8");
    const parsed = JSON.parse(raw);
    const hmac = (text) => crypto.createHmac("sha256", secret)
      .update(`${request.headers["x-timestamp"]}.${text}`).digest("hex");
    const given = Buffer.from(request.headers["x-signature"], "hex");
    const fits = (text) => {
      const wanted = Buffer.from(hmac(text), "hex");
      return wanted.length === given.length && crypto.timingSafeEqual(wanted, given);
    };
    console.log(JSON.stringify({ raw: fits(raw), again: fits(JSON.stringify(parsed)), event: parsed }));
    response.end("OK");
  });
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
"""


class Receiver:
    """The running Node program."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.next()['port']}/webhooks/openmail"

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)

    def next(self) -> Any:
        return json.loads(self._lines.get(timeout=20))

    def trust(self, secret: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(secret + "\n")
        self._process.stdin.flush()


@contextmanager
def receiver() -> Iterator[Receiver]:
    assert node is not None
    process = subprocess.Popen(
        [node, "-e", RECEIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield Receiver(process)
    finally:
        process.kill()
        process.communicate()


HOSTILE = (
    "quotes \" ' ` \\ </script> \u2028 \u2029 \x7f \x1b[31m \u00a0 \ufeff\n"
    "Grüße, 日本語, \U0001f600 \U0001f468\u200d\U0001f469, \t tabs, \\u0041 and \\n as text\n"
)


def letters(to: str) -> Iterator[EmailMessage | bytes]:
    plain = letter(to, 'Hostile — "subject" \\ 日本 😀', HOSTILE)
    plain.add_attachment(b"x", maintype="text", subtype="plain", filename='od"d \\ größe/😀.txt')
    plain.add_attachment(b"<p>x</p>", maintype="text", subtype="html", filename="<b>.html")
    yield plain
    head = f"From: =?utf-8?q?=00=ED=A0=80?= <x@abroad.test>\r\nTo: {to}\r\nMessage-ID: <2@abroad.test>\r\n"
    yield (
        head + "Subject: =?utf-8?b?7aCA?= lone surrogate\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    ).encode() + b"bad \xff\xfe utf-8, NUL-free controls \x01\x02\x08\x0b\x0c\x1f\x7f end\r\n"
    yield f"To: {to}\r\nMessage-ID: <3@abroad.test>\r\n\r\n".encode()


def test_a_receiver_that_signs_the_parsed_body_accepts_every_event(
    gateway: GatewayProcess, organization: Organization
) -> None:
    hooks = Hooks(gateway, organization)
    with receiver() as program:
        inbox = hooks.inbox(webhookUrl=program.url)
        program.trust(inbox["webhookSecret"])
        assert hooks.call("POST", f"inboxes/{inbox['id']}/webhook/test")["ok"] is True
        test = program.next()
        assert test["raw"]
        assert test["again"]
        for mail in letters(inbox["address"]):
            deliver(gateway.port("smtp"), mail, inbox["address"], sender="x@abroad.test")
            got = program.next()
            assert got["raw"], got
            assert got["again"], got
            assert got["event"]["event"] == "message.received"
            assert got["event"]["inbox_id"] == inbox["id"]
        program.trust(inbox["webhookSecret"][:-1])
        assert hooks.call("POST", f"inboxes/{inbox['id']}/webhook/test")["ok"] is True
        assert program.next()["raw"] is False  # the receiver can tell
