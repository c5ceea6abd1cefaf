"""What every endpoint shares: keys, error shapes, bodies, queries, paging, ids in raw paths, docs, the socket."""

from __future__ import annotations

import asyncio
import json
import logging
import platform
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from gateway.api.body import decode
from gateway.api.errors import NoRoute, WrongMethod
from gateway.api.paging import MAX_PAGE_SIZE, PageQuery, in_memory, read_paging, token
from gateway.api.query import parse_query
from gateway.api.routing import Pattern, split_raw_path
from gateway.core.buckets import Buckets
from gateway.core.errors import CoreError, Invalid
from gateway.records.ids import InboxId
from gateway.version import installed_build
from tests.support.http_server import served
from tests.support.running_api import RunningApi

pytestmark = pytest.mark.anyio
V0 = "/api/v0"
SECRET = b"k" * 32


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer inai_wrong", "Basic eDp5", "Bearer é"]
)
async def test_401_before_anything_else(running: RunningApi, header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode()}
    async with running.as_key(None) as anyone:
        for method, path in (
            ("GET", "inboxes"),
            ("POST", "inboxes"),
            ("GET", "no/such/path"),
            ("PUT", "inboxes"),
            ("GET", "inboxes?page=x"),
        ):
            got = await anyone.request(method, f"{V0}/{path}", headers=headers, content=b"{broken")
            assert got.status_code == 401, (method, path)
            assert got.json()["name"] == "UnauthorizedError"
            assert got.headers["WWW-Authenticate"] == "Bearer"


async def test_a_key_cut_or_changed_by_one_character_is_unknown(running: RunningApi) -> None:
    for key in (running.key[:-1], running.key + "a", running.key.upper(), running.key[:-1] + "-"):
        async with running.as_key(key) as other:
            assert (await other.get(f"{V0}/inboxes")).status_code == 401


async def test_unknown_paths_and_methods(running: RunningApi) -> None:
    missing = await running.api.get(f"{V0}/nope")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    wrong = await running.api.put(f"{V0}/inboxes")
    assert wrong.status_code == 405
    assert wrong.headers["Allow"] == "GET, POST"
    assert wrong.json()["name"] == "MethodNotAllowedError"
    one = await running.api.post(f"{V0}/inboxes/x@y.z")
    assert one.headers["Allow"] == "DELETE, GET, PATCH"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"[" * 5000 + b"]" * 5000,
        b'{"username":' * 5000 + b"1" + b"}" * 5000,
        b'{"username": NaN}',
        b'{"username": "\xff"}',
        b'{"username": "\\ud800"}',
        b"\x00",
        b"username=a",
    ],
)
async def test_broken_json_is_400(running: RunningApi, body: bytes) -> None:
    got = await running.api.post(f"{V0}/inboxes", content=body)
    assert got.status_code == 400
    assert got.json()["errors"]


async def test_types_are_named_by_path_and_content_type_is_not_asked(running: RunningApi) -> None:
    got = await running.api.post(
        f"{V0}/webhooks",
        content=json.dumps({"url": "x", "event_types": ["a", 5]}),
        headers={"Content-Type": "a/b"},
    )
    assert got.json()["errors"][0]["path"] == ["event_types", 0] or "event_types" in got.text
    assert (await running.api.post(f"{V0}/domains", json={})).json()["errors"][0]["field"] == "domain"


async def test_a_body_over_the_limit_is_413(running: RunningApi) -> None:
    async def endless() -> Any:
        for _ in range(2000):
            yield b" " * 65536

    got = await running.api.post(f"{V0}/inboxes", content=endless())
    assert got.status_code == 413
    told = await running.api.post(f"{V0}/inboxes", content=b"{}", headers={"Content-Length": str(10**12)})
    assert told.status_code == 413


async def test_request_ids_and_redacted_log(running: RunningApi, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "postern.http"):
        got = await running.api.get(
            f"{V0}/inboxes?api_key=topsecret&x=1", headers={"X-Request-Id": "my-own-id-1"}
        )
    assert got.headers["X-Request-Id"] == "my-own-id-1"
    bad = await running.api.get(f"{V0}/inboxes", headers={"X-Request-Id": "a b"})
    assert bad.headers["X-Request-Id"].startswith("req_")
    line = caplog.records[-1]
    assert vars(line)["request_id"] == "my-own-id-1"
    assert vars(line)["key_id"].startswith("key_")
    assert "topsecret" not in caplog.text
    assert running.key not in caplog.text


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=-1",
        "page=x",
        "page_size=0",
        "page_size=101",
        "limit=1000",
        "page_token=nonsense",
        "page=1.5",
        "ascending=maybe",
        "page_size=" + "9" * 25,
        "page_token=" + "A" * 500,
        "page_token=%00",
    ],
)
async def test_nonsense_paging_is_400(running: RunningApi, query: str) -> None:
    got = await running.api.get(f"{V0}/inboxes?{query}")
    assert got.status_code == 400, got.text
    assert got.json()["errors"][0]["field"] in query


async def test_paging_both_ways(running: RunningApi) -> None:
    for n in range(5):
        await running.api.post(f"{V0}/lists/reply/block", json={"entry": f"d{n}.example"})
    path = f"{V0}/lists/reply/block"
    far = (await running.api.get(f"{path}?page={10**25}")).json()
    assert (far["data"], far["total"]) == ([], 5)
    pages = [(await running.api.get(f"{path}?page={n}&page_size=2")).json() for n in (1, 2, 3)]
    by_page = [one["entry"] for page in pages for one in page["data"]]
    assert by_page == [f"d{n}.example" for n in (4, 3, 2, 1, 0)]
    seen, url = [], f"{path}?limit=2"
    while True:
        got = (await running.api.get(url)).json()
        assert got["count"] == len(got["entries"])
        seen += [one["entry"] for one in got["entries"]]
        if "next_page_token" not in got:
            break
        if len(seen) == 2:  # a row that comes in between repeats none
            await running.api.post(path, json={"entry": "new.example"})
        url = f"{path}?limit=2&page=7&page_token={got['next_page_token']}"
    assert seen == by_page
    oldest = (await running.api.get(f"{path}?ascending=true&limit=1")).json()
    assert oldest["data"][0]["entry"] == "d0.example"


@given(
    st.lists(st.tuples(st.integers(0, 5), st.text(min_size=1, max_size=3)), unique=True),
    st.integers(1, 7),
    st.booleans(),
)
def test_walking_tokens_meets_every_row_once(rows: list[tuple[int, str]], size: int, ascending: bool) -> None:
    query, seen = PageQuery(limit=size, ascending=ascending), []
    while True:
        paging = read_paging(query, SECRET)
        page = in_memory(rows, paging.window, lambda row: row)
        seen += page.rows
        if page.next is None:
            break
        query = PageQuery(limit=size, page_token=token(page.next, paging.window.ascending, SECRET))
    assert seen == sorted(rows, reverse=not ascending)


@given(st.text(max_size=80))
def test_no_token_but_ours_opens(text: str) -> None:
    with pytest.raises(Invalid):
        read_paging(PageQuery(page_token=text), SECRET)


def test_a_token_of_another_server_does_not_open() -> None:
    with pytest.raises(Invalid):
        read_paging(PageQuery(page_token=token((1, "a"), True, b"other")), SECRET)


@given(st.binary(max_size=200))
def test_any_query_parses_or_is_refused_with_words(raw: bytes) -> None:
    try:
        found = parse_query(raw, PageQuery)
        read_paging(found, SECRET)
    except CoreError as error:
        assert error.message  # noqa: PT017 - both ends are allowed


@given(st.integers(MAX_PAGE_SIZE + 1, 10**40))
def test_a_huge_page_size_is_refused(size: int) -> None:
    with pytest.raises(Invalid):
        read_paging(parse_query(f"page_size={size}", PageQuery), SECRET)


@given(st.binary(max_size=300))
def test_any_body_decodes_or_is_refused_with_words(raw: bytes) -> None:
    try:
        decode(raw, PageQuery)
    except CoreError as error:
        assert error.message  # noqa: PT017 - both ends are allowed


MESSAGE = Pattern("/inboxes/{inbox_id}/messages/{message_id:rest}/reply")


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"/api/v0/inboxes/a+b@c.d/messages/%3Cabc/def+gh=@x.y%3E/reply", ["a+b@c.d", "<abc/def+gh=@x.y>"]),
        (b"/api/v0/inboxes/a%2Bb%40c.d/messages/%3Ca%2Fb@x%3E/reply?x=1", ["a+b@c.d", "<a/b@x>"]),
        (b"/api/v0/inboxes/i/messages/a/reply/reply", ["i", "a/reply"]),
        (b"/api/v0/inboxes/i/messages/100%25/reply/", ["i", "100%"]),
        (b"/api/v0/inboxes/i/messages/../../x/reply", ["i", "../../x"]),
    ],
)
def test_ids_survive_the_raw_path(raw: bytes, wanted: list[str]) -> None:
    assert MESSAGE.match(split_raw_path({"raw_path": raw, "path": ""}, 2)) == wanted


def test_a_nul_in_a_path_is_not_found() -> None:
    with pytest.raises(NoRoute):
        split_raw_path({"raw_path": b"/api/v0/inboxes/a%00", "path": ""}, 2)
    assert WrongMethod(["GET", "POST"]).allow == ["GET", "POST"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("types=a&types=b", ["a", "b"]),
        ('types=["a","b c"]', ["a", "b c"]),
        ("types=a", ["a"]),
        ("types[]=a", ["a"]),
        ("types=%5B%22x%22%5D", ["x"]),
        ("types=", []),
    ],
)
def test_lists_in_a_query(query: str, words: list[str]) -> None:
    class Wanted(msgspec.Struct):
        types: list[str] = []

    assert parse_query(query, Wanted).types == words


def test_buckets_refill_evenly() -> None:
    buckets = Buckets()
    assert [buckets.take("k", 2, now=0.0).allowed for _ in range(3)] == [True, True, False]
    assert buckets.take("k", 2, now=0.0).wait == 30
    assert buckets.take("k", 2, now=31.0).allowed
    assert buckets.take("other", 2, now=0.0).allowed


async def test_which_postern_runs_is_told_in_one_way_everywhere(running: RunningApi) -> None:
    build = installed_build()
    async with running.as_key(None) as anyone:
        told = (await anyone.get("/health")).json()
        assert told == {"status": "ok", "version": build.version, "commit": build.commit}
        labels = f'commit="{build.commit}",python="{platform.python_version()}",version="{build.version}"'
        assert f"postern_build_info{{{labels}}} 1.0" in (await anyone.get("/metrics")).text.splitlines()
        assert (await anyone.get("/openapi.json")).json()["info"]["version"] == build.version


async def test_system_routes(running: RunningApi) -> None:
    async with running.as_key(None) as anyone:
        assert (await anyone.get("/health")).json()["status"] == "ok"
        assert (await anyone.get("/ready")).status_code == 200
        assert "postern_http_requests_total" in (await anyone.get("/metrics")).text
        document = (await anyone.get("/openapi.json")).json()
        validate(document)
        assert "/api/v0/inboxes/{inbox_id}" in document["paths"]
        page = await anyone.get("/docs")
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "https://" not in page.text


async def test_the_socket(running: RunningApi) -> None:
    key = (await running.api.post(f"{V0}/api-keys", json={"name": "socket"})).json()
    box = (await running.api.post(f"{V0}/inboxes", json={"username": "socket-box"})).json()
    ulid = box["postern_id"][4:]

    async def happen(subject: str, inbox_id: str = ulid, kind: str = "message.sent") -> None:
        ref = {
            "inbox_id": inbox_id,
            "inbox_address": box["email"],
            "thread_id": "t",
            "message_id": "m",
            "timestamp": 1,
        }
        payload = {"message_ref": ref, "timestamp": 1, "recipients": ["a@b.c"]}
        await running.core.store.write(
            lambda tx: running.core.events.append(
                tx,
                kind,
                organization_id=running.scope.organization,
                inbox_id=InboxId(inbox_id),
                subject=subject,
                payload=payload,
            )
        )

    async with served(running.app) as port:
        url = f"ws://127.0.0.1:{port}/api/v0"
        with pytest.raises(InvalidStatus) as refused:
            async with connect(url, additional_headers={"Authorization": "Bearer inai_wrong"}):
                pass
        assert refused.value.response.status_code == 401
        async with connect(f"{url}?api_key={key['key']}") as socket, asyncio.timeout(20):
            await socket.send("{broken")
            assert json.loads(await socket.recv())["type"] == "error"
            await socket.send(json.dumps({"type": "subscribe", "inbox_ids": ["nobody@nowhere.test"]}))
            assert json.loads(await socket.recv())["name"] == "NotFoundError"
            asked = {"type": "subscribe", "inbox_ids": [box["email"]], "event_types": ["message.sent"]}
            await socket.send(json.dumps(asked))
            assert json.loads(await socket.recv()) == {**asked, "type": "subscribed"}
            await happen("other-inbox", "01arz3ndektsv4rrffq69g5fav")
            await happen("other-kind", kind="message.delivered")
            await happen("mine")
            event = json.loads(await socket.recv())
            assert (event["type"], event["event_type"]) == ("event", "message.sent")
            assert event["send"]["inbox_id"] == box["inbox_id"]
            await running.api.delete(f"{V0}/api-keys/{key['key_id']}")
            async with asyncio.timeout(5):
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4401
