"""A Node receiver that signs what it parsed and wrote again, as OpenMail's oldest sample does, against a live gateway:
the body must be its own JSON.stringify (contract B7)."""

from __future__ import annotations

import pytest

from tests.api_openmail.hooks import Hooks
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver
from tests.support.node_receiver import letters, node, receiver

pytestmark = pytest.mark.skipif(node is None, reason="Node is not installed")

RECEIVER = """
const http = require("http");
const crypto = require("crypto");
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


def test_a_receiver_that_signs_the_parsed_body_accepts_every_event(
    gateway: GatewayProcess, organization: Organization
) -> None:
    hooks = Hooks(gateway, organization)
    with receiver(RECEIVER) as program:
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
