"""News that the relay posts to ``/hooks/PROFILE``: delivered, bounced, complained, as a report by mail does.

Who knows ``mail.smarthost_hook_secret`` is believed: Mailgun signs with it, the others bring it as the password of
the webhook's URL, and what comes from Amazon must be signed by SNS besides.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import json
import logging
from collections.abc import Callable
from typing import Any

from gateway.core.context import Core
from gateway.core.errors import Forbidden, Invalid, NotFound, Unavailable
from gateway.net.errors import NetError
from gateway.outbox.reports import apply_news
from gateway.records.ids import own_message_ulid
from gateway.smarthost import brevo, mailgun, postmark, ses
from gateway.smarthost.notice import Notice
from gateway.smarthost.profiles import profile_of
from gateway.smarthost.sns import Certificates, NotSns, confirmation_url
from gateway.store import sent_aliases
from gateway.store.queries.outbox import SentMessage, unscoped_sent_message
from gateway.store.transaction import Tx

log = logging.getLogger("postern.relay")

_READ: dict[str, Callable[[Any], list[Notice]]] = {
    "postmark": postmark.notices,
    "brevo": brevo.notices,
    "mailgun": mailgun.notices,
}
_PEM = 65_536
_SECONDS = 10.0


class NotTheirs(Forbidden):
    """It cannot be shown that the relay posted it."""


class RelayNews:
    """Takes what the relay posts."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._certificates = Certificates(self._fetch)

    async def take(self, name: str, authorization: str, body: bytes) -> int:
        """Apply one webhook; answers of how many messages of ours it brought news.

        Args:
            name: the profile in the URL.
            authorization: the header's value, "" when there was none.
            body: as posted.

        Raises:
            NotFound: there are no webhooks here, or not of this relay.
            NotTheirs: it cannot be shown to be the relay's.
            Invalid: it is no JSON, or not what the relay sends.
            Unavailable: Amazon's certificate or confirmation cannot be fetched now.
        """
        mail = self._core.settings.mail
        if (
            profile_of(self._core.settings).name != name
            or not mail.smarthost_hook_secret
            or not _has_hooks(name)
        ):
            raise NotFound(
                "there is no webhook here",
                fix="set mail.smarthost_profile and mail.smarthost_hook_secret",
            )
        if name != "mailgun" and not _knows(authorization, mail.smarthost_hook_secret):
            raise NotTheirs(
                "the password is missing or wrong",
                fix=f"give the relay the URL https://postern:SECRET@HOST/hooks/{name}, SECRET being "
                "mail.smarthost_hook_secret",
            )
        news = _json(body)
        if name == "mailgun" and not mailgun.signed(news, mail.smarthost_hook_secret):
            raise NotTheirs(
                "the signature is wrong or old",
                fix="mail.smarthost_hook_secret must be Mailgun's HTTP webhook signing key",
            )
        found = await self._from_amazon(news) if name == "ses" else _READ[name](news)
        if not found:
            return 0
        return await self._core.store.write(lambda tx: sum(self._apply(tx, one) for one in found))

    def _apply(self, tx: Tx, notice: Notice) -> bool:
        sent = _sent(tx, notice)
        if sent is None:
            return False
        sent_aliases.note(tx, sent, notice.alias)
        return apply_news(tx, self._core.events, sent, notice.report)

    async def _from_amazon(self, message: Any) -> list[Notice]:
        if not isinstance(message, dict):
            raise Invalid("this is no SNS message")
        try:
            await self._certificates.check(message)
            kind = message["Type"]
            if kind == "SubscriptionConfirmation":
                await self._fetch(confirmation_url(message))
                log.info("the subscription to %s is confirmed", message["TopicArn"])
                return []
        except NotSns as error:
            raise NotTheirs(
                f"this is not from Amazon SNS: {error}",
                fix="subscribe without raw message delivery",
            ) from error
        except NetError as error:
            raise Unavailable(f"Amazon SNS cannot be asked now: {error}", fix="it is tried again") from error
        return ses.notices(_json(message["Message"])) if kind == "Notification" else []

    async def _fetch(self, url: str) -> bytes:
        return (await self._core.fetcher.fetch(url, max_bytes=_PEM, timeout=_SECONDS)).body


def _has_hooks(name: str) -> bool:
    return name == "ses" or name in _READ


def _sent(tx: Tx, notice: Notice) -> SentMessage | None:
    """What we sent that it is about: by our Message-ID, else by the relay's."""
    ulid = own_message_ulid(notice.message_id) if notice.message_id else None
    if ulid is not None:
        sent = unscoped_sent_message(tx, ulid)
        if sent is not None and sent.message_id == notice.message_id:
            return sent
    sent = sent_aliases.unscoped_sent_by_relay(tx, notice.alias) if notice.alias else None
    return sent if sent is not None and sent.own else None


def _knows(authorization: str, secret: str) -> bool:
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value, validate=True).decode("utf-8").partition(":")[2]
        except (binascii.Error, UnicodeDecodeError):
            return False
    elif scheme.lower() != "bearer":
        return False
    return hmac.compare_digest(value.encode(), secret.encode())


def _json(data: bytes | str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise Invalid("the body is no JSON") from None
