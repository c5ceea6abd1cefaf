"""Links that open one thing for a while without a key: what and until when, signed (``signed_text``)."""

from __future__ import annotations

import time
from dataclasses import dataclass

from gateway.core import signed_text
from gateway.core.errors import Forbidden

_PURPOSE = "download link"


@dataclass(frozen=True, slots=True)
class Link:
    """``kind``: ``raw`` or ``file`` (of a message), ``draft`` (file of a draft). ``expires``: epoch seconds."""

    kind: str
    id: str
    part: str
    expires: int


def sign(secret: bytes, kind: str, id: str, part: str, seconds: int) -> tuple[str, int]:
    """(token, expiry in epoch seconds) of a link that works for ``seconds``."""
    expires = int(time.time()) + seconds
    return sign_until(secret, Link(kind, id, part, expires)), expires


def sign_until(secret: bytes, link: Link) -> str:
    """The token of a link that ends at a given time: the same link is the same token."""
    return signed_text.sign(secret, _PURPOSE, f"{link.kind}/{link.id}/{link.part}/{link.expires}")


def verify(secret: bytes, token: str) -> Link:
    """The link of a token. Raises Forbidden for one that was altered or has expired."""
    text = signed_text.read(secret, _PURPOSE, token)
    if text is None:
        raise Forbidden(
            "this link was altered", code="invalid_signature", fix="ask the API for a fresh download_url"
        )
    kind, id, part, expires = text.split("/")
    link = Link(kind, id, part, int(expires))
    if link.expires < time.time():
        raise Forbidden(
            "this link has expired", code="link_expired", fix="ask the API for a fresh download_url"
        )
    return link
