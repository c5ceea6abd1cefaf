"""Statements about the wallets of organizations. One that was never charged has no row."""

from __future__ import annotations

from gateway.records.ids import OrganizationId, now_us
from gateway.records.wallets import Wallet
from gateway.store.sql import sql
from gateway.store.transaction import Tx


def wallet_of(tx: Tx, organization: OrganizationId) -> Wallet | None:
    """The wallet of an organization, if it has one."""
    return sql(tx).one(Wallet, "WHERE organization_id = ?", organization)


def open_wallet(tx: Tx, organization: OrganizationId, balance: int) -> None:
    """Make the wallet of an organization that was never charged."""
    row = {
        "organization_id": organization,
        "balance": balance,
        "spent": 0,
        "told_at": None,
        "updated_at": now_us(),
    }
    sql(tx).insert("wallet", row, ignore=True)


def spend(tx: Tx, organization: OrganizationId, mills: int) -> bool:
    """Take ``mills`` from a wallet; False when it holds less."""
    paid = sql(tx).run(
        "UPDATE wallet SET balance = balance - ?, spent = spent + ?, updated_at = ? "
        "WHERE organization_id = ? AND balance >= ?",
        mills,
        mills,
        now_us(),
        organization,
        mills,
    )
    return paid > 0


def add_to_wallet(tx: Tx, organization: OrganizationId, mills: int, most: int) -> bool:
    """Add ``mills`` (or take them) to a wallet, whose owner is notified again when it is empty the next time; False
    when it would hold less than nothing or more than ``most``."""
    added = sql(tx).run(
        "UPDATE wallet SET balance = balance + ?, told_at = NULL, updated_at = ? "
        "WHERE organization_id = ? AND balance + ? BETWEEN 0 AND ?",
        mills,
        now_us(),
        organization,
        mills,
        most,
    )
    return added > 0


def claim_notice(tx: Tx, organization: OrganizationId) -> bool:
    """Whether the owner is to be notified now that the wallet is empty: once until it is topped up."""
    done = sql(tx).run(
        "UPDATE wallet SET told_at = ? WHERE organization_id = ? AND told_at IS NULL", now_us(), organization
    )
    return done > 0
