"""The tools as they are listed: schemas that every client accepts, names and hints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from gateway.core.errors import Invalid
from gateway.mcp.toolbox import Tool, decode
from gateway.mcp.tools import all_tools

TOOLS = all_tools()
DOCUMENTED = {
    "send_email": {
        "inbox_id",
        "to",
        "cc",
        "bcc",
        "subject",
        "text",
        "html",
        "attachments",
        "idempotency_key",
    },
    "check_inbox": {"inbox_id", "limit", "page"},
    "read_message": {"inbox_id", "message_id"},
    "reply_to_email": {"inbox_id", "message_id", "text", "html", "cc", "bcc", "attachments"},
    "wait_for_email": {"inbox_id", "from", "subject", "timeout", "since"},
    "list_inboxes": {"page", "per_page"},
    "create_inbox": {"name", "email"},
    "search_messages": {"query", "inbox_id", "fields", "date_from", "date_to"},
}
PLAIN = {
    "type",
    "description",
    "properties",
    "required",
    "items",
    "enum",
    "minimum",
    "maximum",
}
every_tool = pytest.mark.parametrize("tool", TOOLS.values(), ids=TOOLS)


def nodes(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    for one in schema.get("properties", {}).values():
        yield from nodes(one)
    if "items" in schema:
        yield from nodes(schema["items"])


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_tools_take_the_documented_arguments(name: str) -> None:
    assert DOCUMENTED[name] <= set(TOOLS[name].schema["properties"])


@every_tool
def test_a_schema_is_valid_and_plain(tool: Tool) -> None:
    schema = tool.schema
    Draft202012Validator.check_schema(schema)
    Draft7Validator.check_schema(schema)
    assert schema["type"] == "object"
    for node in nodes(schema):
        assert set(node) <= PLAIN, "no $ref, anyOf, oneOf, default …: some clients refuse the tool"
        assert isinstance(node["type"], str)
    for name, one in schema["properties"].items():
        assert one["description"], name


@every_tool
def test_the_schema_of_a_result_is_valid_and_fits_a_refusal(tool: Tool) -> None:
    """Clients in TypeScript check the data of a refused call against it, too."""
    schema = tool.output_schema
    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert schema["properties"]
    Draft202012Validator(schema).validate({"error": {"code": "not_found", "message": "there is none"}})


@every_tool
def test_ids_have_one_name_in_arguments_and_results(tool: Tool) -> None:
    names = {*tool.schema["properties"], *tool.output_schema["properties"]}
    assert not names & {"id", "message", "thread", "draft", "inbox"} & set(tool.schema["properties"])
    ids = {name for name in names if name.endswith("id")}
    assert ids <= {"inbox_id", "message_id", "thread_id", "draft_id", "reply_to_message_id"}


@every_tool
def test_a_tool_says_what_it_is(tool: Tool) -> None:
    assert tool.title
    assert 20 < len(tool.description) < 400
    reads = tool.name.split("_")[0] in ("check", "read", "list", "search", "wait")
    sends = tool.name.split("_")[0] in ("send", "reply", "forward")
    assert (tool.read_only, tool.open_world) == (reads, sends)
    assert tool.destructive == tool.name.startswith("delete")


def test_recipients_may_be_a_list_or_one_text() -> None:
    tool = TOOLS["send_email"]
    Draft202012Validator(tool.schema).validate({"to": ["a@b.test"], "cc": ["c@d.test"], "subject": "x"})
    for to in (["a@b.test"], "a@b.test"):
        assert decode(tool, {"to": to, "subject": "x"}).to == to


def test_null_numbers_as_text_and_ids_as_numbers_do() -> None:
    args = decode(TOOLS["check_inbox"], {"inbox_id": 12, "limit": "5", "page": None})
    assert (args.inbox_id, args.limit, args.page) == (12, 5, 1)


def test_an_argument_that_is_not_known_is_never_dropped() -> None:
    with pytest.raises(Invalid, match="'ccs'") as caught:
        decode(TOOLS["send_email"], {"to": "a@b.test", "subject": "x", "ccs": ["c@d.test"]})
    assert caught.value.field == "ccs"
    assert "cc, bcc" in str(caught.value.fix)


def test_what_is_missing_or_of_another_type_is_named() -> None:
    with pytest.raises(Invalid) as caught:
        decode(TOOLS["send_email"], {"to": "a@b.test"})
    assert caught.value.field == "subject"
    with pytest.raises(Invalid) as caught:
        decode(TOOLS["send_email"], {"to": [1], "subject": "x"})
    assert caught.value.field == "to[0]"


def test_the_whole_list_is_not_a_burden() -> None:
    listed = [{"name": one.name, "about": one.description, "schema": one.schema} for one in TOOLS.values()]
    assert len(msgspec.json.encode(listed)) < 16_000


def test_an_id_that_a_tool_does_not_need_is_accepted_all_the_same() -> None:
    for name in ("forward_email", "read_attachment", "read_thread", "set_labels"):
        assert "inbox_id" not in TOOLS[name].schema["properties"]
    args = decode(TOOLS["read_thread"], {"thread_id": "thr_1", "inbox_id": "a@b.test"})
    assert args.inbox_id == "a@b.test"


def test_an_edit_tells_what_is_left_out_from_what_is_emptied() -> None:
    args = decode(TOOLS["update_draft"], {"draft_id": "drf_1", "html": "", "cc": [], "bcc": None})
    assert (args.html, args.cc) == ("", [])
    assert args.bcc is args.text is args.to is msgspec.UNSET
