"""Which addresses that a mail names are those of an inbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.records.inboxes import Inbox
from gateway.store.queries.aliases import own_among, put_alias
from gateway.store.transaction import Tx
from tests.support.filled_store import FilledStore

pytestmark = pytest.mark.anyio


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[FilledStore]:
    made = FilledStore(tmp_path)
    yield made
    made.close()


async def own(filled: FilledStore, inbox: Inbox, *addresses: str) -> set[str]:
    return set(await filled.store.read(lambda tx: own_among(tx, inbox, addresses)))


async def test_its_own_address_in_every_spelling_and_with_any_tag(filled: FilledStore) -> None:
    inbox = filled.inbox("box@own.test")
    mine = ["box@own.test", "BOX@Own.test", "box+a@own.test", "Box+a+b@own.test"]
    others = ["boxer@own.test", "box@other.test", "other@own.test", "", "box", "@own.test", "a b@own.test"]
    assert await own(filled, inbox, *mine, *others) == set(mine)
    assert await own(filled, inbox) == set()


async def test_a_longer_name_that_somebody_has_is_his(filled: FilledStore) -> None:
    inbox, longer = filled.inbox("box@own.test"), filled.inbox("box+a@own.test")
    assert await own(filled, inbox, "box+a@own.test", "box+a+b@own.test", "box+b@own.test") == {
        "box+b@own.test"
    }
    assert await own(filled, longer, "box+a@own.test", "box+a+b@own.test", "box@own.test") == {
        "box+a@own.test",
        "box+a+b@own.test",
    }


async def test_aliases_and_what_the_catch_all_takes(filled: FilledStore) -> None:
    inbox, other = filled.inbox("box@own.test"), filled.inbox("other@xn--bcher-kva.test")

    def aliases(tx: Tx) -> None:
        put_alias(tx, inbox.organization_id, "sales@own.test", [inbox.id])
        put_alias(tx, inbox.organization_id, "team@own.test", [inbox.id, other.id])
        put_alias(tx, inbox.organization_id, "theirs@own.test", [other.id])
        put_alias(tx, inbox.organization_id, "@xn--bcher-kva.test", [inbox.id])
        put_alias(tx, inbox.organization_id, "no@xn--bcher-kva.test", [])

    await filled.store.write(aliases)
    named = ["sales@own.test", "Sales+x@own.test", "team@own.test", "theirs@own.test", "nobody@own.test"]
    assert await own(filled, inbox, *named) == set(named[:3])
    caught = [
        "who@xn--bcher-kva.test",
        "who+x@bücher.test",
        "no@bücher.test",
        other.address,
        "other+x@bücher.test",
    ]
    assert await own(filled, inbox, *caught) == set(caught[:2])
    assert await own(filled, other, *caught, *named) == {other.address, "other+x@bücher.test", *named[2:4]}


async def test_a_mail_with_endless_names_is_asked_about_once(filled: FilledStore) -> None:
    inbox = filled.inbox("box@own.test")
    mine = [f"box+{number}{'+x' * 25}@own.test" for number in range(1000)]
    assert await own(filled, inbox, *mine) == set(mine)
