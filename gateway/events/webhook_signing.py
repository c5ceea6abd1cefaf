"""Signing webhook requests so that every receiver's library can verify them.

The scheme is Standard Webhooks 1.0, which is also Svix's: HMAC-SHA256 over ``id.timestamp.body``, base64, tagged
``v1``. Both sets of header names are sent. While a secret is being replaced, the header carries one signature for
each, separated by spaces, and a receiver accepts the request if any of them fits. The two older dialects sign in
hexadecimal, with the secret's text as the key; their headers hold one signature, so the newest secret makes it.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets as randomness
from collections.abc import Sequence

_PREFIX = "whsec_"
_KEY_BYTES = 24
_ID = re.compile(r"[\x21-\x2d\x2f-\x7e]{1,256}")


def new_secret() -> str:
    """Make a secret: ``whsec_`` and 24 random bytes in base64 (the least Standard Webhooks asks for; no padding)."""
    return _PREFIX + base64.b64encode(randomness.token_bytes(_KEY_BYTES)).decode("ascii")


def sign(secrets: str | Sequence[str], event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Make the headers that sign one attempt.

    Args:
        secrets: one secret, or several during a rotation, the newest first.
        event_id: the same on every attempt; printable ASCII without a dot, which separates the signed parts.
        timestamp: Unix seconds of this attempt; receivers refuse what is over five minutes off.
        body: the very bytes that are sent.

    Returns:
        ``webhook-id``, ``webhook-timestamp``, ``webhook-signature`` and the same under ``svix-``.

    Raises:
        ValueError: no secret, or an event id that could not be signed without ambiguity.
    """
    given = [secrets] if isinstance(secrets, str) else list(secrets)
    if not given:
        raise ValueError("a webhook needs a secret to be signed with")
    if not _ID.fullmatch(event_id):
        raise ValueError("an event id is 1 to 256 printable ASCII characters without a dot")
    content = b"%s.%d.%s" % (event_id.encode("ascii"), timestamp, body)
    signatures = " ".join(
        "v1," + base64.b64encode(_mac(key_of(one), content)).decode("ascii") for one in given
    )
    values = {"id": event_id, "timestamp": str(timestamp), "signature": signatures}
    return {f"{scheme}-{name}": value for scheme in ("webhook", "svix") for name, value in values.items()}


def sign_openmail(secret: str, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """OpenMail's headers: lower-case hex HMAC-SHA256 of ``timestamp.body``, no prefix."""
    return {
        "X-Event-Id": event_id,
        "X-Timestamp": str(timestamp),
        "X-Signature": _mac(secret.encode(), b"%d.%s" % (timestamp, body)).hex(),
    }


def sign_mailboxkit(secret: str, event_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """MailboxKit's headers: lower-case hex HMAC-SHA256 of the body alone, under both names its clients read.

    That signature does not cover the id and the time, which are sent for deduplication only.
    """
    signature = _mac(secret.encode(), body).hex()
    return {
        "X-MailboxKit-Event-Id": event_id,
        "X-MailboxKit-Timestamp": str(timestamp),
        "X-MailboxKit-Signature": signature,
        "X-Signature": signature,
    }


def key_of(secret: str) -> bytes:
    """The HMAC key in a secret: its base64 decoded; of a secret in no such form, the UTF-8 text itself."""
    text = secret.removeprefix(_PREFIX)
    try:
        return base64.b64decode(text, validate=True) or secret.encode()
    except (binascii.Error, ValueError):
        # brought along from elsewhere; a delivery must not stop over it
        return secret.encode()


def _mac(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")
