"""Each event type has a renderer in every dialect that sends it, in no other, and for the facts that it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from gateway.api.agentmail import events_view as agentmail
from gateway.api.mailboxkit import events_view as mailboxkit
from gateway.api.openmail import events_view as openmail
from gateway.records.event_types import EVENT_TYPES, Dialect, Facts, facts_of
from tests.events.samples import sample_event

RENDERERS: Mapping[Dialect, Mapping[str, Callable[..., object]]] = {
    "agentmail": agentmail.RENDERERS,
    "openmail": openmail.RENDERERS,
    "mailboxkit": mailboxkit.RENDERERS,
}


def test_every_dialect_is_compared() -> None:
    assert set(RENDERERS) == set(get_args(Dialect))


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_type_has_a_renderer_in_the_dialects_that_send_it_and_in_no_other(name: str) -> None:
    having = {dialect for dialect, renderers in RENDERERS.items() if name in renderers}
    assert having == EVENT_TYPES[name].dialects


@pytest.mark.parametrize("dialect", RENDERERS)
def test_renderers_take_the_facts_of_their_type(dialect: Dialect) -> None:
    for name, show in RENDERERS[dialect].items():
        (taken,) = (kind for kind in get_type_hints(show).values() if _is_facts(kind))
        assert taken is EVENT_TYPES[name].facts, name


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_type_is_sent_by_somebody_and_takes_a_permission(name: str) -> None:
    one = EVENT_TYPES[name]
    assert one.name == name
    assert one.dialects
    assert one.permissions
    assert all(permission.endswith("_read") for permission in one.permissions)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_facts_are_read_back_as_they_were_written(name: str) -> None:
    facts = _made(EVENT_TYPES[name].facts)
    assert facts_of(sample_event(name, facts)) == facts


def _is_facts(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Facts)


def _made(kind: type[Facts]) -> Any:
    """Facts with something in every field that must be given."""
    return msgspec.convert(_values(kind), kind)


def _values(kind: type[Any]) -> dict[str, Any]:
    return {one.encode_name: _value(one.type) for one in msgspec.structs.fields(kind) if one.required}


def _value(kind: Any) -> Any:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _values(kind)
    plain: dict[Any, Any] = {str: "x", int: 1}
    kind = getattr(kind, "__supertype__", kind)  # an id is text
    return plain.get(kind, [] if get_origin(kind) is list else None)
