"""Handing a message to its next hop, so that each recipient has a return path that nobody else sees.

Towards our own Postfix all recipients go in one transaction with the copy for Sent, which proves it (DESIGN §1.4);
Postfix puts each one's token into its return path. Elsewhere each recipient has a transaction of its own, and the copy
for Sent comes last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from gateway.outbox.queue import return_path_of
from mailserver.base import Envelope, Hop, MailServer, MailServerError, RecipientReply

_SECONDS = 20 * 60.0  # below the lease; RFC 5321 §4.5.3.2 allows 10 minutes for one reply
_SIDE_BY_SIDE = 4
NEAR = ("lmtp", "submission")
"""Hops into our own mail server, where it can be looked up whether a message arrived."""


async def hand_over(mail: MailServer, hop: Hop, envelope: Envelope) -> dict[str, RecipientReply]:
    """What the hop said, by recipient; no answer, or none in 20 minutes, is a temporary failure of that recipient.

    Towards our own mail server such a reply is ``unknown``: it may have taken the message all the same.
    """
    ends = asyncio.get_running_loop().time() + _SECONDS
    named = [one for one in hop.recipients if one in envelope.tokens]
    if hop.kind == "submission" or not named:
        return await _transmit(mail, hop, envelope, ends)
    first, *others = named
    answers = await _alone(mail, hop, envelope, first, ends)
    if answers[first].code == 421:  # nobody answers there: the others need not find out each for itself
        return dict.fromkeys(hop.recipients, answers[first])
    places = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def send(recipient: str) -> dict[str, RecipientReply]:
        async with places:
            return await _alone(mail, hop, envelope, recipient, ends)

    for one in await asyncio.gather(*map(send, others)):
        answers |= one
    rest = tuple(one for one in hop.recipients if one not in envelope.tokens)
    if rest:
        last = replace(envelope, recipients=rest, tokens={})
        answers |= await _transmit(mail, Hop(hop.kind, hop.key, rest), last, ends)
    return answers


async def _alone(
    mail: MailServer, hop: Hop, envelope: Envelope, recipient: str, ends: float
) -> dict[str, RecipientReply]:
    token = envelope.tokens[recipient]
    single = replace(
        envelope,
        recipients=(recipient,),
        mail_from=return_path_of(envelope.mail_from, token),
        token=token,
        tokens={},
    )
    return await _transmit(mail, Hop(hop.kind, hop.key, (recipient,)), single, ends)


async def _transmit(mail: MailServer, hop: Hop, envelope: Envelope, ends: float) -> dict[str, RecipientReply]:
    said: Mapping[str, RecipientReply]
    near = hop.kind in NEAR
    try:
        async with asyncio.timeout_at(ends):
            said = await mail.transmit(hop, envelope)
    except (TimeoutError, MailServerError) as error:
        failed = RecipientReply(451, "4.4.2", str(error) or "no answer in time", unknown=near)
        return dict.fromkeys(hop.recipients, failed)
    silent = RecipientReply(451, "4.4.0", "no reply for this recipient", unknown=near)
    return {one: said.get(one, silent) for one in hop.recipients}
