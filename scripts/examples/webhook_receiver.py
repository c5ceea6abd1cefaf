"""A receiver of Postern's webhooks in MailboxKit's form (``POST /api/v1/webhooks``), of the standard library alone.

    WEBHOOK_SECRET=… python scripts/examples/webhook_receiver.py 9000

It shows what every receiver has to do: verify the octets as they came, take each event once though it may be posted
again, and answer soon: work that takes long goes elsewhere.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MAX_BODY = 16 * 1024 * 1024
SECRET = os.environ.get("WEBHOOK_SECRET", "")
seen: dict[str, None] = {}


def genuine(body: bytes, signature: str) -> bool:
    """Whether the body was signed with the webhook's secret: HMAC-SHA256 in hex."""
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BODY:
            return self._answer(413)
        body = self.rfile.read(length)
        if not genuine(body, self.headers.get("X-MailboxKit-Signature", "")):
            return self._answer(401)
        event_id = self.headers.get("X-MailboxKit-Event-Id", "")
        if event_id not in seen:
            seen[event_id] = None  # a real one keeps this in its database
            self._take(json.loads(body))
        return self._answer(200)

    def _take(self, event: dict[str, object]) -> None:
        data = event["data"]
        assert isinstance(data, dict)
        print(json.dumps([event["event"], data.get("subject"), data.get("from_email")]), flush=True)

    def _answer(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    if not SECRET:
        sys.exit("set WEBHOOK_SECRET to the secret that POST /api/v1/webhooks answered")
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 9000), Receiver)
    print(json.dumps({"port": server.server_address[1]}), flush=True)
    server.serve_forever()
