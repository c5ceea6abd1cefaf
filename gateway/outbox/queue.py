"""The rows of the outbox: writing, claiming and putting them back, inside the caller's transaction."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from gateway.store.engine import LARGE, Row, Tx
from gateway.store.ids import now_us, own_message_ulid
from gateway.store.leases import living_processes
from gateway.store.queries.inboxes import unscoped_lasting_inbox

FAR = 1 << 62
"""``next_at`` of settled rows, so that the index of what is due never walks over them."""
LEASE_US = 30 * 60 * 1_000_000
CLOCKS_APART_US = 60 * 1_000_000
"""How far the clocks of machines that share a database may be apart."""
MAX_LOCAL_PART = 64  # RFC 5321 §4.5.3.1.1
_TOKEN_CHARS = 16
_TAIL = re.compile(
    r"\+b-([a-z2-7]{16})(?:\+verp-([a-z2-7]{16})-.*|\+.*\+verp-([a-z2-7]{16})=.*|\+.*=.*)?\Z", re.S
)


@dataclass(frozen=True, slots=True)
class Recipient:
    """An unsettled recipient of a claimed message. ``doubtful``: an attempt's outcome was never recorded; ``token``:
    names it in its return path, empty where the message's own does."""

    id: int
    address: str
    role: str
    doubtful: bool
    token: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed message and its unsettled recipients. ``own``: accepted through the API (it has a message row);
    ``by``: the process that claimed it."""

    id: str
    organization_id: str
    inbox_id: str
    mail_from: str
    message_id: str
    token: str
    size: int
    attempts: int
    created_at: int
    recipients: tuple[Recipient, ...]
    by: str = ""

    @property
    def own(self) -> bool:
        return own_message_ulid(self.message_id) == self.id


def token_of(secret: bytes, outbox_id: str, recipient: str = "") -> str:
    """The token that names a message, or one recipient of it, in a return path and ENVID: lower-case base 32, 80 bits
    of HMAC."""
    named = outbox_id.encode() + (b"\x00" + recipient.lower().encode() if recipient else b"")
    digest = hmac.digest(secret, b"return-path\x00" + named, hashlib.sha256)
    return base64.b32encode(digest[:10]).decode().lower()[:_TOKEN_CHARS]


def recipient_tokens(secret: bytes, outbox_id: str, recipients: Iterable[str]) -> dict[str, str]:
    """A token for each of several recipients. A message to one alone needs none but its own: nobody else sees it."""
    people = list(dict.fromkeys(one.lower() for one in recipients))
    return {one: token_of(secret, outbox_id, one) for one in people} if len(people) > 1 else {}


def return_path(address: str, token: str) -> str:
    """``local+b-TOKEN@domain``; the plain address where that would be longer than a local part may be."""
    local, _, domain = address.rpartition("@")
    tagged = f"{local}+b-{token}"
    return f"{tagged}@{domain}" if len(tagged.encode()) <= MAX_LOCAL_PART else address


def return_path_of(mail_from: str, token: str) -> str:
    """The return path of one recipient: ``mail_from`` of its message with the recipient's token in it, or unchanged
    where ``mail_from`` has no token."""
    local, mark, rest = mail_from.rpartition("+b-")
    return f"{local}+b-{token}@{rest.rpartition('@')[2]}" if mark and token else mail_from


def token_in(address: str | None) -> str | None:
    """The token inside an address made by ``return_path`` or ``return_path_of``, or by a mail server from it, which
    appends the recipient (VERP): ``+b-TOKEN+verp-RECIPIENT_TOKEN-user=host`` and ``+b-TOKEN+user+verp-…=host`` name
    the recipient."""
    local = (address or "").strip().strip("<>").rpartition("@")[0].lower()
    found = _TAIL.search(local)
    return (found[2] or found[3] or found[1]) if found else None


def enqueue(
    tx: Tx,
    *,
    outbox_id: str,
    organization_id: str,
    inbox_id: str,
    mail_from: str,
    message_id: str,
    token: str,
    mime: bytes,
    recipients: Iterable[tuple[str, str]],
    delivered: bool = False,
    tokens: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Write a message and its (address, role) recipients; an address named twice is one recipient.

    ``tokens``: as ``recipient_tokens`` gives them.
    ``delivered``: nothing is to be sent (a sandbox send); the rows are only kept.
    """
    now = now_us()
    tx.insert(
        "outbox",
        {
            "id": outbox_id,
            "organization_id": organization_id,
            "inbox_id": inbox_id,
            "mail_from": mail_from,
            "message_id": message_id,
            "token": token,
            "mime": b"" if len(mime) > LARGE else mime,
            "size": len(mime),
            "state": "done" if delivered else "queued",
            "next_at": FAR if delivered else now,
            "attempts": 0,
            "claimed_until": None,
            "created_at": now,
            "updated_at": now,
        },
    )
    if len(mime) > LARGE:
        tx.keep_octets("outbox", "mime", outbox_id, mime)
    seen: set[str] = set()
    for address, role in recipients:
        if address.lower() in seen:
            continue
        seen.add(address.lower())
        tx.insert(
            "outbox_recipient",
            {
                "outbox_id": outbox_id,
                "address": address,
                "role": role,
                "state": "delivered" if delivered else "queued",
                "attempts": 0,
                "updated_at": now,
                "token": tokens.get(address.lower()) if role != "sent" else None,
            },
        )


def claim(tx: Tx, limit: int, by: str = "") -> list[Job]:
    """Take up to ``limit`` due messages until the lease ends, and mark their recipients ``attempting``. ``by``: this
    process, where there are several."""
    now = now_us()
    skip = " FOR UPDATE SKIP LOCKED" if tx.postgres else ""
    rows = tx.rows(
        "UPDATE outbox SET claimed_until = ?, claimed_by = ?, next_at = ?, attempts = attempts + 1, updated_at = ? "  # noqa: S608
        "WHERE id IN (SELECT id FROM outbox WHERE next_at <= ? AND state = 'queued' "
        f"ORDER BY next_at LIMIT ?{skip}) "
        "RETURNING id, organization_id, inbox_id, mail_from, message_id, token, size, attempts, created_at",
        now + LEASE_US,
        by,
        now + LEASE_US,
        now,
        now,
        limit,
    )
    if not rows:
        return []
    marks = ", ".join("?" * len(rows))
    ids = [row["id"] for row in rows]
    by_id: dict[str, list[Recipient]] = {one: [] for one in ids}
    for one in tx.rows(
        "SELECT id, outbox_id, address, role, state, token FROM outbox_recipient "  # noqa: S608
        f"WHERE outbox_id IN ({marks}) AND state IN ('queued', 'attempting') ORDER BY id",
        *ids,
    ):
        by_id[one["outbox_id"]].append(
            Recipient(
                one["id"], one["address"], one["role"], one["state"] == "attempting", one["token"] or ""
            )
        )
    tx.run(
        "UPDATE outbox_recipient SET state = 'attempting', attempts = attempts + 1, updated_at = ? "  # noqa: S608
        f"WHERE outbox_id IN ({marks}) AND state = 'queued'",
        now,
        *ids,
    )
    rows.sort(key=lambda row: row["created_at"])
    return [Job(**row, recipients=tuple(by_id[row["id"]]), by=by) for row in rows]


def put_back(tx: Tx, job: Job, untried: Sequence[Recipient]) -> None:
    """These recipients were claimed but not tried; what was in doubt before stays so."""
    for one in untried if is_ours(tx, job) else ():
        if not one.doubtful:
            tx.run(
                "UPDATE outbox_recipient SET state = 'queued', attempts = attempts - 1 "
                "WHERE id = ? AND state = 'attempting'",
                one.id,
            )


def release(tx: Tx, job: Job, next_at: int, *, tried: bool) -> None:
    """Give up the claim; the message is due again at ``next_at``."""
    if not is_ours(tx, job):
        return
    tx.run(
        "UPDATE outbox SET claimed_until = NULL, next_at = ?, attempts = attempts - ?, updated_at = ? "
        "WHERE id = ? AND state = 'queued'",
        next_at,
        0 if tried else 1,
        now_us(),
        job.id,
    )


def recover(tx: Tx) -> int:
    """The claims of a process that is gone are void: what it held is due now. Answers how many.

    Only where one process owns the outbox; elsewhere ``recover_dead``.
    """
    return tx.run(
        "UPDATE outbox SET claimed_until = NULL, next_at = ? WHERE state = 'queued' AND claimed_until IS NOT NULL",
        now_us(),
    )


def dead_claims(tx: Tx) -> list[Row]:
    """Messages with the process that claimed them (``id``, ``claimed_by``), of processes that do not live."""
    living = {row["id"] for row in living_processes(tx)}
    claimed = tx.rows(
        "SELECT id, claimed_by FROM outbox WHERE next_at < ? AND state = 'queued' AND claimed_until IS NOT NULL",
        FAR,
    )
    return [row for row in claimed if row["claimed_by"] not in living]


def recover_dead(tx: Tx, of: Collection[str] | None = None) -> int:
    """The same for the claims of processes that do not live any more (``store.leases``), on PostgreSQL.

    ``of``: only of these processes. Answers how many.
    """
    dead = dead_claims(tx)
    return sum(
        tx.run(
            "UPDATE outbox SET claimed_until = NULL, next_at = ? WHERE id = ? AND state = 'queued' "
            "AND claimed_until IS NOT NULL AND claimed_by = ?",
            now_us(),
            row["id"],
            row["claimed_by"],
        )
        for row in dead
        if of is None or row["claimed_by"] in of
    )


def recover_lost(tx: Tx, by: str, held: Collection[str]) -> int:
    """The claims of this process that it knows nothing of: the answer to ``claim`` was lost with the database, or the
    work on the message failed. They are due now. ``held``: the ids it works on. Answers how many."""
    claimed = tx.rows(
        "SELECT id FROM outbox WHERE next_at < ? AND state = 'queued' AND claimed_until IS NOT NULL "
        "AND claimed_by = ?",
        FAR,
        by,
    )
    return sum(
        tx.run("UPDATE outbox SET claimed_until = NULL, next_at = ? WHERE id = ?", now_us(), row["id"])
        for row in claimed
        if row["id"] not in held
    )


def recover_from_clock(tx: Tx) -> int:
    """What waits for a time that was reckoned with a clock that was ahead of today's is due now. Answers how many.

    Every change of a row notes when it was made: one of the future shows that the clock was set back since.
    """
    now = now_us()
    return tx.run(
        "UPDATE outbox SET next_at = ?, updated_at = ? WHERE next_at > ? AND next_at < ? AND state = 'queued' "
        "AND claimed_until IS NULL AND updated_at > ?",
        now,
        now,
        now,
        FAR,
        now + CLOCKS_APART_US,
    )


def is_ours(tx: Tx, job: Job) -> bool:
    """Whether the claim still stands: else another process took ours for dead, and it is that one's."""
    return bool(
        tx.value(
            "SELECT 1 FROM outbox WHERE id = ? AND state = 'queued' AND claimed_by = ? AND attempts = ?",
            job.id,
            job.by,
            job.attempts,
        )
    )


def next_due(tx: Tx) -> int | None:
    """When the next queued message is due (µs)."""
    value = tx.value("SELECT min(next_at) FROM outbox WHERE next_at < ?", FAR)
    return None if value is None else int(value)


def waiting(tx: Tx) -> int:
    """How many messages are not settled."""
    return int(tx.value("SELECT count(*) FROM outbox WHERE next_at < ?", FAR))


def mime_of(tx: Tx, outbox_id: str) -> bytes | None:
    """The message's octets; None when it is gone or settled."""
    return tx.octets("SELECT mime FROM outbox WHERE id = ?", outbox_id)


def load(tx: Tx, job: Job) -> tuple[bytes, str] | None:
    """A message's octets and its inbox's address; None when either is gone, or the claim."""
    if not is_ours(tx, job):
        return None
    inbox = unscoped_lasting_inbox(tx, job.inbox_id)
    data = mime_of(tx, job.id) if inbox is not None else None
    return None if inbox is None or data is None else (data, str(inbox.address))


def drop(tx: Tx, job: Job) -> None:
    """Its inbox is gone or going, and takes what it had not sent along."""
    if unscoped_lasting_inbox(tx, job.inbox_id) is None:
        tx.run("DELETE FROM outbox_recipient WHERE outbox_id = ?", job.id)
        tx.run("DELETE FROM outbox WHERE id = ?", job.id)
