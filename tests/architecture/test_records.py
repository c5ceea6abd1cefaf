"""Records are what their tables are: a field is a column, a flag a column of 0 and 1, a secret an encrypted column.
And the type checker sees a name that is none of them, and an id of another kind."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_type_hints

import pytest
from peewee import IntegerField

import gateway.records
from gateway.records.base import Record, Secret
from gateway.store.models import DERIVED, KEPT
from gateway.store.sealing import SEALED

ROOT = Path(__file__).resolve().parents[2]
TABLES: dict[str, Any] = {model._meta.table_name: model for model in (*KEPT, *DERIVED)}

MISTAKES = """
from gateway.records.ids import MESSAGE_ID
from gateway.records.inboxes import Inbox
from gateway.records.mail import MessageItem
from gateway.store.transaction import Tx
from gateway.store.queries.inboxes import change_inbox
from gateway.store.queries.messages import unscoped_mail


def show(inbox: Inbox) -> None:
    print(inbox.adress)  # attr-defined


def make(inbox: Inbox) -> Inbox:
    return Inbox(adress=inbox.address)  # call-arg


def change(tx: Tx, inbox: Inbox) -> None:
    change_inbox(tx, inbox.id, display_name="Shop", quota=None)
    change_inbox(tx, inbox.id, disply_name="Shop")  # call-arg
    change_inbox(tx, inbox.id, status="asleep")  # arg-type


def is_asleep(inbox: Inbox) -> bool:
    return inbox.status == "asleep"  # comparison-overlap


def read(tx: Tx, message: MessageItem) -> None:
    unscoped_mail(tx, message.id)
    unscoped_mail(tx, message.thread_id)  # arg-type
    unscoped_mail(tx, MESSAGE_ID.public(message.id))  # arg-type
    MESSAGE_ID.public(message.thread_id)  # call-overload
"""
"""Lines with a comment are wrong; the comment is the error's code."""


def kinds() -> Iterator[type[Record]]:
    """Every kind of record."""
    for module in pkgutil.iter_modules(gateway.records.__path__, "gateway.records."):
        importlib.import_module(module.name)
    waiting = Record.__subclasses__()
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("gateway."):
            yield kind


def field_types(kind: type[Record]) -> dict[str, set[Any]]:
    """The types of each field; NoneType among them where it may be None."""
    hints = get_type_hints(kind)
    return {name: set(get_args(hints[name]) or (hints[name],)) for name in kind.__struct_fields__}


KINDS = sorted(kinds(), key=lambda kind: (kind.__module__, kind.__name__))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_fields_of_a_record_are_columns(kind: type[Record]) -> None:
    columns = {field.column_name: field for field in TABLES[kind.table]._meta.sorted_fields}
    types = field_types(kind)
    assert types.keys() <= columns.keys(), "fields that are no columns"
    optional = {name for name, of in types.items() if NoneType in of}
    assert {name for name in types if columns[name].null} <= optional, "columns that may be null"
    flags = {name for name, of in types.items() if bool in of}
    assert {name for name in flags if not isinstance(columns[name], IntegerField)} == set(), (
        "flags that are text"
    )
    secrets = {name for name, of in types.items() if Secret in of}
    assert secrets == types.keys() & SEALED.get(kind.table, ()), "secrets are the encrypted columns"


@pytest.mark.parametrize("table", SEALED)
def test_encrypted_columns_are_columns(table: str) -> None:
    assert set(SEALED[table]) <= {field.column_name for field in TABLES[table]._meta.sorted_fields}


def test_the_type_check_finds_misspelt_names_and_wrong_ids(tmp_path: Path) -> None:
    module = tmp_path / "mistakes.py"
    module.write_text(MISTAKES)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--cache-dir", str(tmp_path / "cache"), "--no-pretty", str(module)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    wanted = {
        (number, code)
        for number, line in enumerate(MISTAKES.splitlines(), start=1)
        if (code := line.partition("# ")[2])
    }
    shown = re.findall(r"^\S*mistakes\.py:(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE)
    assert {(int(number), code) for number, code in shown} == wanted, done.stdout + done.stderr
