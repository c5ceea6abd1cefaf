"""Reads query parameters into a struct. An error names the parameter that is wrong.

A list may be a JSON array (``labels=["a","b"]``, as both official SDKs write it), repeated (``labels=a&labels=b``) or
a single word. An empty value counts as absent. Unknown parameters are ignored.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Hashable
from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

import msgspec

from gateway.api.errors import from_msgspec
from gateway.core.errors import Invalid

T = TypeVar("T")

MAX_FIELDS = 1000
MAX_NUMBER = 10**15
_NUMBER = re.compile(r"[+-]?[0-9]{1,400}")
_YES, _NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})


def parse_query(text: bytes | str, type: type[T]) -> T:
    """Decode a raw query string as the struct ``type``. Raises Invalid naming the parameter."""
    raw = text.decode("latin-1") if isinstance(text, bytes) else text
    try:
        pairs = parse_qsl(raw, keep_blank_values=False, errors="replace", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Invalid("the query has too many parameters", field="query") from None
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.removesuffix("[]"), []).append(value.replace("\x00", ""))
    values: dict[str, Any] = {}
    for name, kind in _kinds(cast(Hashable, type)):
        given = found.get(name)
        if not given:
            continue
        if kind == "list":
            values[name] = _words(name, given)
        elif kind == "int":
            values[name] = _number(name, given[-1])
        elif kind == "bool":
            values[name] = _flag(name, given[-1])
        else:
            values[name] = given[-1]
    try:
        return msgspec.convert(values, type)
    except msgspec.ValidationError as error:
        raise from_msgspec(error) from error


@lru_cache(maxsize=256)
def _kinds(type: Any) -> list[tuple[str, str]]:
    return [(field.encode_name, _kind(field.type)) for field in msgspec.structs.fields(type)]


def _kind(annotation: Any) -> str:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        return _kind(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        kinds = {_kind(one) for one in typing.get_args(annotation) if one is not types.NoneType}
        kinds.discard("other")
        return kinds.pop() if kinds else "text"
    if origin in (list, tuple, set, frozenset):
        return "list"
    return {int: "int", bool: "bool", str: "text"}.get(annotation, "text" if origin else "other")


def _words(name: str, given: list[str]) -> list[str]:
    words: list[str] = []
    for one in given:
        if not one.lstrip().startswith("["):
            words.append(one)
            continue
        try:
            words += msgspec.json.decode(one.encode("utf-8", "replace"), type=list[str])
        except (msgspec.MsgspecError, RecursionError):
            if one.rstrip().endswith("]"):
                raise Invalid(
                    f"{name} is not a JSON array of strings", field=name, fix=f'write {name}=["a","b"]'
                ) from None
            words.append(one)
    return words


def _number(name: str, text: str) -> int:
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        raise Invalid(f"{name} takes a whole number", field=name, fix=f"write {name}=1, for instance")
    return max(-MAX_NUMBER, min(int(text), MAX_NUMBER))


def whole_number(value: object) -> int | None:
    """A whole number of at least 0 from a number or its text, cut to 20 digits; None for anything else."""
    text = str(value).strip().removeprefix("+")
    if not (text.isascii() and text.isdigit()):
        return None
    return int(text[:400].lstrip("0")[:20] or 0)


def _flag(name: str, text: str) -> bool:
    low = text.strip().lower()
    if low not in _YES | _NO:
        raise Invalid(f"{name} takes true or false", field=name, fix=f"write {name}=true")
    return low in _YES
