"""The prepaid wallet of an organization (contract: MailboxKit "Errors", billing), off unless ``wallet.enabled``.

Amounts are mills, thousandths of a dollar. A message costs once, whoever and however many it goes to, and each of its
attachments costs too. It is charged in the transaction that accepts it, so that no number of sends at once
overdraws, and what is answered again under an Idempotency-Key is not charged again. A sandbox send is free. Only
sending waits for credit: receiving, reading and everything else go on at zero.

An organization that was never charged has no row yet; its balance is ``wallet.new_account_mills``.
"""

from __future__ import annotations

from dataclasses import dataclass

from gateway.core.context import Core
from gateway.core.errors import Forbidden, Invalid, NotFound, Unpaid
from gateway.records.accounts import Organization
from gateway.records.ids import ORGANIZATION_ID, OrganizationId, number_in, number_of
from gateway.settings import Wallet
from gateway.store.queries import wallets
from gateway.store.queries.audit import note_action
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.queries.organizations import unscoped_organization, unscoped_organization_ids
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

MAX_MILLS = 10**12
"""More than this is in no wallet."""


@dataclass(frozen=True, slots=True)
class Standing:
    """``balance`` and what was ``spent`` since the account was made, in mills; ``messages``: how many more it pays."""

    organization: Organization
    balance: int
    spent: int
    messages: int


def cost_of(prices: Wallet, attachments: int) -> int:
    """What a message with so many attachments costs."""
    return prices.mail_mills + attachments * prices.attachment_mills


def charge(tx: Tx, prices: Wallet, scope: Scope, attachments: int) -> None:
    """Take a message's price, in the transaction that accepts it. Raises Unpaid."""
    open_wallet(tx, prices, scope.organization)
    if not wallets.spend(tx, scope.organization, cost_of(prices, attachments)):
        raise unpaid(prices, _held(tx, prices, scope.organization)[0], attachments)


async def standing(core: Core, scope: Scope) -> Standing:
    """The wallet of the key's organization. Raises NotFound when the server charges nothing."""
    prices = _prices(core)
    return await core.store.read(lambda tx: _standing(tx, prices, _organization(tx, scope.organization)))


async def standing_of(core: Core, scope: Scope, ref: str) -> Standing:
    """As the operator, the wallet of any organization, by an id of it or an address of its inboxes.

    Raises NotFound, Forbidden.
    """
    _operator_only(scope)
    prices = _prices(core)
    return await core.store.read(lambda tx: _standing(tx, prices, _find(tx, ref)))


async def add(core: Core, scope: Scope, ref: str, mills: int) -> Standing:
    """As the operator, add to a wallet, or with a negative amount take from it what is there.

    Its owner is notified again when it is empty the next time. Raises NotFound, Forbidden, Invalid.
    """
    _operator_only(scope)
    prices = _prices(core)
    if not mills or abs(mills) > MAX_MILLS:
        raise Invalid(
            f"mills takes a whole number up to {MAX_MILLS}, not 0", field="mills", fix="correct mills"
        )

    def write(tx: Tx) -> Standing:
        organization = _find(tx, ref)
        open_wallet(tx, prices, organization.id)
        if not wallets.add_to_wallet(tx, organization.id, mills, MAX_MILLS):
            balance = _held(tx, prices, organization.id)[0]
            raise Invalid(
                f"the wallet holds {balance} mills, which cannot become {balance + mills}",
                field="mills",
                fix="correct mills",
            )
        standing = _standing(tx, prices, organization)
        facts = {"mills": mills, "balance": standing.balance}
        public = organization.public_id
        note_action(tx, "wallet", public, "added", organization=organization.id, facts=facts)
        return standing

    return await core.store.write(write)


def open_wallet(tx: Tx, prices: Wallet, organization: OrganizationId) -> None:
    """Make the wallet of an organization that was never charged."""
    wallets.open_wallet(tx, organization, prices.new_account_mills)


def _held(tx: Tx, prices: Wallet, organization: OrganizationId) -> tuple[int, int]:
    """Balance, and what was spent."""
    found = wallets.wallet_of(tx, organization)
    return (found.balance, found.spent) if found else (prices.new_account_mills, 0)


def _standing(tx: Tx, prices: Wallet, organization: Organization) -> Standing:
    balance, spent = _held(tx, prices, organization.id)
    return Standing(organization, balance, spent, balance // max(prices.mail_mills, 1))


def unpaid(prices: Wallet, balance: int, attachments: int) -> Unpaid:
    """The refusal of a send for want of credit."""
    return Unpaid(
        "Your organization does not have enough credit to send this email.",
        balance=balance,
        cost=cost_of(prices, attachments),
        remaining=balance // max(prices.mail_mills, 1),
        fix="top up the wallet; the operator of this server does it with `postern wallet add`",
    )


def _prices(core: Core) -> Wallet:
    if not core.settings.wallet.enabled:
        raise NotFound("there are no wallets: this server charges nothing", fix="set wallet.enabled")
    return core.settings.wallet


def _operator_only(scope: Scope) -> None:
    if not scope.operator:
        raise Forbidden(
            "only the operator of this server reads wallets and tops them up",
            fix="run `postern wallet` on the machine of the gateway",
        )


def _organization(tx: Tx, organization: OrganizationId) -> Organization:
    row = unscoped_organization(tx, organization)
    if row is None:
        raise NotFound("the organization of this key is gone")
    return row


def _find(tx: Tx, ref: str) -> Organization:
    """Any organization, by ``org_…``, ULID or number, or by the address of one of its inboxes."""
    found = ORGANIZATION_ID.parse(ref)
    number = number_in(ref)
    if number is not None:  # it has no column: only the operator asks, and seldom
        found = next((one for one in unscoped_organization_ids(tx) if number_of(one) == number), None)
    elif "@" in ref:
        inbox = unscoped_inbox_at(tx, ref)
        found = inbox.organization_id if inbox else None
    row = unscoped_organization(tx, found) if found else None
    if row is None:
        raise NotFound(
            f"there is no organization {ref[:320]!r}", fix="give its id (org_…), or an address of its inboxes"
        )
    return row
