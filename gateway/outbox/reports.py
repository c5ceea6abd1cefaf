"""Reports that come back: delivery status notifications (RFC 3464) and feedback reports (RFC 5965).

A report counts only when it names something we sent and could hardly be guessed: the token of the return path it
was delivered to, or the envelope id we gave. Feedback reports come to a fixed address, so there the Message-ID of
ours (80 random bits) must do, and the report itself must not have failed authentication.
"""

from __future__ import annotations

import re

from gateway import metrics
from gateway.events.log import EventLog
from gateway.mime.addresses import normalise
from gateway.mime.types import ParsedMessage, Report, ReportedRecipient
from gateway.outbox.queue import inbox_of, token_in
from gateway.outbox.record import Teller, refresh_status
from gateway.outbox.undelivered import after_failure, note_undelivered, one_line
from gateway.store import sent_aliases
from gateway.store.engine import Row, Tx
from gateway.store.ids import now_us, own_message_ulid


def apply_report(
    tx: Tx,
    events: EventLog,
    inbox_row: Row,
    parsed: ParsedMessage,
    delivered_to: str | None,
    relay: str = "",
) -> bool:
    """Apply a report found in ``inbox_row``'s mailbox; False: it is none of ours, and nothing was changed.

    ``delivered_to``: the envelope recipient it came to (with the return path's tag). ``relay``: the host that posts
    news of deliveries itself, so that having reached it is not having been delivered.
    """
    report = parsed.report
    if report is None:
        return False
    sent = _sent_message(tx, inbox_row, parsed, report, delivered_to)
    return sent is not None and apply_news(tx, events, sent, report, relay)


def apply_news(tx: Tx, events: EventLog, sent: Row, report: Report, relay: str = "") -> bool:
    """Apply what a report says of ``sent`` (``id``, ``inbox_id``, ``message_id`` of the outbox), whoever brought it;
    False: its inbox is gone."""
    inbox = inbox_of(tx, sent["inbox_id"])
    if inbox is None:
        return False
    teller = Teller(tx, events, inbox, sent["id"])
    people = tx.rows(
        "SELECT id, address, role, state FROM outbox_recipient WHERE outbox_id = ? AND role <> 'sent' ORDER BY id",
        sent["id"],
    )
    if report.kind == "feedback":
        _complaint(tx, teller, sent, report, people)
        return True
    for one in report.recipients:
        if one.action == "relayed":  # taken by a smarthost, which may have told what it calls the message
            sent_aliases.note(tx, sent, sent_aliases.told(one.diagnostic or "", one.remote_mta or ""))
            if relay and (one.remote_mta or "").lower() == relay:
                continue
        person = _person(people, one)
        if person is not None:
            _delivery_news(tx, teller, person, one)
            if person["state"] != "bounced" and one.action in ("failed", "delayed"):
                _note(tx, inbox["address"], sent["id"], person["address"], one)
    refresh_status(tx, sent["id"])
    return True


def _sent_message(
    tx: Tx, inbox: Row, parsed: ParsedMessage, report: Report, delivered_to: str | None
) -> Row | None:
    """The outbox row the report is about, of this organization."""
    for token in (token_in(delivered_to), report.envelope_id):
        if not token:
            continue
        row = tx.row(
            "SELECT id, inbox_id, message_id FROM outbox WHERE token = ? AND organization_id = ?",
            token,
            inbox["organization_id"],
        )
        if row is not None:
            named = report.original_message_id
            # a report that carries another message's header is not about this one
            named = sent_aliases.ours(tx, row["inbox_id"], [named]).get(named, named) if named else None
            return row if (named is None or named == row["message_id"]) and _own(row) else None
    if report.kind != "feedback" or not report.original_message_id or parsed.auth.dmarc == "fail":
        return None
    ulid = own_message_ulid(report.original_message_id)
    row = tx.row(
        "SELECT id, inbox_id, message_id FROM outbox WHERE id = ? AND organization_id = ?",
        ulid,
        inbox["organization_id"],
    )
    if row is not None and row["message_id"] == report.original_message_id:
        return row
    return sent_aliases.sent_as(tx, inbox["organization_id"], report.original_message_id)


def _own(row: Row) -> bool:
    return bool(own_message_ulid(row["message_id"]) == row["id"])


def _person(people: list[Row], reported: ReportedRecipient) -> Row | None:
    """Our recipient that a block is about: by its original address first (forwarders change the final one)."""
    for address in (reported.original, reported.address):
        for row in people:
            if address and normalise(address) == normalise(row["address"]):
                return row
    return people[0] if len(people) == 1 else None


def _delivery_news(tx: Tx, teller: Teller, person: Row, one: ReportedRecipient) -> None:
    now = now_us()
    settled = {"diagnostic": (one.diagnostic or "")[:1000], "status": one.status, "remote": one.remote_mta}
    if person["state"] == "bounced":
        return  # the bad news stands; a doubled report changes nothing
    if one.action == "failed":
        tx.update("outbox_recipient", "id", person["id"], {"state": "bounced", "updated_at": now, **settled})
        tx.after_commit.append(metrics.sends.labels("bounced").inc)
        teller.sent()
        teller.bounced(person["address"], one.status, permanent=not one.status.startswith("4"), at=now)
    elif one.action in ("delivered", "relayed", "expanded"):
        # RFC 3464 §2.3.3. relayed: taken by a server that sends no success reports, as with a direct 250; expanded:
        # an alias of several took it, and no more reports follow
        if person["state"] == "delivered":
            return
        tx.update(
            "outbox_recipient", "id", person["id"], {"state": "delivered", "updated_at": now, **settled}
        )
        tx.after_commit.append(metrics.sends.labels("delivered").inc)
        teller.sent()
        teller.delivered(person["address"], now)
    elif person["state"] == "sent":
        tx.update("outbox_recipient", "id", person["id"], {"updated_at": now, **settled})


def _note(tx: Tx, inbox: str, message: str, recipient: str, one: ReportedRecipient) -> None:
    """Log what a report says was not delivered, or not yet."""
    said = one.diagnostic or ""
    code = re.match(r"[245]\d\d\b[ -]?", said)
    status = one_line(one.status, 20)
    failed = one.action == "failed"
    note_undelivered(
        tx,
        inbox=inbox,
        message=f"msg_{message}",
        recipient=recipient,
        code=int(code[0][:3]) if code else None,
        status=status,
        said=said[code.end() :] if code else said,
        remote=one.remote_mta or "",
        next_step=after_failure("message.bounced", status, permanent=not status.startswith("4"))
        if failed
        else "the server that took it tries again",
        final=failed,
    )


def _complaint(tx: Tx, teller: Teller, sent: Row, report: Report, people: list[Row]) -> None:
    now = now_us()
    named = {normalise(one) for one in report.complainants}
    who = [row["address"] for row in people if normalise(row["address"]) in named]
    if not who and len(people) == 1:
        who = [people[0]["address"]]  # most feedback loops redact the recipient
    teller.complained(report.feedback_type or "abuse", who, "/".join(sorted(who)).lower() or "unnamed", now)
    tx.run(
        "UPDATE message SET status = 'complained', updated_at = ? WHERE id = ? AND status <> 'complained'",
        now,
        sent["id"],
    )
