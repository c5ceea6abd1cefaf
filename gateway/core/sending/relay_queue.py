"""Postfix's own queue, where Postfix is the mail server: what it took from us and has not delivered yet.

The gateway may read it and ask for another attempt; giving up takes root (``postern queue drop``).
"""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound
from gateway.outbox.queue import token_in
from gateway.records.ids import MESSAGE_ID
from gateway.store.queries.outbox import unscoped_sent_with_tokens
from gateway.store.transaction import Tx
from mailserver.postfix_dovecot import PostfixServer
from mailserver.postfix_dovecot.queue import QUEUE_ID, Queued

MOST = 200
"""Messages that a list shows at the most."""


async def list_queue(core: Core) -> tuple[int, list[tuple[Queued, str | None]]]:
    """How many messages there are, and the oldest ones, each with the ``msg_…`` of what this gateway sent.
    Raises MailServerError when Postfix cannot be asked."""
    if not isinstance(core.mail, PostfixServer):
        return 0, []
    total, found = await core.mail.queued(MOST)
    tokens = {token for one in found if (token := token_in(one.sender))}
    known = await core.store.read(lambda tx: _messages(tx, tokens)) if tokens else {}
    return total, [(one, known.get(token_in(one.sender) or "")) for one in found]


async def retry(core: Core, queue_id: str) -> None:
    """Have Postfix try one message now. Raises NotFound, Invalid, MailServerError."""
    if not QUEUE_ID.fullmatch(queue_id):
        raise Invalid(
            f"{queue_id[:40]!r} is no queue id", field="queue_id", fix="GET /relay-queue lists them"
        )
    if not isinstance(core.mail, PostfixServer) or not await core.mail.is_queued(queue_id):
        raise NotFound(f"{queue_id!r} is not in Postfix's queue", fix="GET /relay-queue lists what waits")
    await core.mail.flush(queue_id)


async def retry_all(core: Core) -> int:
    """Have Postfix try its whole queue now; answers how many messages there are. Raises MailServerError."""
    if not isinstance(core.mail, PostfixServer):
        return 0
    count = (await core.mail.queue()).count
    if count:
        await core.mail.flush()
    return count


def _messages(tx: Tx, tokens: set[str]) -> dict[str, str]:
    """The public message id by the token of the return path, of what the API sent."""
    found = unscoped_sent_with_tokens(tx, tokens)
    return {token: MESSAGE_ID.public(sent.id) for token, sent in found.items() if sent.own}
