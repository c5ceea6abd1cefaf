"""The log line of each delivery that failed: whose message, to whom, what the other server said, what happens next."""

from __future__ import annotations

import logging
from functools import partial

from gateway.records.simulator import is_simulated
from gateway.store.suppressions import is_hard_bounce
from gateway.store.transaction import Tx

log = logging.getLogger("postern.outbox")

_MAX_SAID = 300


def note_undelivered(
    tx: Tx,
    *,
    inbox: str | None,
    message: str,
    recipient: str,
    code: int | None,
    status: str,
    said: str,
    remote: str,
    next_step: str,
    final: bool,
) -> None:
    """Log the failure of one recipient once the transaction is committed.

    Args:
        inbox: Address of the sending inbox; None when it is not known any more.
        message: Public id (``msg_…``), or the queue's id of what a person submitted.
        code: SMTP reply code (RFC 5321 §4.2); None where a report names none.
        status: Enhanced status code (RFC 3463); may be empty.
        said: The other server's words; control characters are taken out and the rest is shortened.
        remote: The host that said so; may be empty.
        next_step: What becomes of the message now, as the end of a sentence.
        final: Nothing more is tried: a warning, otherwise for information.
    """
    text = one_line(said, _MAX_SAID)
    if status and text.startswith(status):
        text = text[len(status) :].strip()
    where = one_line(remote, 255)
    parts = (str(code or ""), status, f"from {where}:" if where else "", text)
    answer = " ".join(filter(None, parts))
    fields = {
        "inbox": inbox,
        "message_id": message,
        "recipient": recipient,
        "smtp_code": code or None,
        "smtp_status": status or None,
        "remote": where or None,
    }
    tx.after_commit.append(
        partial(
            log.log,
            logging.WARNING if final else logging.INFO,
            "%s to %s not delivered (%s): %s; %s",
            message,
            recipient,
            inbox or "unknown sender",
            answer,
            next_step,
            extra=fields,
        )
    )


def after_failure(event: str, address: str, status: str, *, permanent: bool) -> str:
    """What follows when a message of the API is given up for a recipient: ``event``, and perhaps a suppression."""
    words = f"given up, {event} is sent" if permanent else f"given up after days, {event} is sent"
    suppressed = permanent and is_hard_bounce(status) and not is_simulated(address)
    return f"{words}, the address is suppressed" if suppressed else words


def one_line(text: str, most: int) -> str:
    """What a stranger's server said, fit for a database, a JSON text and one line of a log."""
    scrubbed = "".join(c if c.isprintable() else " " for c in text[: most * 2])
    return " ".join(scrubbed.split())[:most]
