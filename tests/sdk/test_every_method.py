"""Every method of the official SDK asks for a route that is served, or is named as missing in docs/migrating."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.api.agentmail import agentmail_dialect
from gateway.api.errors import NoRoute, WrongMethod
from gateway.api.routing import Router

agentmail = pytest.importorskip("agentmail", reason="the official SDK is not installed")

from agentmail import AgentMail  # noqa: E402
from agentmail.environment import AgentMailEnvironment  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:websockets:DeprecationWarning")

PAGE = Path(__file__).parents[2] / "docs" / "migrating" / "agentmail.md"

NOT_SERVED = {
    "accounts": "`accounts`",
    "apps": "`apps`",
    "authorize": "`authorize`",
    "calendar": "`calendar`",
    "files": "`files`",
    "agent-armor": "Agent Armor",
    "labs": "labs",
}
"""Of the path of a method that is not served: the part that says what it is about, and what the page calls that."""


def methods(part: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The methods of a client and of the clients that it holds."""
    for found in dir(type(part)):
        if found.startswith("_") or found == "with_raw_response":
            continue
        if isinstance(inspect.getattr_static(type(part), found), property):
            yield from methods(getattr(part, found), f"{name}{found}.")
        elif callable(method := getattr(part, found)):
            yield f"{name}{found}", method


def request_of(method: Any, sent: list[httpx.Request]) -> httpx.Request:
    """The request that a method sends when each argument that it needs is its own name."""
    needed = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty]
    lists = {one.name for one in needed if "List" in str(one.annotation) or "Sequence" in str(one.annotation)}
    given = {
        one.name: [one.name] if one.name in lists else one.name
        for one in needed
        if one.kind != one.VAR_KEYWORD
    }
    sent.clear()
    try:
        answer = method(**given)
        if inspect.isgenerator(answer):
            list(answer)
    except agentmail.core.api_error.ApiError:
        pass
    return sent[0]


def test_every_method_is_served_or_named_as_missing() -> None:
    sent: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(418)

    environment = AgentMailEnvironment(http="http://here.test", websockets="ws://here.test")
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        sdk = AgentMail(api_key="inai_x", environment=environment, httpx_client=client)
        requests = {
            name: request_of(method, sent) for name, method in methods(sdk) if name != "websockets.connect"
        }
    assert len(requests) > 150
    router, missing = Router(agentmail_dialect.table.endpoints), dict[str, str]()
    for name, request in requests.items():
        segments = request.url.path.removeprefix("/v0/").split("/")
        try:
            router.find(request.method, segments)
        except (NoRoute, WrongMethod):
            about = [part for part in segments if part in NOT_SERVED]
            assert about, f"{name}: {request.method} {request.url.path} is not served"
            missing[name] = about[0]
    page = PAGE.read_text()
    (row,) = [line for line in page.splitlines() if line.endswith("| there | not there: 404 |")]
    assert set(missing.values()) == set(NOT_SERVED)
    assert all(NOT_SERVED[about] in row for about in missing.values())
