"""A webhook endpoint on loopback, in threads of its own."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook

from tests.support.waiting import until


@dataclass(frozen=True)
class Post:
    """One request the endpoint took. ``at`` is time.time(), in seconds."""

    at: float
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value

    @property
    def type(self) -> str:
        return str(self.json["event_type"])

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Endpoint:
    """A webhook endpoint. ``answer`` gives the status for a post (default 200), or status and headers."""

    answer: Callable[[Post], int | tuple[int, dict[str, str]]] = lambda post: 200
    posts: list[Post] = field(default_factory=list)
    url: str = ""

    def of(self, *types: str) -> list[Post]:
        """The posts of these event types, in order of arrival."""
        return [one for one in list(self.posts) if one.type in types]

    def wait(self, event_type: str, count: int = 1, timeout: float = 20.0) -> list[Post]:
        """Wait for ``count`` posts of a type."""
        until(
            lambda: len(self.of(event_type)) >= count,
            timeout,
            f"{count} {event_type} wanted, seen {Counter(one.type for one in self.posts)}",
        )
        return self.of(event_type)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A gateway killed in the middle of a post is no news."""


@contextmanager
def webhook_endpoint() -> Iterator[Endpoint]:
    """A started endpoint on a free port."""
    endpoint = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            post = Post(time.time(), self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            endpoint.posts.append(post)
            answer = endpoint.answer(post)
            status, headers = answer if isinstance(answer, tuple) else (answer, {})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            content = b"fetched by its address"
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    server = _Server(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def verified(post: Post, secret: str) -> dict[str, Any]:
    """The payload, when the official library accepts its signature; raises WebhookVerificationError."""
    value: dict[str, Any] = Webhook(secret).verify(post.body, post.headers)
    return value
