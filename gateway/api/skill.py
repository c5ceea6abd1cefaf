"""``/skill.md`` and ``/llms.txt``: the introductions for agents, with this server's address filled in.

The texts are files beside this module. ``$base_url`` and ``$dialects`` are replaced; any other ``$NAME`` is a shell
variable of an example.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from string import Template

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from gateway.api.dialect import Dialect, public_url
from gateway.core.context import Core


def _text(name: str) -> Template:
    return Template(files("gateway.api").joinpath(name).read_text("utf-8"))


SKILL, LLMS = _text("skill.md"), _text("llms.txt")


def skill_routes(core: Core, dialects: Sequence[Dialect]) -> list[BaseRoute]:
    """The routes of both texts; no key is needed."""

    async def skill(request: Request) -> Response:
        text = SKILL.safe_substitute(base_url=public_url(core, request))
        return Response(text, media_type="text/markdown")

    async def llms(request: Request) -> Response:
        base = public_url(core, request)
        lines = [_about(dialect, base) for dialect in dialects if dialect.table.endpoints]
        return Response(
            LLMS.safe_substitute(base_url=base, dialects="\n".join(lines)), media_type="text/plain"
        )

    return [Route("/skill.md", skill, methods=["GET"]), Route("/llms.txt", llms, methods=["GET"])]


def _about(dialect: Dialect, base: str) -> str:
    socket = f", WebSocket at `{dialect.prefix}{dialect.socket_path}`" if dialect.socket else ""
    return f"- `{base}{dialect.prefix}`: the API of {dialect.title}, {len(dialect.table.endpoints)} calls{socket}"
