"""Putting what the simulator answers into the outbox, in the transaction that records what it took.

An answer goes to the mailbox of the inbox that wrote, and to nobody else, whatever Reply-To says. A day allows an inbox
so many: two programs that answer each other come to an end even where nothing else stops them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

from gateway.events.payload import message_texts
from gateway.outbox.queue import enqueue, return_path_of
from gateway.outbox.simulator.answers import ANSWERING, Original, answer_to
from gateway.outbox.simulator.behaviour import behaviour_of
from gateway.records.ids import OUTBOX_ID
from gateway.records.simulator import SIMULATOR_DOMAIN
from gateway.store import daily_counts
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.queries.outbox import mime_of
from gateway.store.queries.outbox_claims import Job
from gateway.store.transaction import Tx

log = logging.getLogger("postern.outbox")


class Taken(NamedTuple):
    """A recipient of the simulator that took the mail just now, by its row id. ``token``: as in ``Recipient``."""

    id: int
    address: str
    token: str


def come_back(tx: Tx, job: Job, taken: Sequence[Taken], answers_per_day: int) -> bool:
    """Queue what comes back from ``taken``; answers whether anything does. A bounce mail is never answered."""
    asked = [(one, behaviour) for one in taken if (behaviour := behaviour_of(one.address)) is not None]
    asked = [(one, behaviour) for one, behaviour in asked if behaviour.kind in ANSWERING]
    inbox = unscoped_lasting_inbox(tx, job.inbox_id) if asked and job.mail_from else None
    if inbox is None:
        return False
    raw, text = mime_of(tx, job.id) or b"", message_texts(tx, job.id).text if job.own else None
    queued = False
    for one, behaviour in asked:
        original = Original(
            raw=raw,
            recipient=one.address.lower(),
            mail_from=return_path_of(job.mail_from, one.token),
            to=inbox.address if job.own else job.mail_from,
            token=one.token or job.token,
            text=text or "",
            at=job.created_at,
        )
        # from what is answered: the same however often it is made
        message_id = f"<sim_{job.id}.{one.id}@{SIMULATOR_DOMAIN}>"
        try:
            answer = answer_to(original, behaviour, message_id)
        except ValueError:  # what was taken stays taken
            log.exception("the simulator cannot answer %s", job.id)
            continue
        if answer is None or daily_counts.counted(tx, job.inbox_id, "simulated") >= answers_per_day:
            continue
        daily_counts.count(tx, job.inbox_id, "simulated", 1)
        outbox_id = OUTBOX_ID.derived(job.created_at, job.id, str(one.id))
        enqueue(
            tx,
            outbox_id=outbox_id,
            organization_id=job.organization_id,
            inbox_id=job.inbox_id,
            mail_from=answer.mail_from,
            message_id=answer.message_id,
            token=outbox_id,
            mime=answer.raw,
            recipients=[(answer.recipient, "to")],
        )
        queued = True
    return queued
