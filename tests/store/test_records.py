"""Records in the database: what is written is read again, on both engines, and secrets neither print nor lie open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin, get_type_hints

import msgspec
import pytest
from peewee import AutoField, BigAutoField

from gateway.mime.dkim_sign import Signing
from gateway.records.base import Record, Secret
from gateway.records.domains import Domain
from gateway.store.dkim_keys import active_key
from gateway.store.engine import Store
from gateway.store.migrate import migrate
from gateway.store.queries.domains import add_domain, change_domain, unscoped_domain
from gateway.store.sealing import PREFIX, Sealer
from gateway.store.sql import sql
from tests.architecture.test_records import KINDS, TABLES

OPEN = "-readable-"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A fresh database of each engine, with a key for its secrets."""
    if request.param == "sqlite":
        url = f"sqlite:{tmp_path_factory.mktemp('records') / 'one.db'}"
    else:
        url = request.getfixturevalue("postgres").new_database()
    store = Store(url, sealer=Sealer(b"k" * 32))
    migrate(store)
    store.start()
    yield store
    store.close()


def some(kind: type[Record]) -> Record:
    """A record whose fields all have a value."""
    hints = get_type_hints(kind)
    return kind(**{name: _some(name, hints[name]) for name in kind.__struct_fields__})


def _some(name: str, hint: Any) -> Any:
    if get_origin(hint) is Literal:
        return get_args(hint)[-1]
    of = next((one for one in get_args(hint) if one is not type(None)), hint)
    if get_origin(of) is Literal:
        return get_args(of)[-1]
    of = getattr(of, "__supertype__", of)  # an id is a string
    return {str: f"a {name}", int: 3, bool: True, bytes: b"octets", Secret: Secret(f"{OPEN} {name}")}[of]


def whole(kind: type[Record]) -> bool:
    """Whether a row can be written from the record alone."""
    fields = TABLES[kind.table]._meta.sorted_fields
    made = (AutoField, BigAutoField)
    needed = {one.column_name for one in fields if not (one.null or isinstance(one, made) or one.constraints)}
    return needed <= set(kind.__struct_fields__)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if whole(kind)], ids=lambda kind: kind.__name__)
def test_a_record_that_is_written_is_read_again(store: Store, kind: type[Record]) -> None:
    written = some(kind)
    store.write_now(lambda tx: sql(tx).run(f"DELETE FROM {kind.table}"))  # another kind's
    store.write_now(lambda tx: sql(tx).add(written))
    [read] = store.read_now(lambda tx: sql(tx).all(kind))
    assert read == written
    assert [type(getattr(read, name)) for name in kind.__struct_fields__] == [
        type(getattr(written, name)) for name in kind.__struct_fields__
    ]
    assert OPEN not in repr(read)


def test_the_key_of_a_domain_is_encrypted_and_prints_nowhere(store: Store) -> None:
    store.write_now(lambda tx: sql(tx).run("DELETE FROM domain"))
    domain = some(Domain)
    assert isinstance(domain, Domain)
    domain = msgspec.structs.replace(domain, name="shop.example", dkim_private=Secret(f"{OPEN} one"))
    store.write_now(lambda tx: add_domain(tx, domain))
    store.write_now(
        lambda tx: change_domain(
            tx, "shop.example", dkim_private=Secret(f"{OPEN} two"), feedback_enabled=False
        )
    )
    kept = store.read_now(lambda tx: sql(tx).value("SELECT dkim_private FROM domain"))
    assert kept.startswith(PREFIX)
    found = store.read_now(lambda tx: unscoped_domain(tx, "shop.example"))
    assert found is not None
    assert found.dkim_private.reveal() == f"{OPEN} two"
    assert found.feedback_enabled is False
    signing = store.read_now(lambda tx: active_key(tx, "mail.shop.example"))
    assert signing == Signing("shop.example", domain.dkim_selector, f"{OPEN} two")
    assert OPEN not in repr((found, signing, msgspec.structs.asdict(found)))
