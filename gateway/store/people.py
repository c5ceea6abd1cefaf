"""Addresses as columns hold them: JSON pairs ``[name, email]``. ``records.mail`` reads them."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.mime.types import Address
from gateway.store.json_columns import dump


def people_json(people: Iterable[Address]) -> str:
    """JSON text of a list of addresses."""
    return dump([[one.name, one.email] for one in people])
