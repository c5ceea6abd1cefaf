"""Statements about registrations: organizations that their own users made lately. They are counted for the server."""

from __future__ import annotations

from typing import Literal

from gateway.records.accounts import Registration
from gateway.store.sql import sql
from gateway.store.transaction import Tx


def unscoped_lock_registrations(tx: Tx) -> None:
    """Make others that register wait for the end of this transaction: two at once would count the same."""
    if tx.postgres:  # SQLite has one writer
        sql(tx).run("LOCK TABLE registration IN SHARE ROW EXCLUSIVE MODE")


def unscoped_registration_times(
    tx: Tx, column: Literal["network", "owner"], value: str, most: int
) -> list[int]:
    """When the last ``most`` registrations of a network, or of an owner, were made (µs), the latest first."""
    rows = sql(tx).rows(
        f"SELECT created_at FROM registration WHERE {column} = ? ORDER BY created_at DESC LIMIT ?",  # noqa: S608
        value,
        most,
    )
    return [row["created_at"] for row in rows]


def add_registration(tx: Tx, registration: Registration) -> None:
    """Note a registration."""
    sql(tx).add(registration)


def unscoped_forget_registrations(tx: Tx, until: int) -> None:
    """Delete registrations that were made at ``until`` (µs) or before."""
    sql(tx).run("DELETE FROM registration WHERE created_at <= ?", until)


def unscoped_forget_registrations_outside(tx: Tx, start: int, end: int) -> None:
    """Delete registrations that were made before ``start`` or after ``end`` (µs)."""
    sql(tx).run("DELETE FROM registration WHERE created_at < ? OR created_at > ?", start, end)
