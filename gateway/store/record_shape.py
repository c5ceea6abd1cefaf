"""How rows become records: which columns, in which order, and which of them are not the value itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import NoneType
from typing import Any, Generic, TypeVar, get_args, get_type_hints

from gateway.records.base import Record, Secret
from gateway.store.sealing import Sealer

R = TypeVar("R", bound=Record)


@dataclass(frozen=True, slots=True)
class Shape(Generic[R]):
    """``columns``: what to SELECT; ``flags`` and ``secrets``: positions of bool and Secret fields."""

    kind: type[R]
    names: tuple[str, ...]
    columns: str
    flags: tuple[int, ...]
    secrets: tuple[int, ...]

    def make(self, row: Sequence[Any], sealer: Sealer | None) -> R:
        """The record of a row of ``columns``."""
        if not (self.flags or self.secrets):
            return self.kind(*row)
        values = list(row)
        for at in self.flags:
            if values[at] is not None:
                values[at] = bool(values[at])
        for at in self.secrets:
            if values[at] is not None:
                opened = values[at] if sealer is None else sealer.open(self.names[at], values[at])
                values[at] = Secret(opened)
        return self.kind(*values)

    def row(self, record: R) -> dict[str, Any]:
        """Column values of a record, to be written."""
        return {name: plain(getattr(record, name)) for name in self.names}


def plain(value: Any) -> Any:
    """A field's value as a column takes it."""
    if isinstance(value, bool):
        return int(value)
    return value.reveal() if isinstance(value, Secret) else value


@cache
def shape_of(kind: type[R]) -> Shape[R]:
    """The shape of a kind of record."""
    hints = get_type_hints(kind)
    names: tuple[str, ...] = kind.__struct_fields__
    types = {
        name: {one for one in get_args(hints[name]) or (hints[name],) if one is not NoneType}
        for name in names
    }
    return Shape(
        kind,
        names,
        ", ".join(f'{kind.table}."{name}"' for name in names),
        tuple(at for at, name in enumerate(names) if types[name] == {bool}),
        tuple(at for at, name in enumerate(names) if types[name] == {Secret}),
    )
