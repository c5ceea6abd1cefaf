"""Columns with a default that the table has too, so that SQL of ours may leave them out."""

from __future__ import annotations

from typing import Any

from peewee import SQL, IntegerField, TextField


def flag(default: int = 0) -> Any:
    """A small whole number, 0 or 1 mostly."""
    return IntegerField(default=default, constraints=[SQL(f"DEFAULT {default}")])


def text(default: str) -> Any:
    """Text that is never null."""
    return TextField(default=default, constraints=[SQL(f"DEFAULT '{default}'")])
