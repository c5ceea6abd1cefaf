"""Statements about idempotency keys. The realm of a key says whose it is."""

from __future__ import annotations

from gateway.records.idempotency import KeyedRequest
from gateway.store.sql import sql
from gateway.store.transaction import Tx


def keyed_request(tx: Tx, realm: str, key: str) -> KeyedRequest | None:
    """The request that was sent under a key."""
    return sql(tx).one(KeyedRequest, "WHERE realm = ? AND key = ?", realm, key)


def add_claim(
    tx: Tx, realm: str, key: str, *, fingerprint: str, work: str, process: str, at: int
) -> int | None:
    """Claim a key at ``at`` (µs) for a process; answers the row's id, or None when another claims it now."""
    added = sql(tx).insert(
        "idempotency",
        {
            "realm": realm,
            "key": key,
            "fingerprint": fingerprint,
            "state": "running",
            "work": work,
            "claimed_by": process,
            "created_at": at,
        },
        ignore=True,
    )
    if not added:
        return None
    return int(sql(tx).value("SELECT id FROM idempotency WHERE realm = ? AND key = ?", realm, key))


def retake_claim(tx: Tx, request: KeyedRequest, process: str, at: int) -> bool:
    """Claim a key at ``at`` (µs) whose request was given up; False when it was done or retaken since."""
    retaken = sql(tx).run(
        "UPDATE idempotency SET created_at = ?, claimed_by = ? "
        "WHERE id = ? AND state = 'running' AND created_at = ?",
        at,
        process,
        request.id,
        request.created_at,
    )
    return retaken > 0


def complete_claim(tx: Tx, claim_id: int, taken_at: int, status: int, body: str) -> bool:
    """Store the answer to a request; False when the claim of ``taken_at`` was lost."""
    done = sql(tx).run(
        "UPDATE idempotency SET state = 'done', status = ?, body = ? "
        "WHERE id = ? AND state = 'running' AND created_at = ?",
        status,
        body,
        claim_id,
        taken_at,
    )
    return done > 0


def drop_claim(tx: Tx, claim_id: int, taken_at: int) -> None:
    """Free a key whose request failed, unless the claim of ``taken_at`` was lost."""
    sql(tx).run(
        "DELETE FROM idempotency WHERE id = ? AND state = 'running' AND created_at = ?", claim_id, taken_at
    )


def remove_keyed_request(tx: Tx, request: KeyedRequest) -> None:
    """Forget a request."""
    sql(tx).run("DELETE FROM idempotency WHERE id = ?", request.id)


def unscoped_forget_requests(tx: Tx, before: int) -> None:
    """Forget every request that was claimed before ``before`` (µs)."""
    sql(tx).run("DELETE FROM idempotency WHERE created_at < ?", before)
