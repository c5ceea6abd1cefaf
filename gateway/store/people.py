"""Addresses as the message rows hold them: JSON pairs ``[name, email]``."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.mime.types import Address
from gateway.store.json_columns import dump, load


def people_json(people: Iterable[Address]) -> str:
    """JSON text of a list of addresses."""
    return dump([[one.name, one.email] for one in people])


def people_of(text: str | None) -> list[Address]:
    """The addresses of a ``*_json`` column."""
    return [Address(name, email) for name, email in load(text) or []]


def person_of(text: str | None) -> Address | None:
    """The one address of ``from_json``."""
    pair = load(text)
    return None if pair is None else Address(pair[0], pair[1])


def emails_of(text: str | None) -> list[str]:
    """The bare addr-specs of a ``*_json`` column."""
    return [email for _, email in load(text) or []]


def sender_text(text: str | None) -> str:
    """``Name <addr>`` of ``from_json``; empty when there is no sender."""
    one = person_of(text)
    return "" if one is None else str(one)
