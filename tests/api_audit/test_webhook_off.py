"""A webhook that the gateway switches off: its inbox is written to, and what happens meanwhile waits for its return."""

from __future__ import annotations

import json
import smtplib
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.waiting import until


class Endpoint:
    def __init__(self) -> None:
        self.status = 410
        self.taken: list[str] = []
        self.url = ""


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    one = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            event: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if one.status < 300:
                one.taken.append(event["message"]["subject"])
            self.send_response(one.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{server.server_port}/hook?token=hidden"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def mail(gateway: GatewayProcess, to: str, subject: str) -> None:
    with smtplib.SMTP("127.0.0.1", gateway.port("smtp")) as smtp:
        name = f"<{uuid.uuid4().hex}@far.example>"
        head = f"From: a@far.example\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: {name}\r\n"
        smtp.sendmail("a@far.example", [to], f"{head}\r\nx\r\n")


def test_its_inbox_is_written_to_and_what_happens_waits(tmp_path: Path) -> None:
    with running_gateway(tmp_path, webhooks__retry_scale=0.01) as gateway, endpoint() as end:
        home = gateway.new_organization()
        first, second = home.new_inbox(), home.new_inbox()
        hook = home.call(
            "POST",
            "webhooks",
            json={"url": end.url, "event_types": ["message.received"], "inbox_ids": [second["inbox_id"]]},
        )["webhook_id"]
        mail(gateway, second["email"], "n0")

        def notices() -> list[dict[str, Any]]:
            path = f"inboxes/{first['inbox_id']}/messages"
            return [one for one in home.call("GET", path)["messages"] if hook in one["subject"]]

        until(lambda: len(notices()) == 1)
        assert home.call("GET", f"webhooks/{hook}")["enabled"] is False
        text = home.call("GET", f"inboxes/{first['inbox_id']}/messages/{notices()[0]['message_id']}")["text"]
        for part in (
            "410 Gone",
            '"enabled": true',
            f"/api/v0/webhooks/{hook}",
            "/hook\n",
            "10000 events",
            "30 days",
        ):
            assert part in text.replace("\r", ""), part
        assert "hidden" not in text
        for n in range(1, 8):
            mail(gateway, second["email"], f"n{n}")
        path = f"inboxes/{second['inbox_id']}/messages"
        until(lambda: len(home.call("GET", path)["messages"]) == 8)
        gateway.kill()
        gateway.start()
        end.status = 200
        assert end.taken == []
        home.call("PATCH", f"webhooks/{hook}", json={"enabled": True})
        until(lambda: len(end.taken) == 8)
        assert sorted(end.taken) == [f"n{n}" for n in range(8)]
        events = [
            one["message"]["subject"]
            for one in home.call("GET", "events?limit=100&ascending=true")["events"]
            if one.get("message")
        ]
        assert end.taken == [one for one in events if one.startswith("n")], "the order of the log"
        mail(gateway, second["email"], "n8")
        until(lambda: end.taken[-1] == "n8")
        assert len(notices()) == 1


def test_one_that_its_owner_switches_off_hears_nothing_of_that_time(tmp_path: Path) -> None:
    with running_gateway(tmp_path, webhooks__retry_scale=0.01) as gateway, endpoint() as end:
        end.status = 200
        home = gateway.new_organization()
        inbox = home.new_inbox()
        hook = home.call("POST", "webhooks", json={"url": end.url, "event_types": ["message.received"]})[
            "webhook_id"
        ]
        home.call("PATCH", f"webhooks/{hook}", json={"enabled": False})
        mail(gateway, inbox["email"], "unheard")
        path = f"inboxes/{inbox['inbox_id']}/messages"
        until(lambda: len(home.call("GET", path)["messages"]) == 1)
        home.call("PATCH", f"webhooks/{hook}", json={"enabled": True})
        mail(gateway, inbox["email"], "heard")
        until(lambda: end.taken == ["heard"])
        assert len(home.call("GET", path)["messages"]) == 2, "and nobody was written to"
