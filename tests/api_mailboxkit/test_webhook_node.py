"""A Node receiver with the steps of MailboxKit's document, against a live gateway: the bare hexadecimal signature (its
``timingSafeEqual`` throws on any other length) of the very octets sent, which are their own JSON.stringify."""

from __future__ import annotations

import pytest

from tests.api_mailboxkit.calls import call, made
from tests.api_mailboxkit.hooks import new_inbox
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver
from tests.support.node_receiver import letters, node, receiver

pytestmark = pytest.mark.skipif(node is None, reason="Node is not installed")

RECEIVER = """
const crypto = require("crypto");
const http = require("http");
const verify = (body, signature) => crypto.timingSafeEqual(
  Buffer.from(crypto.createHmac("sha256", secret).update(body).digest("hex")), Buffer.from(signature));
const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const raw = Buffer.concat(chunks);
    const parsed = JSON.parse(raw.toString("utf8"));
    const signature = request.headers["x-mailboxkit-signature"];
    console.log(JSON.stringify({
      raw: verify(raw, signature),
      again: verify(JSON.stringify(parsed), signature),
      other: verify(raw, request.headers["x-signature"]),
      safe: Number.isSafeInteger(parsed.inbox_id) && Number.isSafeInteger(parsed.data.id),
      event: parsed,
    }));
    response.end("OK");
  });
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
"""


def test_the_documented_receiver_accepts_every_event(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = new_inbox(organization, 'Ünïcode "Agent" 😀')
    with receiver(RECEIVER) as program:
        events = ["message.received", "inbox.created"]
        hook = made(organization, "webhooks", {"url": program.url, "events": events})
        program.trust(hook["secret"])
        assert call(organization, "POST", f"webhooks/{hook['id']}/test")["data"]["status"] == "success"
        assert program.next()["raw"] is True
        new_inbox(organization, "Another — \\ 日本 \u2028")
        told = [program.next()]
        for mail in letters(inbox["email"]):
            deliver(gateway.port("smtp"), mail, inbox["email"], sender="x@abroad.test")
            told.append(program.next())
        assert [one["event"]["event"] for one in told] == ["inbox.created", *["message.received"] * 3]
        for one in told:
            assert [one[name] for name in ("raw", "again", "other", "safe")] == [True] * 4, one
        program.trust(hook["secret"][:-1])
        call(organization, "POST", f"webhooks/{hook['id']}/test")
        assert program.next()["raw"] is False  # the receiver can tell
        call(organization, "DELETE", f"webhooks/{hook['id']}")
