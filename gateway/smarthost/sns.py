"""Amazon SNS: whether a message is SNS's, by its signature, and confirming a subscription."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

Fetch = Callable[[str], Awaitable[bytes]]

_HOST = r"https://sns\.[a-z0-9-]{2,30}\.amazonaws\.com(?:\.cn)?"
_CERTIFICATE = re.compile(_HOST + r"/SimpleNotificationService-[A-Za-z0-9]{1,100}\.pem")
_CONFIRM = re.compile(_HOST + r"/\?Action=ConfirmSubscription&[A-Za-z0-9&=:._~%+-]{1,2000}")
_FIELDS = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}
_FIELDS["UnsubscribeConfirmation"] = _FIELDS["SubscriptionConfirmation"]
_MOST_KEPT = 20


class NotSns(Exception):
    """The message is not signed by Amazon SNS; the text says what is wrong."""


class Certificates:
    """Amazon's signing keys, fetched from Amazon only and kept by URL."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._kept: dict[str, x509.Certificate] = {}

    async def check(self, message: Mapping[str, Any]) -> None:
        """Raises NotSns unless SNS signed every field that matters."""
        fields = _FIELDS.get(str(message.get("Type")))
        hash_of = {"1": hashes.SHA1, "2": hashes.SHA256}.get(str(message.get("SignatureVersion")))
        if fields is None or hash_of is None:
            raise NotSns("it has no type or signature that is known")
        lines = [f"{name}\n{message[name]}\n" for name in fields if isinstance(message.get(name), str)]
        if len(lines) < len(fields) - ("Subject" in fields):
            raise NotSns("a signed field is missing")
        try:
            signature = base64.b64decode(str(message.get("Signature")), validate=True)
        except (binascii.Error, ValueError):
            raise NotSns("the signature is not base64") from None
        certificate = await self._certificate(str(message.get("SigningCertURL")))
        key = certificate.public_key()
        if not isinstance(key, rsa.RSAPublicKey):
            raise NotSns("the certificate has no RSA key")
        try:
            key.verify(signature, "".join(lines).encode(), padding.PKCS1v15(), hash_of())
        except InvalidSignature:
            raise NotSns("the signature is wrong") from None

    async def _certificate(self, url: str) -> x509.Certificate:
        if not _CERTIFICATE.fullmatch(url):
            raise NotSns("the certificate is not at an address of Amazon SNS")
        found = self._kept.get(url)
        if found is None:
            try:
                found = x509.load_pem_x509_certificate(await self._fetch(url))
            except ValueError:
                raise NotSns("there is no certificate at the address") from None
        if not found.not_valid_before_utc <= datetime.now(UTC) <= found.not_valid_after_utc:
            self._kept.pop(url, None)
            raise NotSns("the certificate is not valid now")
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[url] = found
        return found


def confirmation_url(message: Mapping[str, Any]) -> str:
    """Where a subscription is confirmed, by fetching it. Raises NotSns when that is not at Amazon SNS."""
    url = str(message.get("SubscribeURL"))
    if not _CONFIRM.fullmatch(url):
        raise NotSns("SubscribeURL is not an address of Amazon SNS")
    return url
