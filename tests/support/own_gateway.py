"""A gateway of its own for a module or a test: the process harness, the foreign mail server it sends through,
and short ways to the API.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.foreign_server import ForeignServer, foreign_server
from tests.support.gateway_process import GatewayProcess, Server
from tests.support.servers import data_directory, dovecot_missing, postfix_missing


def missing(server: str) -> str | None:
    """Why this mail server cannot run here, or None."""
    return postfix_missing() if server == "postfix_dovecot" else dovecot_missing()


@dataclass
class OwnGateway(GatewayProcess):
    """A gateway whose outgoing mail goes to ``foreign``."""

    foreign: ForeignServer = field(default_factory=ForeignServer)
    domain: str = "postern.test"

    @property
    def base(self) -> str:
        return self.base_url

    @property
    def key(self) -> str:
        return self.api_key

    @property
    def smtp_port(self) -> int:
        return self.port("smtp")

    @property
    def api(self) -> httpx.Client:
        """A client of /api/v0 with the quickstart key. Close it, or use ``with``."""
        return self.organization.client()

    def crash(self) -> None:
        """SIGKILL, without waiting for what is left behind: a Postfix of ours goes on until the next start ends it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET that must succeed."""
        return self.organization.call("GET", path, params=query)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of a POST that must succeed."""
        return self.organization.call("POST", path, json=body, headers=headers)

    def new_inbox(self, username: str | None = None) -> dict[str, Any]:
        return self.organization.new_inbox(username)

    def messages(self, inbox: str, **query: Any) -> list[dict[str, Any]]:
        """Every message of an inbox, over all pages, newest first."""
        rows: list[dict[str, Any]] = []
        token = None
        with self.api as client:
            while True:
                paging = {"page_token": token} if token else {}
                answer = client.get(f"inboxes/{inbox}/messages", params={"limit": 100, **paging, **query})
                assert answer.status_code == 200, answer.text
                page = answer.json()
                rows += page["messages"]
                token = page.get("next_page_token")
                if not token:
                    return rows


@contextmanager
def start_gateway(server: Server = "embedded", **settings: Any) -> Iterator[OwnGateway]:
    """A started gateway; settings are dotted names with ``__`` for the dot."""
    with (
        tempfile.TemporaryDirectory(prefix="postern-e2e-") as folder,
        data_directory(Path(folder)) as data,
        foreign_server() as foreign,
    ):
        settings = {
            "mail__smarthost": f"127.0.0.1:{foreign.port}",
            "mail__smarthost_tls": "none",
            "webhooks__retry_scale": 0.01,
            **settings,
        }
        own_gateway = OwnGateway(data, server, settings, foreign=foreign)
        try:
            own_gateway.start()
            yield own_gateway
        finally:
            if own_gateway.process is not None and own_gateway.process.poll() is None:
                own_gateway.stop()
