"""Refuses fields of a request body that the operation does not know.

An unknown field is ignored: clients of another version send more than we read. One that says who gets the mail is not,
in whatever spelling: a copy that silently goes to nobody, or an answer that goes to somebody else, is worse than an
error. With ``http.unknown_fields`` ``refuse`` every unknown field is refused, also in nested objects.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from inspect import isclass
from typing import Any, cast

import msgspec

from gateway.core.errors import Invalid
from gateway.settings import Settings

_SAYS_NOTHING = frozenset({b"null", b"[]", b"{}", b'""', b"false"})
_OTHER = re.compile(r"[^a-z]")
_WHO_GETS_IT = re.compile(
    r"(?:(?:|copy|send|mail|deliver|forward|additional|extra|other|envelope|rcpt)to|b?cc|rcpt"
    r"|(?:blind|carbon|blindcarbon)copy|(?:additional|extra|other|envelope)?recipients?|reply(?:to|all|toall))"
    r"(?:s|addr(?:s|ess(?:es)?)?|e?mails?|list|recipients?)?"
)
_MOST_SHOWN = 20
_SHORT = 100


def refuses(settings: Settings) -> bool:
    """Whether every unknown field is refused (``http.unknown_fields``)."""
    return settings.http.unknown_fields == "refuse"


def check_json(data: bytes, type: type[Any], every: bool) -> None:
    """Check the names of a JSON body that is decoded as ``type``. Raises Invalid naming each unknown field.

    ``every``: unknown fields that change nothing about who gets the mail are refused, too.
    """
    if not (isclass(type) and issubclass(type, msgspec.Struct)):
        return
    given, known = _object(data), _fields(type)
    strange = [name for name in given if name not in known]
    wrong = [_refused(name, type) for name in strange if _says_who(name) and _says_something(given[name])]
    if every and not wrong:
        wrong = [_unknown(path) for path in _unknown_paths(given, type, "")]
    _raise(wrong)


def check_form(names: Iterable[str], type: type[Any], every: bool) -> None:
    """The same for the names of a form's texts that are not empty."""
    unknown = [name for name in dict.fromkeys(names) if name not in _fields(type)]
    wrong = [_refused(name, type) for name in unknown if _says_who(name)]
    _raise(wrong or ([_unknown(name) for name in unknown] if every else []))


def _raise(wrong: list[Invalid]) -> None:
    if wrong:
        wrong[0].also = wrong[1:_MOST_SHOWN]
        raise wrong[0]


def _says_who(name: str) -> bool:
    return len(name) <= 100 and _WHO_GETS_IT.fullmatch(_OTHER.sub("", name.lower())) is not None


def _says_something(value: msgspec.Raw) -> bool:
    text = bytes(value)
    return len(text) > _SHORT or b"".join(text.split()) not in _SAYS_NOTHING


def _refused(name: str, type: type[Any]) -> Invalid:
    plain = _OTHER.sub("", name.lower())
    meant = next((one for one in _fields(type) if _OTHER.sub("", one.lower()) == plain), None)
    return Invalid(
        f"{name} says who gets the mail, and this operation has no such field",
        field=name,
        fix=f"write {meant}"
        if meant
        else f"take {name} out, or use an operation that has it; /docs shows the fields",
    )


def _unknown(path: str) -> Invalid:
    return Invalid(
        f"{path[:200]} is no field of this operation",
        field=path[:200],
        fix="take it out; /docs shows the fields",
    )


def _unknown_paths(given: Mapping[str, msgspec.Raw], type: type[Any], above: str) -> Iterator[str]:
    known = _fields(type)
    for name, value in given.items():
        if name not in known:
            yield above + name
            continue
        within = known[name]
        if within is None:
            continue
        for place, one in _objects(bytes(value), above + name):
            yield from _unknown_paths(one, within, f"{place}.")


def _objects(data: bytes, path: str) -> Iterator[tuple[str, dict[str, msgspec.Raw]]]:
    """The object that a value is, or the objects of the list that it is, each with its path."""
    if data.startswith(b"["):
        for number, one in enumerate(msgspec.json.decode(data, type=list[msgspec.Raw])):
            yield f"{path}[{number}]", _object(bytes(one))
    else:
        yield path, _object(data)


def _object(data: bytes) -> dict[str, msgspec.Raw]:
    """The members of a JSON object; none of anything else."""
    try:
        return _members.decode(data)
    except (msgspec.MsgspecError, RecursionError):
        return {}


_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def _fields(type: type[Any]) -> dict[str, type[Any] | None]:
    """The fields of a struct as clients write them, each with the struct that it holds, alone or in a list."""
    return _read_fields(cast(Hashable, type))


@lru_cache(maxsize=512)
def _read_fields(type: Any) -> dict[str, type[Any] | None]:
    return {one.encode_name: _struct_in(one.type) for one in msgspec.structs.fields(type)}


def _struct_in(annotation: Any) -> type[Any] | None:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Annotated, list):
        return _struct_in(arguments[0])
    if origin in (typing.Union, types.UnionType):
        found = [one for one in map(_struct_in, arguments) if one is not None]
        return found[0] if len(found) == 1 else None
    return annotation if isclass(annotation) and issubclass(annotation, msgspec.Struct) else None
