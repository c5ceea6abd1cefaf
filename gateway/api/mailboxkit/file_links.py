"""Signed URLs of attachments: a plain GET without API key, until they expire (contract, "Webhooks")."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from gateway.api.routing import Call
from gateway.core.signed_links import Link, sign_until

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class FileLinks:
    """Makes the URLs of one answer or event. ``expires``: epoch seconds; the same ``expires`` gives the same URL."""

    public_url: str
    secret: bytes
    expires: int

    def url(self, message_id: str, attachment_id: str) -> str:
        """The URL of an attachment (``att_…``) of a message (bare ULID); see ``api.downloads``."""
        token = sign_until(self.secret, Link("file", message_id, attachment_id, self.expires))
        return f"{self.public_url}{PREFIX}/files/{token}"


def file_links(call: Call[Any, Any]) -> FileLinks:
    """The links of an answer; their expiry counts from now."""
    seconds = call.core.settings.http.signed_url_seconds
    return FileLinks(call.public_url, call.core.secret, int(time.time()) + seconds)
