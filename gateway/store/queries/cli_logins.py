"""Statements about programs that wait for a key. They belong to nobody until somebody approves them."""

from __future__ import annotations

from typing import TypedDict, Unpack

from gateway.records.accounts import CliLogin
from gateway.records.ids import OrganizationId
from gateway.store.record_shape import plain
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_PENDING = "FROM cli_login WHERE organization_id IS NULL"


class Approval(TypedDict):
    """What the key that approves gives to the program's."""

    organization_id: OrganizationId
    permissions_json: str | None
    test: bool


def unscoped_pending_login(tx: Tx, user_code: str, now: int) -> CliLogin | None:
    """The request with this code that nobody approved and that has not expired."""
    return sql(tx).one(
        CliLogin, "WHERE user_code = ? AND expires_at > ? AND organization_id IS NULL", user_code, now
    )


def unscoped_login_with_hash(tx: Tx, digest: str, now: int) -> CliLogin | None:
    """The request, approved or not, of the program that holds what hashes to ``digest``; None when it has expired."""
    return sql(tx).one(CliLogin, "WHERE hash = ? AND expires_at > ?", digest, now)


def unscoped_pending_count(tx: Tx, network: str | None = None) -> int:
    """How many requests wait, of one network or in all."""
    if network is None:
        return int(sql(tx).value(f"SELECT count(*) {_PENDING}"))
    return int(sql(tx).value(f"SELECT count(*) {_PENDING} AND network = ?", network))


def unscoped_busiest_network(tx: Tx) -> str:
    """The network that has most requests waiting."""
    query = f"SELECT network {_PENDING} GROUP BY network ORDER BY count(*) DESC, min(created_at) LIMIT 1"
    return str(sql(tx).value(query))


def add_login(tx: Tx, login: CliLogin) -> None:
    """Note a new request."""
    sql(tx).add(login)


def approve_login(tx: Tx, login_id: str, **approval: Unpack[Approval]) -> None:
    """Let the program of this request fetch a key."""
    sql(tx).update("cli_login", "id", login_id, {name: plain(value) for name, value in approval.items()})


def remove_login(tx: Tx, login_id: str) -> None:
    """Delete a request."""
    sql(tx).run("DELETE FROM cli_login WHERE id = ?", login_id)


def unscoped_remove_expired_logins(tx: Tx, now: int) -> None:
    """Delete the requests that have expired."""
    sql(tx).run("DELETE FROM cli_login WHERE expires_at <= ?", now)


def unscoped_remove_oldest_login(tx: Tx, network: str) -> None:
    """Delete the oldest request of a network that waits."""
    sql(tx).run(
        f"DELETE FROM cli_login WHERE id = (SELECT id {_PENDING} AND network = ? ORDER BY created_at, id LIMIT 1)",  # noqa: S608
        network,
    )
