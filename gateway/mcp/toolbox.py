"""Declares tools, and calls them.

A tool is a typed function in a :class:`Toolbox`. Arguments and result are structs; its description is its docstring::

    @box.tool("Read a message", access=reads("message_read"), read_only=True)
    async def read_message(call: Call[ReadMessage]) -> Answer[MessageRead]:
        \"\"\"What a model reads to choose a tool.\"\"\"
"""

from __future__ import annotations

import inspect
import logging
import typing
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypedDict, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from gateway.api.errors import Internal, core_error, from_msgspec
from gateway.core.access import Access, check
from gateway.core.context import Core
from gateway.core.errors import Invalid
from gateway.mcp.errors import refusal
from gateway.mcp.schema import UNLISTED, Schema, input_schema, output_schema
from gateway.store.acting import Actor, acting
from gateway.store.listing import Listing, Window
from gateway.store.scope import Scope

log = logging.getLogger("postern.mcp")


class Arguments(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of every tool's arguments. A field that is null or left out has its default."""


class Result(msgspec.Struct, kw_only=True):
    """Base of every tool's structured result."""


class Page(Result):
    """One page of a list. ``next_page``: null on the last. ``notice``: what the marks around senders' texts mean."""

    page: Annotated[int, UNLISTED]
    total: Annotated[int, UNLISTED]
    next_page: int | None
    notice: Annotated[str | UnsetType, UNLISTED] = UNSET


class PageNumbers(TypedDict):
    """The numbers of a :class:`Page`."""

    page: int
    total: int
    next_page: int | None


def page_numbers(found: Listing[Any], window: Window) -> PageNumbers:
    """The numbers of the page that ``window`` asked for."""
    page = window.offset // window.limit + 1
    more = window.offset + len(found.rows) < found.total
    return {"page": page, "total": found.total, "next_page": page + 1 if more else None}


A = TypeVar("A", bound=Arguments)
R = TypeVar("R", bound=Result)

Progress = Callable[[float, float, str], Awaitable[None]]
"""Reports the progress of a call: done, total, text. Does nothing when the client did not ask for it."""


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller: the scope of its key, its default ``inbox`` (any id, or an address), the base URL it uses,
    the ``session`` that identifies its calls, and the ``ip`` address that it calls from."""

    scope: Scope
    inbox: str | None
    public_url: str
    request_id: str
    session: str | None = None
    ip: str | None = None


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
class Answer(Generic[R]):
    """The answer to a call: ``text`` for the model, ``data`` for programs. ``error``: the call was refused."""

    text: str
    data: R | dict[str, Any]
    error: bool = False

    @property
    def json(self) -> dict[str, Any]:
        """``data`` as JSON values."""
        found: dict[str, Any] = msgspec.to_builtins(self.data)
        return found


Handler = Callable[[Call[Any]], Awaitable[Answer[Any]]]
_H = TypeVar("_H", bound=Handler)


@dataclass(frozen=True, slots=True)
class Tool:
    """A declared tool. The four flags are MCP's annotations."""

    name: str
    title: str
    description: str
    arguments: type[Arguments]
    result: type[Result]
    handler: Handler
    access: Access
    read_only: bool
    destructive: bool
    idempotent: bool
    open_world: bool

    @property
    def schema(self) -> Schema:
        return input_schema(self.arguments)

    @property
    def output_schema(self) -> Schema:
        return output_schema(self.result)


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
        """Declare a tool, which has the name of its function. ``access``: what the key needs (``core.access``)."""

        def declare(handler: _H) -> _H:
            name = handler.__name__
            hints = typing.get_type_hints(handler)
            (result,) = typing.get_args(hints["return"])
            (arguments,) = typing.get_args(hints[next(iter(inspect.signature(handler).parameters))])
            self.tools[name] = Tool(
                name=name,
                title=title,
                description=" ".join(inspect.cleandoc(handler.__doc__ or "").split()),
                arguments=arguments,
                result=result,
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
        """Add the tools of another module."""
        self.tools |= other.tools


async def call_tool(
    core: Core, caller: Caller, tool: Tool, given: Mapping[str, Any], progress: Progress
) -> Answer[Any]:
    """Run a tool. A refusal is an answer that says what to do now, never an exception."""
    try:
        check(caller.scope, tool.access)
        args = decode(tool, given)
        with acting(_actor(caller, tool)):
            return await tool.handler(Call(core, caller, tool.name, args, progress))
    except Exception as error:
        refused = core_error(error)
        if isinstance(refused, Internal):
            log.exception("tool %s failed", tool.name, extra={"request_id": caller.request_id})
        text, data = refusal(tool.name, refused, caller.request_id)
        return Answer(text, data, error=True)


def _actor(caller: Caller, tool: Tool) -> Actor:
    scope = caller.scope
    return Actor(
        "operator" if scope.operator else "key",
        "mcp",
        tool.name,
        organization=scope.organization,
        key_id=scope.key_id,
        ip=caller.ip,
        request_id=caller.request_id,
    )


def decode(tool: Tool, given: Mapping[str, Any]) -> Any:
    """Decode the arguments of a tool. Raises Invalid naming the wrong one."""
    known = [field.encode_name for field in msgspec.structs.fields(tool.arguments)]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise Invalid(
            f"{tool.name} has no argument {unknown[0][:100]!r}",
            field=unknown[0][:100],
            fix=f"its arguments are {', '.join(known)}",
        )
    # models write null for an argument that they leave out
    meant = {name: value for name, value in given.items() if value is not None}
    try:
        return msgspec.convert(meant, tool.arguments, strict=False)
    except msgspec.ValidationError as error:
        raise from_msgspec(error) from error
