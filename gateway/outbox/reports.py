"""Reports that come back: delivery status notifications (RFC 3464), bounces in prose, feedback reports (RFC 5965).

A report counts for what it proves, and for nobody else. The token of a recipient's return path, or envelope id, is
known to that recipient's servers alone: what comes to it speaks of that recipient only, whatever it names. The token
of a message is known to all its recipients: it proves something where there is one, and in what our own mail server
wrote (whoever is outside gets a Received field on top). Mails sent before each recipient had a token have only that.

Feedback reports also count by the return path of the mail that they carry, and, where a message has one recipient, by
its Message-ID (80 random bits).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway import metrics
from gateway.events.log import EventLog
from gateway.mime.addresses import normalise
from gateway.mime.types import ParsedMessage, Report, ReportedRecipient
from gateway.outbox.queue import token_in
from gateway.outbox.record import DeliveryEvents, refresh_status
from gateway.outbox.undelivered import after_failure, note_undelivered, one_line
from gateway.records.ids import MESSAGE_ID, MessageId, OrganizationId, now_us, own_message_ulid
from gateway.records.inboxes import Inbox
from gateway.records.outbox import OutboxRecipient, RecipientState
from gateway.store import sent_aliases
from gateway.store.queries import outbox
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.queries.outbox import RecipientReply, SentMessage
from gateway.store.queries.outbox_replies import add_reply
from gateway.store.queries.sent_messages import set_complained
from gateway.store.suppressions import type_of_feedback
from gateway.store.transaction import Tx

_LMTP = re.compile(r"from \S+ (?:\(\[[^\]\s]*\]\) )?by \S+ with LMTP ")
_OURS = re.compile(r"by \S+ \(Postfix\) id \S+; ")


class _Proof(NamedTuple):
    """The message a report is about, and the recipients (row ids) that it may speak of."""

    sent: SentMessage
    people: frozenset[int]


def apply_report(
    tx: Tx,
    events: EventLog,
    inbox: Inbox,
    parsed: ParsedMessage,
    delivered_to: str | None,
    relay: str = "",
) -> bool:
    """Apply a report found in ``inbox``'s mailbox; False: it is none of ours, and nothing was changed.

    ``delivered_to``: the envelope recipient it came to (with the return path's tag). ``relay``: the host that posts
    news of deliveries itself, so that having reached it is not having been delivered.
    """
    report = parsed.report
    if report is None:
        return False
    proof = _proof(tx, inbox.organization_id, parsed, report, delivered_to)
    if proof is None or not proof.people:
        return False
    return apply_news(tx, events, proof.sent, report, relay, proof.people)


def _proof(
    tx: Tx, organization: OrganizationId, parsed: ParsedMessage, report: Report, delivered_to: str | None
) -> _Proof | None:
    at = token_in(delivered_to)
    if report.words:
        # prose: only where nobody else writes to, and only as bounces are sent (RFC 5321 §4.5.5)
        proof = _by_token(tx, organization, at, parsed) if at and parsed.return_path == "" else None
        return proof if proof and len(proof.people) == 1 and _about(tx, proof.sent, report) else None
    named = [at, report.envelope_id]
    if report.kind == "feedback":
        named += [token_in(one) for one in report.original_senders]
    for token in named:
        proof = _by_token(tx, organization, token, parsed) if token else None
        if proof is not None:
            # a report that carries another message's header is not about this one
            return proof if _about(tx, proof.sent, report) else None
    if report.kind == "feedback" and report.original_message_id and parsed.auth.dmarc != "fail":
        return _by_message_id(tx, organization, report.original_message_id)
    return None


def _by_token(tx: Tx, organization: OrganizationId, token: str, parsed: ParsedMessage) -> _Proof | None:
    found = outbox.sent_to_token(tx, organization, token)
    if found is not None:
        sent, person = found
        return _Proof(sent, frozenset([person])) if sent.own else None
    message = outbox.sent_with_token(tx, organization, token)
    if message is None or not message.own:
        return None
    people = outbox.people_ids(tx, message.id)
    return _Proof(message, people if len(people) == 1 or _made_here(parsed) else frozenset())


def _by_message_id(tx: Tx, organization: OrganizationId, message_id: str) -> _Proof | None:
    sent = outbox.sent_message(tx, organization, own_message_ulid(message_id))
    if sent is None or sent.message_id != message_id:
        sent = sent_aliases.sent_as(tx, organization, message_id)
    if sent is None or not sent.own:
        return None
    people = outbox.people_ids(tx, sent.id)
    return _Proof(sent, people) if len(people) == 1 else None


def _about(tx: Tx, sent: SentMessage, report: Report) -> bool:
    named = report.original_message_id
    if named is None or named == sent.message_id:
        return True
    return bool(sent_aliases.ours(tx, sent.inbox_id, [named]).get(named) == sent.message_id)


def _made_here(parsed: ParsedMessage) -> bool:
    """Whether our own Postfix wrote the mail (bounce(8)): then its topmost Received field, below the one that Dovecot
    adds, names no client; whatever came by SMTP has one that does."""
    fields = [value for name, value in parsed.headers.items() if name.lower() == "received"]
    lines = [" ".join(line.split()) for line in fields[0].split("\n")] if fields else []
    if lines and _LMTP.match(lines[0]):
        lines = lines[1:]
    return parsed.return_path == "" and bool(lines) and _OURS.match(lines[0]) is not None


def apply_news(
    tx: Tx,
    events: EventLog,
    sent: SentMessage,
    report: Report,
    relay: str = "",
    only: frozenset[int] | None = None,
) -> bool:
    """Apply what a report says of ``sent``, whoever brought it; False: its inbox is gone. ``only``: the recipients
    (row ids) it may speak of; None for all of them."""
    inbox = unscoped_lasting_inbox(tx, sent.inbox_id)
    if inbox is None:
        return False
    delivery_events = DeliveryEvents(tx, events, inbox, sent.id)
    everyone = outbox.people_of(tx, sent.id)
    people = [row for row in everyone if only is None or row.id in only]
    if report.kind == "feedback":
        _complaint(tx, delivery_events, sent, report, people)
        return True
    for one in report.recipients:
        if one.action == "relayed":  # taken by a smarthost, which may have said what it calls the message
            sent_aliases.note(
                tx, sent, sent_aliases.relay_message_id(one.diagnostic or "", one.remote_mta or "")
            )
            if relay and (one.remote_mta or "").lower() == relay:
                continue
        person = _person(people, one, everyone, words=report.words)
        if person is not None:
            _delivery_news(tx, delivery_events, person, one)
            if person.state != "bounced" and one.action in ("failed", "delayed"):
                _note(tx, inbox.address, sent.id, person.address, one)
    refresh_status(tx, sent.id)
    return True


def _person(
    people: list[OutboxRecipient],
    reported: ReportedRecipient,
    everyone: list[OutboxRecipient],
    *,
    words: bool,
) -> OutboxRecipient | None:
    """Our recipient that a block is about: by its original address first (forwarders change the final one).

    An address that is none of ``everyone`` means the only recipient of a message. It may be meant by ``words``, or by
    a block without an address, where the report can speak of one recipient only; else it is somebody the recipient
    forwards to, and says nothing about an address of ours.
    """
    for address in (reported.original, reported.address):
        for row in everyone:
            if address and normalise(address) == normalise(row.address):
                return row if row in people else None
    alone = len(people) == 1 and (len(everyone) == 1 or words or not reported.address)
    return people[0] if alone else None


def _delivery_news(
    tx: Tx, delivery_events: DeliveryEvents, person: OutboxRecipient, one: ReportedRecipient
) -> None:
    now = now_us()
    settled: RecipientReply = {
        "diagnostic": (one.diagnostic or "")[:1000],
        "status": one.status,
        "remote": one.remote_mta,
        "updated_at": now,
    }
    if person.state == "bounced":
        return  # the failure is recorded; a doubled report changes nothing
    if one.action == "failed":
        _keep(tx, person, one, "bounced", now)
        outbox.change_recipient(tx, person.id, state="bounced", **settled)
        tx.after_commit.append(metrics.sends.labels("bounced").inc)
        delivery_events.sent()
        delivery_events.bounced(person.address, one.status, permanent=not one.status.startswith("4"), at=now)
    elif one.action in ("delivered", "relayed", "expanded"):
        # RFC 3464 §2.3.3. relayed: taken by a server that sends no success reports, as with a direct 250; expanded:
        # an alias of several took it, and no more reports follow
        if person.state == "delivered":
            return
        _keep(tx, person, one, "delivered", now)
        outbox.change_recipient(tx, person.id, state="delivered", **settled)
        tx.after_commit.append(metrics.sends.labels("delivered").inc)
        delivery_events.sent()
        delivery_events.delivered(person.address, now)
    elif person.state == "sent":  # delayed: the server that took it tries again
        _keep(tx, person, one, "sent", now)
        outbox.change_recipient(tx, person.id, **settled)
        delivery_events.delayed(person.address, one.status, now)


def _keep(tx: Tx, person: OutboxRecipient, one: ReportedRecipient, state: RecipientState, now: int) -> None:
    add_reply(
        tx,
        person.outbox_id,
        person.address,
        "report",
        state,
        now,
        status=one_line(one.status, 20),
        said=one_line(one.diagnostic or "", 1000),
        remote=one_line(one.remote_mta or "", 255),
    )


def _note(tx: Tx, inbox: str, message: MessageId, recipient: str, one: ReportedRecipient) -> None:
    """Log what a report says was not delivered, or not yet."""
    said = one.diagnostic or ""
    code = re.match(r"[245]\d\d\b[ -]?", said)
    status = one_line(one.status, 20)
    failed = one.action == "failed"
    note_undelivered(
        tx,
        inbox=inbox,
        message=MESSAGE_ID.public(message),
        recipient=recipient,
        code=int(code[0][:3]) if code else None,
        status=status,
        said=said[code.end() :] if code else said,
        remote=one.remote_mta or "",
        next_step=after_failure("message.bounced", recipient, status, permanent=not status.startswith("4"))
        if failed
        else "the server that took it tries again",
        final=failed,
    )


def _complaint(
    tx: Tx, delivery_events: DeliveryEvents, sent: SentMessage, report: Report, people: list[OutboxRecipient]
) -> None:
    kind = report.feedback_type or "abuse"
    if type_of_feedback(kind) is None:
        return  # not-spam, auth-failure, virus: nobody complains (RFC 5965 §3.1, RFC 6430, RFC 6591)
    now = now_us()
    named = {normalise(one) for one in report.complainants}
    who = [row.address for row in people if normalise(row.address) in named]
    if not who and len(people) == 1:
        who = [people[0].address]  # most feedback loops redact the recipient
    delivery_events.complained(kind, who, "/".join(sorted(who)).lower() or "unnamed", now)
    set_complained(tx, sent.id)
