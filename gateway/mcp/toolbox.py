"""Declaring tools, and calling one.

A tool is a typed function in a :class:`Toolbox`; its arguments are a struct, its description is its docstring::

    @box.tool("Read a message", access=reads("message_read"), read_only=True)
    async def read_message(call: Call[ReadMessage]) -> Answer:
        \"\"\"What a model reads when it chooses a tool.\"\"\"
"""

from __future__ import annotations

import inspect
import logging
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from gateway.api.errors import Internal, core_error, from_msgspec
from gateway.core.access import Access, check
from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.mcp.errors import refusal
from gateway.mcp.schema import Schema, input_schema
from gateway.store.scope import Scope

log = logging.getLogger("postern.mcp")


class Arguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every tool's arguments. A field that is null or left out has its default."""


A = TypeVar("A", bound=Arguments)

Progress = Callable[[float, float, str], Awaitable[None]]
"""Tells the client how far a call is: done, of how much, in words. Nothing happens when it did not ask."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the reach of the key, the ``inbox`` named for the connection (any id, or an address), how the client
    reaches us, and the name it was given when it came, by which its calls are told from those of others."""

    scope: Scope
    inbox: str | None
    public_url: str
    request_id: str
    session: str | None = None


@dataclass(frozen=True, slots=True)
class Call(Generic[A]):
    """One call, checked and decoded."""

    core: Core
    caller: Caller
    tool: str
    args: A
    progress: Progress

    @property
    def scope(self) -> Scope:
        return self.caller.scope


@dataclass(frozen=True, slots=True)
class Answer:
    """A result: ``text`` for the model, ``data`` for programs. ``error``: the call was not done."""

    text: str
    data: dict[str, Any] = field(default_factory=dict)
    error: bool = False


Handler = Callable[[Call[Any]], Awaitable[Answer]]
_H = TypeVar("_H", bound=Handler)


@dataclass(frozen=True, slots=True)
class Tool:
    """A declared tool. The four flags are MCP's annotations of the same names."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    handler: Handler
    access: Access
    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool

    @property
    def schema(self) -> Schema:
        return input_schema(self.arguments)


class Toolbox:
    """The tools of one module; ``include`` joins them."""

    def __init__(self) -> None:
        self.tools: dict[str, Tool] = {}

    def tool(
        self,
        title: str,
        *,
        access: Access,
        read_only: bool = False,
        destructive: bool = False,
        idempotent: bool = False,
        open_world: bool = False,
    ) -> Callable[[_H], _H]:
        """Declare a tool, called as its function is. ``access``: what the key needs (``core.access``)."""

        def declare(handler: _H) -> _H:
            name = handler.__name__
            hints = typing.get_type_hints(handler)
            (arguments,) = typing.get_args(hints[next(iter(inspect.signature(handler).parameters))])
            self.tools[name] = Tool(
                name=name,
                title=title,
                description=" ".join(inspect.cleandoc(handler.__doc__ or "").split()),
                arguments=arguments,
                handler=handler,
                access=access,
                read_only=read_only,
                destructive=destructive,
                idempotent=idempotent or read_only,
                open_world=open_world,
            )
            return handler

        return declare

    def include(self, other: Toolbox) -> None:
        """Take over the tools of another module."""
        self.tools |= other.tools


async def call_tool(
    core: Core, caller: Caller, tool: Tool, given: Mapping[str, Any], progress: Progress
) -> Answer:
    """Run a tool; whatever it refuses is an answer that says what to do now, never an exception."""
    try:
        check(caller.scope, tool.access)
        args = decode(tool, given)
        return await tool.handler(Call(core, caller, tool.name, args, progress))
    except Exception as error:
        refused = core_error(error)
        if isinstance(refused, Internal):
            log.exception("tool %s failed", tool.name, extra={"request_id": caller.request_id})
        text, data = refusal(tool.name, refused, caller.request_id)
        return Answer(text, data, error=True)


def decode(tool: Tool, given: Mapping[str, Any]) -> Any:
    """The arguments as the tool's struct. Raises Invalid naming each one that does not do."""
    known = [one.encode_name for one in msgspec.structs.fields(tool.arguments)]
    strange = [name for name in given if name not in known]
    if strange:
        raise Invalid(
            f"{tool.name} has no argument {strange[0][:100]!r}",
            field=strange[0][:100],
            fix=f"its arguments are {', '.join(known)}",
        )
    # models write null, and often an empty text, where they mean nothing
    meant = {name: value for name, value in given.items() if value is not None}
    try:
        return msgspec.convert(meant, tool.arguments, strict=False)
    except msgspec.ValidationError as error:
        raise from_msgspec(error) from error
