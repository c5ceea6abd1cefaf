"""What relays post: made from the fields that each documents."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

CERTIFICATE_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123abcd.pem"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:postern"


@lru_cache(maxsize=1)
def sns_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def sns_certificate(days: int = 30) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(sns_key().public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .sign(sns_key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def sns(message: Any, kind: str = "Notification", version: str = "2", **fields: str) -> dict[str, Any]:
    """A signed SNS message; ``fields`` replace others before it is signed."""
    found = {
        "Type": kind,
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-21T10:00:00.000Z",
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
    }
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if kind != "Notification":
        found |= {
            "Token": "2336412f37fb687f5d51e6e2425e",
            "SubscribeURL": f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}"
            "&Token=2336412f37fb687f5d51e6e2425e",
        }
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    found |= fields
    text = "".join(f"{one}\n{found[one]}\n" for one in names if one in found)
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()
    signature = sns_key().sign(text.encode(), padding.PKCS1v15(), algorithm)
    return {**found, "Signature": base64.b64encode(signature).decode()}


def ses(
    kind: str, body: dict[str, Any], ours: str = "", *, id: str = "", publishing: bool = True
) -> dict[str, Any]:
    """An event (``publishing``) or a notification of Amazon SES."""
    mail: dict[str, Any] = {
        "timestamp": "2026-11-21T10:00:00.000Z",
        "source": "agent@x.test",
        "messageId": id,
        "destination": ["bob@world.test"],
    }
    if ours:
        mail |= {"headersTruncated": False, "headers": [{"name": "Message-ID", "value": ours}]}
    name = {"Bounce": "bounce", "Complaint": "complaint", "Delivery": "delivery", "Reject": "reject"}[kind]
    return {"eventType" if publishing else "notificationType": kind, "mail": mail, name: body}


def mailgun(secret: str, event: dict[str, Any], ours: str, stamp: int | None = None) -> dict[str, Any]:
    when, token = (
        str(int(time.time()) if stamp is None else stamp),
        "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0",
    )
    signature = hmac.new(secret.encode(), f"{when}{token}".encode(), hashlib.sha256).hexdigest()
    return {
        "signature": {"timestamp": when, "token": token, "signature": signature},
        "event-data": {
            "id": "CPgfbmQMTCKtHW6uIWtuVe",
            "recipient": "bob@world.test",
            "message": {
                "headers": {"message-id": ours.strip("<>"), "to": "bob@world.test", "from": "agent@x.test"}
            },
            **event,
        },
    }


def basic(secret: str, user: str = "postern") -> str:
    return "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()
