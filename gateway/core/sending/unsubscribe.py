"""One-click unsubscribe (RFC 8058): the two header fields of a send that asks for it, and what their URL means.

The URL ends in a token that names organization, message and recipient and is signed with the gateway's secret. It
does not expire and needs no row, so it works after the inbox, the message and its delivery records are gone. Whoever
unsubscribes is suppressed for the whole organization, not for one inbox: they know the sender, not its mailboxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.core import signed_text
from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.mime.addresses import normalise
from gateway.records.ids import MessageId, OrganizationId
from gateway.records.inboxes import Inbox
from gateway.store import suppressions

PATH = "/unsubscribe"
_PURPOSE = "unsubscribe link"


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants no more mail of which organization, and the message that made them (bare ULIDs)."""

    organization: OrganizationId
    message_id: MessageId
    address: str


def unsubscribe_headers(
    core: Core,
    inbox: Inbox,
    message_id: MessageId,
    recipients: Sequence[tuple[str, str]],
    given: Mapping[str, str],
) -> dict[str, str]:
    """The header fields of a message; DKIM signs both (RFC 8058 §4). ``given``: the caller's own headers.

    Raises Invalid: several recipients (the URL acts for one, and all would get the same), fields of the caller's
    own, or a server that mail programs cannot reach by https.
    """
    if len(recipients) != 1:
        raise Invalid(
            f"unsubscribe takes one recipient, this message has {len(recipients)}: its link acts for one person",
            field="unsubscribe",
            fix="send one message to each recipient, without cc and bcc",
        )
    for name in given:
        if name.lower().startswith("list-unsubscribe"):
            raise Invalid(
                f"unsubscribe writes {name} itself",
                field=f"headers.{name}",
                fix="leave out the header, or unsubscribe",
            )
    base = core.settings.http.public_url.rstrip("/")
    if not base.startswith("https://") and core.settings.profile != "development":
        raise Invalid(
            "unsubscribe needs a link that starts with https:// (RFC 8058 §3.1), and this server's does not",
            field="unsubscribe",
            fix="the operator sets http.public_url to the https:// URL that reaches this server",
        )
    token = token_of(core.secret, Wish(inbox.organization_id, message_id, recipients[0][1]))
    return {
        "List-Unsubscribe": f"<{base}{PATH}/{token}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


def token_of(secret: bytes, wish: Wish) -> str:
    """The token of a wish (``signed_text``)."""
    return signed_text.sign(
        secret, _PURPOSE, f"{wish.organization}/{wish.message_id}/{normalise(wish.address)}"
    )


def wish_of(secret: bytes, token: str) -> Wish:
    """The wish of a token. Raises NotFound for one that we did not make."""
    text = signed_text.read(secret, _PURPOSE, token)
    if text is None:
        raise NotFound("this link is not one of ours", fix="use the link of the mail, whole")
    organization, message_id, address = text.split("/", 2)
    return Wish(OrganizationId(organization), MessageId(message_id), address)


async def unsubscribe(core: Core, wish: Wish) -> None:
    """Suppress the address for the organization; once or many times is the same."""
    await core.store.write(
        lambda tx: suppressions.suppress(
            tx,
            wish.organization,
            wish.address,
            "unsub",
            reason="one-click unsubscribe",
            message_id=wish.message_id,
        )
    )
