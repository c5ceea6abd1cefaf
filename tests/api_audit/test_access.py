"""Every operation × every kind of key, walked from what each route and tool declares (``gateway.core.access``).

What is refused must be refused with the status that the declaration means, and must change no row of the database;
what is let in must not be refused for want of a key, a reach or a permission.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from gateway.api.dialect import Dialect, DialectRoute
from gateway.api.route_access import DeclaredRoute
from gateway.api.routing import Endpoint, Table
from gateway.app.routes import DIALECTS, api_routes, own_routes
from gateway.core.access import Access
from gateway.mcp.endpoint import McpRoute
from gateway.mcp.tools import all_tools
from tests.api_audit.matrix import (
    LIVE,
    PERMISSIONS,
    Home,
    Key,
    body_of,
    cells_of,
    fill,
    quiet,
    refused,
    settle,
)
from tests.support.gateway_process import running_gateway
from tests.support.running_api import running_api

ROUTES = [(dialect, one) for dialect in DIALECTS for one in dialect.table.endpoints]
WITHOUT_PERMISSION = {
    "GET /auth/me",  # says what the key itself is
    "POST /agent/human",  # mails the organization's owner, and nobody else
    "POST /agent/verify",  # gives back what the organization's owner got by mail
    "GET /me",
    "POST /feedback",  # a line in the log
}
_BODY_FOR_DOORS = {"/operator/round-trip": {"seconds": -1}}  # let in, and refused for its body


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    free: dict[str, Any] = {"register__enabled": True, "register__per_address": 0, "register__per_owner": 0}
    free |= {"mailboxkit__requests_per_minute": 0, "mailboxkit__requests_per_day": 0}
    with running_gateway(tmp_path_factory.mktemp("access"), **free) as gateway:
        yield settle(gateway)


def name_of(one: Endpoint) -> str:
    return f"{one.method} {one.path.replace(':rest', '')}"


def names_of(one: Endpoint) -> set[str]:
    """The parameters of a path; a batch names its messages in the body."""
    found = {piece.partition("}")[0].partition(":")[0] for piece in one.path.split("{")[1:]}
    return found | ({"message_id"} if one.path.endswith("/batch-update") else set())


def ask(
    http: httpx.Client, dialect: Dialect, one: Endpoint, key: Key, place: dict[str, str]
) -> httpx.Response:
    name = name_of(one)
    if dialect.name == "mailboxkit":
        place = place | {"webhook_id": place["mailboxkit_webhook_id"]}
    headers = {"Authorization": f"Bearer {key.secret}"} if key.secret else {}
    if one.method == "POST":
        headers["Idempotency-Key"] = f"k{next(_COUNT)}"
    return http.request(
        one.method,
        dialect.prefix + fill(one.path, place),
        json=body_of(name, place, dialect.name),
        headers=headers,
        params={"timeout": 1} if name.endswith("/wait") else {"q": "hello"} if "/search" in name else None,
        follow_redirects=False,
    )


_COUNT = iter(range(10**9))


def said(answer: httpx.Response) -> str:
    return f"{answer.status_code} {answer.text[:200]}"


def forbidden(answer: httpx.Response) -> bool:
    """Whether it was refused for the key's kind, reach, sandbox or permission."""
    if answer.status_code == 401:
        return True
    if answer.status_code != 403:
        return False
    body = answer.json()
    return bool(body.get("code") == "missing_permission" or body.get("error") == "forbidden")


def test_every_route_declares_what_it_needs() -> None:
    with pytest.raises(TypeError, match="access"):
        Table().get("/nothing-declared")
    for dialect, one in ROUTES:
        assert isinstance(one.access, Access), name_of(one)
        assert set(one.access.permissions) <= set(PERMISSIONS), name_of(one)
        if not (one.access.open or one.access.operator or one.access.permissions):
            assert name_of(one) in WITHOUT_PERMISSION, f"{dialect.name} {name_of(one)}"
    for name, tool in all_tools().items():
        assert tool.access.permissions, name
    for dialect in DIALECTS:
        assert (dialect.socket is None) == (dialect.socket_access is None), dialect.name


async def doors(tmp_path: Path) -> list[DeclaredRoute]:
    """The routes outside the dialects, as ``gateway.app.routes`` lists them."""

    async def refresh(address: str, seconds: float) -> None: ...

    async with running_api(tmp_path) as made:
        found = [*own_routes(made.core, refresh, {}), *api_routes(made.core, McpRoute(made.core))]
    for one in found:
        assert isinstance(one, DeclaredRoute | DialectRoute | McpRoute), f"{one} declares nothing"
    return [one for one in found if isinstance(one, DeclaredRoute)]


def test_what_is_refused_is_refused_by_the_declaration_and_changes_nothing(home: Home) -> None:
    before, wrong, counted = quiet(home), list[str](), Counter[int]()
    with httpx.Client(base_url=home.organization.base_url, timeout=30, trust_env=False) as http:
        for dialect, one in ROUTES:
            for key in cells_of(one.access, home):
                if key.name in ("test, its own", "operator"):
                    continue
                wanted = refused(one.access, key, names_of(one))
                if wanted is None:
                    continue
                got = ask(http, dialect, one, key, key.place)
                counted[wanted] += 1
                # a sandbox key gets no live event: under a path of a pod or inbox the row is not there
                hidden = key.test and one.access.test == "own" and got.status_code == 404
                if got.status_code != wanted and not hidden:
                    wrong.append(f"{dialect.name} {name_of(one)} for {key.name}: {said(got)}, not {wanted}")
            if one.method != "GET" and (after := home.snapshot()) != before:
                moved = [table for table in before if before[table] != after[table]]
                wrong.append(f"{dialect.name} {name_of(one)}: a refused call changed {', '.join(moved)}")
                before = after
    print(f"{len(ROUTES)} routes; refused cells by status: {dict(counted)}")
    assert not wrong, "\n".join(wrong)
    assert sum(counted.values()) > 1000


UNKNOWN = {
    "inbox_id": "inb_" + "0" * 26,
    "pod_id": "pod_" + "0" * 26,
    "message_id": "msg_" + "0" * 26,
    "thread_id": "thr_" + "0" * 26,
    "draft_id": "dft_" + "0" * 26,
    "webhook_id": "wh_" + "0" * 26,
    "polling_id": "wh_" + "0" * 26,
    "key_id": "key_" + "0" * 26,
    "domain_id": "nowhere.example",
    "domain": "nowhere.example",
    "address": "nobody@nowhere.example",
    "entry": "nobody@nowhere.example",
}


def test_doors_outside_the_dialects_are_open_or_the_operators(home: Home, tmp_path: Path) -> None:
    tried = 0
    with httpx.Client(base_url=home.organization.base_url, timeout=30, trust_env=False) as http:
        for door in asyncio.run(doors(tmp_path)):
            path = door.path.replace("{token}", "x").replace("{profile}", "x")
            for method in sorted(door.methods - {"HEAD"}):
                for key in (
                    home.keys[name] for name in ("none", "revoked", "foreign", "organization", "operator")
                ):
                    headers = {"Authorization": f"Bearer {key.secret}"} if key.secret else {}
                    body = _BODY_FOR_DOORS.get(path, {}) if method == "POST" else None
                    got = http.request(method, path, json=body, headers=headers, follow_redirects=False)
                    tried += 1
                    if door.access.open:
                        # a sign-in page, a hook or a link asks for no key; a wrong token is not found
                        assert got.status_code not in (401, 403), (path, said(got))
                    elif key.operator:
                        assert got.status_code not in (401, 403, 404), (path, said(got))
                    else:
                        wanted = 401 if key.kind == "none" else 404
                        assert got.status_code == wanted, (path, key.name, said(got))
    print(f"{tried} cells of doors")
    assert tried > 80


def test_every_tool_of_mcp_by_every_kind_of_key(home: Home) -> None:
    before, tried, wrong = quiet(home), 0, list[str]()
    accepts = {"Accept": "application/json", "MCP-Protocol-Version": "2025-06-18"}
    with httpx.Client(base_url=home.organization.base_url, timeout=30, trust_env=False) as http:
        for name, tool in all_tools().items():
            for key in cells_of(tool.access, home):
                wanted = refused(tool.access, key, set())
                if key.operator or (wanted is None and not tool.read_only and not key.test):
                    continue
                body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call"}
                arguments = _ARGUMENTS.get(name, {})
                filled = {
                    one: text.format_map(key.place) if isinstance(text, str) else text
                    for one, text in arguments.items()
                }
                body["params"] = {"name": name, "arguments": filled}
                got = http.post(
                    "/mcp", json=body, headers=accepts | {"Authorization": f"Bearer {key.secret or 'x'}"}
                )
                tried += 1
                if key.kind == "none":
                    if got.status_code != 401:
                        wrong.append(f"{name} for {key.name}: {said(got)}")
                    continue
                assert got.status_code == 200, (name, key.name, said(got))
                text = json.dumps(got.json())
                denied = "missing_permission" in text
                live = key.name == "test" and tool.access.test == "own"
                if denied != (wanted is not None or live):
                    wrong.append(f"{name} for {key.name}: {text[:300]}")
                if wanted is not None and home.snapshot() != before:
                    wrong.append(f"{name} for {key.name}: a refused call changed something")
                before = home.snapshot() if wanted is None else before
    print(f"{len(all_tools())} tools; {tried} cells")
    assert not wrong, "\n".join(wrong)


_ARGUMENTS: dict[str, dict[str, Any]] = {
    "send_email": {"inbox_id": "{inbox_id}", "to": "{inbox_id}", "subject": "s", "text": "t"},
    "reply_to_email": {"inbox_id": "{inbox_id}", "message_id": "{message_id}", "text": "t"},
    "forward_email": {"inbox_id": "{inbox_id}", "message_id": "{message_id}", "to": "{inbox_id}"},
    "list_threads": {"inbox_id": "{inbox_id}"},
    "read_thread": {"inbox_id": "{inbox_id}", "thread_id": "{thread_id}"},
    "wait_for_email": {"inbox_id": "{inbox_id}", "timeout": 1},
    "create_draft": {"inbox_id": "{inbox_id}", "to": "{inbox_id}", "text": "t"},
    "send_draft": {"draft_id": "{draft_id}"},
    "delete_draft": {"draft_id": "{draft_id}"},
    "set_labels": {"inbox_id": "{inbox_id}", "message_id": "{message_id}", "add": ["y"]},
    "check_inbox": {"inbox_id": "{inbox_id}"},
    "read_message": {"inbox_id": "{inbox_id}", "message_id": "{message_id}"},
    "read_attachment": {"inbox_id": "{inbox_id}", "message_id": "{message_id}", "attachment": "a.csv"},
    "search_messages": {"query": "hello"},
    "create_inbox": {"name": "made by a tool"},
    "update_inbox": {"inbox_id": "{inbox_id}", "name": "changed by a tool"},
    "delete_inbox": {"inbox_id": "{inbox_id}"},
    "update_draft": {"draft_id": "{draft_id}", "subject": "changed"},
    "delete_thread": {"thread_id": "{thread_id}"},
}


def test_a_websocket_opens_for_known_keys_alone(home: Home) -> None:
    base = home.organization.base_url.replace("http", "ws", 1)
    for name in ("none", "revoked", "organization", "pod", "inbox", "test", "foreign"):
        key = home.keys[name]
        headers = {"Authorization": f"Bearer {key.secret}"} if key.secret else {}
        if key.kind != "none":
            with connect(f"{base}/api/v0", additional_headers=headers, proxy=None) as socket:
                socket.ping().wait(10)
            continue
        with (
            pytest.raises(InvalidStatus) as refusal,
            connect(f"{base}/api/v0", additional_headers=headers, proxy=None),
        ):
            pass
        assert refusal.value.response.status_code == 401, name


def test_what_is_let_in_is_not_refused_for_the_key(home: Home) -> None:
    wrong, counted = list[str](), 0
    with httpx.Client(base_url=home.organization.base_url, timeout=30, trust_env=False) as http:
        for dialect, one in sorted(ROUTES, key=lambda pair: pair[1].method == "DELETE"):
            for key in cells_of(one.access, home):
                own = key.name == "test, its own" and one.access.test == "own"
                names = names_of(one) - (LIVE if own else set())
                if key.name == "test, its own" and not own:
                    continue
                if key.operator != one.access.operator or refused(one.access, key, names) is not None:
                    continue
                place = key.place if one.method != "DELETE" else key.place | UNKNOWN
                got = ask(http, dialect, one, key, place)
                counted += 1
                # 502: no endpoint takes our posts; 503: there is no Postfix here
                if got.status_code == 500 or (not one.access.open and forbidden(got)):
                    wrong.append(f"{dialect.name} {name_of(one)} for {key.name}: {said(got)}")
    print(f"{len(ROUTES)} routes; {counted} cells let in")
    assert not wrong, "\n".join(wrong)
    assert counted > 500
