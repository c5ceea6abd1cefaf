"""Log lines: their shape, the request they belong to, and what never stands in them."""

from __future__ import annotations

import io
import json
import logging

import pytest

from gateway import logs

KEY = "inai_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def test_a_line_is_one_json_object_with_its_fields(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    logging.getLogger("postern.x").warning("two\nlines %s", "é", extra={"inbox_id": "01x", "status": 200})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    line = json.loads(lines[0])
    assert line["message"] == "two\nlines é"
    assert (line["level"], line["logger"], line["inbox_id"], line["status"]) == (
        "warning",
        "postern.x",
        "01x",
        200,
    )
    assert line["time"].endswith("Z")
    assert len(line["time"]) == 24


def test_the_request_is_named(stream: io.StringIO) -> None:
    logs.configure("info", "json", stream)
    token = logs.current_request.set("req_1")
    try:
        logging.getLogger("postern.x").info("during")
    finally:
        logs.current_request.reset(token)
    logging.getLogger("postern.x").info("after")
    during, after = map(json.loads, stream.getvalue().splitlines())
    assert during["request_id"] == "req_1"
    assert "request_id" not in after


@pytest.mark.parametrize("form", ["json", "text"])
@pytest.mark.parametrize(
    "message",
    [
        f"key {KEY}!",
        f"GET /api/v0?api_key={KEY}",
        "Authorization: Bearer abc.def-secret",
        "whsec_c2VjcmV0LXNlY3JldC1zZWNyZXQ=",
        "login password=secretpassword",
        '{"password": "secretpassword"}',
        "mbk_live_abcdefghijklmnopqrst",
    ],
)
def test_keys_and_passwords_are_cut_out(stream: io.StringIO, form: str, message: str) -> None:
    logs.configure("info", "json" if form == "json" else "text", stream)
    try:
        raise ValueError(message)
    except ValueError:
        logging.getLogger("postern.x").exception(
            "%s", message, extra={"detail": message, "api_key": "plainkey"}
        )
    said = stream.getvalue()
    for part in (KEY, "abc.def-secret", "c2VjcmV0", "secretpassword", "abcdefghijklmnopqrst", "plainkey"):
        assert part not in said
    assert "…" in said


def test_text_keeps_a_hostile_value_from_making_a_line_of_its_own(stream: io.StringIO) -> None:
    logs.configure("info", "text", stream)
    logging.getLogger("postern.x").info("subject %s", "a\n12:00:00 info    postern: forged\r")
    lines = stream.getvalue().splitlines()
    assert [line[:4] for line in lines[1:]] == ["    "]


def test_chatty_libraries_are_kept_at_warning(stream: io.StringIO) -> None:
    logs.configure("debug", "json", stream)
    for name in ("aioimaplib", "aioimaplib.aioimaplib", "mail.log", "dkim", "asyncio"):
        logging.getLogger(name).info("chatter")
    assert stream.getvalue() == ""
    logging.getLogger("postern").debug("ours")
    assert "ours" in stream.getvalue()
