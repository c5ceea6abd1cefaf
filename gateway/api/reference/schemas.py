"""The schemas of a dialect's request and response structs, with descriptions and examples."""

from __future__ import annotations

import inspect
import re
import typing
from typing import Any

import msgspec

from gateway.api.dialect import Dialect
from gateway.api.reference.example_bodies import BODIES
from gateway.api.reference.examples import example_of
from gateway.api.reference.words import field_words, plain
from gateway.api.routing import NoBody, NoQuery

_SCHEMAS = "#/components/schemas/"
_EXAMPLES = "#/components/examples/"
_MODULE = re.compile(r"(?<=_)gateway\.(?:\w+\.)+")
_REQUIRED = {
    "AgentMail.CreateInbox": ["username"],
    "AgentMail.CreateKey": ["name"],
    "AgentMail.CreateWebhook": ["event_types"],
    "MailboxKit.SendBody": ["to"],
}
"""Fields that the endpoint requires although they are optional in the struct."""


class Schemas:
    """The schemas of one dialect's structs. Names begin with its title, because dialects share struct names."""

    def __init__(self, dialect: Dialect) -> None:
        self.title = dialect.title
        wanted: dict[Any, None] = {}
        for one in dialect.table.endpoints:
            kinds = (one.body, one.answers, one.rows and one.rows[1])
            wanted |= dict.fromkeys(kind for kind in kinds if has_schema(kind))
        shapes, found = msgspec.json.schema_components(
            wanted, ref_template=f"{_SCHEMAS}{dialect.title}.{{name}}"
        )
        self._of = dict(zip(wanted, _short(list(shapes)), strict=True))
        self.components: dict[str, Any] = {
            f"{dialect.title}.{name}": shape
            for name, shape in {"Error": _short(dialect.error_schema), **_short(found)}.items()
        }
        self.examples: dict[str, Any] = {}
        for name, shape in self.components.items():
            _explain(name, shape)

    def shape(self, kind: Any) -> dict[str, Any]:
        """The schema of a body or answer; {} when it has none."""
        return self._of.get(kind, {}) if has_schema(kind) else {}

    def fields(self, kind: Any) -> dict[str, Any]:
        """A body's fields by name."""
        found: dict[str, Any] = self.components[name_of(self.shape(kind))]["properties"]
        return found

    def body(self, kind: Any) -> dict[str, Any]:
        """The media type of a JSON body."""
        shape = self.shape(kind)
        name = name_of(shape)
        if name not in BODIES:
            return {"schema": shape}
        return {"schema": shape, **self._example(name, BODIES[name])}

    def answer(self, shape: dict[str, Any], name: str) -> dict[str, Any]:
        """The media type of a JSON answer. ``name``: a unique name for its example."""
        if not shape:
            return {"schema": {}}
        return {"schema": shape, **self._example(f"{name}.answer", example_of(shape, self.components))}

    def _example(self, name: str, value: Any) -> dict[str, Any]:
        self.examples[name] = {"value": value}
        return {"examples": {"example": {"$ref": _EXAMPLES + name}}}


def _short(value: Any) -> Any:
    """Remove module names from the names of generic structs."""
    return msgspec.json.decode(_MODULE.sub("", msgspec.json.encode(value).decode()))


def name_of(shape: dict[str, Any]) -> str:
    """The name of the schema that ``shape`` refers to; "" when it is no reference."""
    return str(shape.get("$ref", "")).removeprefix(_SCHEMAS)


def _explain(owner: str, shape: dict[str, Any]) -> None:
    """Add the descriptions that a struct's docstring and fields lack."""
    if "description" in shape:
        shape["description"] = plain(inspect.cleandoc(shape["description"]))
    for name, field in shape.get("properties", {}).items():
        inner = next((one["description"] for one in field.get("anyOf", ()) if "description" in one), "")
        about = field.get("description") or inner or field_words(owner, name)
        if about:
            field["description"] = plain(about)
    demanded = [name for name in _REQUIRED.get(owner, ()) if name not in shape.get("required", ())]
    if demanded:
        shape["required"] = [*shape.get("required", ()), *demanded]


def query_parameters(title: str, kind: Any) -> list[dict[str, Any]]:
    """The query parameters of a struct."""
    if kind is NoQuery:
        return []
    _, found = msgspec.json.schema_components([kind])
    (whole,) = found.values()
    required = whole.get("required", ())
    parameters = []
    for name, shape in whole["properties"].items():
        about = shape.pop("description", "") or field_words(f"{title}.{kind.__name__}", name)
        parameter = {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _without_null(shape),
        }
        parameters.append(parameter | ({"description": plain(about)} if about else {}))
    return parameters


def _without_null(shape: dict[str, Any]) -> dict[str, Any]:
    """A parameter's schema without null: an absent parameter is left out."""
    if shape.get("default", "") is None:
        del shape["default"]
    kinds = [one for one in shape.get("anyOf", ()) if one.get("type") != "null"]
    if len(kinds) != 1:
        return shape
    return {**kinds[0], **{name: value for name, value in shape.items() if name != "anyOf"}}


def has_schema(kind: Any) -> bool:
    """Whether a body or answer has a schema: it is a struct, or a map of structs."""
    if kind in (None, NoBody, NoQuery, type(None)):
        return False
    origin = typing.get_origin(kind) or kind  # Page[PodView]
    if origin is dict:
        return typing.get_args(kind)[-1] is not Any
    return isinstance(origin, type) and issubclass(origin, msgspec.Struct)
