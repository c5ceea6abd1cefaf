"""The 402 of a send or reply that the wallet cannot pay, with its documented fields (contract, "Errors")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.api.routing import Call
from gateway.core.errors import Unpaid
from gateway.core.sending.wallet_notice import billing_url, dollars


@contextmanager
def billed(call: Call[Any, Any]) -> Iterator[None]:
    """Add the documented fields to a refusal for lack of credit."""
    try:
        yield
    except Unpaid as error:
        error.fix = None  # ``action`` says it
        error.facts = {
            "action": "Top up your wallet to continue sending.",
            "billing_url": billing_url(call.core, call.public_url),
            "docs_url": f"{call.public_url}/api-docs#billing-errors",
            "balance_mills": error.balance,
            "balance_dollars": dollars(error.balance),
            "cost_mills": error.cost,
            "cost_dollars": dollars(error.cost),
            "emails_remaining": error.remaining,
        }
        raise
