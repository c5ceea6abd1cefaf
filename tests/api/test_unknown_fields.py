"""Fields that an operation does not know: which are refused, and how they are named."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import pytest

from gateway.api.routing import NoBody
from gateway.api.unknown_fields import check_form, check_json
from gateway.core.errors import Invalid

RECIPIENTS = """
    bcc BCC Bcc b_cc bcc_list bccEmails bcc_addresses Cc CC cc_email cc-recipients reply_to replyto Reply-To
    replyToEmail reply_to_addresses To TO to_emails toAddress recipient recipients rcpt rcpt_to sendTo reply_all
    replyAll blind_copy additional_recipients
"""
OTHERS = "subject tone total topic token cccp account accept store tools protocol html tag from thread_id reply copy"


class File(msgspec.Struct, rename="camel"):
    name: str = ""
    content_type: str | None = None


class Letter(msgspec.Struct, rename="camel"):
    to: str = ""
    cc: list[str] | None = None
    reply_to: str | None = None
    files: Annotated[list[File] | None, msgspec.Meta(description="files")] = None
    context: File | None = None
    headers: dict[str, str] = {}


def refused(body: Any, type: Any = Letter, every: bool = False) -> list[str]:
    """The fields that are refused."""
    try:
        check_json(msgspec.json.encode(body), type, every)
    except Invalid as error:
        return [str(one.field) for one in (error, *error.also)]
    return []


@pytest.mark.parametrize("name", RECIPIENTS.split())
def test_who_gets_the_mail_is_never_dropped(name: str) -> None:
    assert refused({"to": "a@x.test", name: ["b@x.test"]}) == [name]
    with pytest.raises(Invalid) as refusal:
        check_form(["to", name], Letter, False)
    assert refusal.value.field == name


@pytest.mark.parametrize("name", OTHERS.split())
def test_other_unknown_fields_are_ignored(name: str) -> None:
    assert refused({"to": "a@x.test", name: "x"}) == []
    check_form(["to", name], Letter, False)
    assert refused({"to": "a@x.test", name: "x"}, every=True) == [name]


@pytest.mark.parametrize("value", [None, [], "", {}, False])
def test_a_field_without_a_value_changes_nothing(value: Any) -> None:
    assert refused({"to": "a@x.test", "bcc": value}) == []
    check_json(b'{"bcc": [ \n ]}', Letter, False)
    assert refused({"to": "a@x.test", "bcc": value}, every=True) == ["bcc"]


def test_the_error_names_the_spelling_that_is_known_and_every_wrong_field() -> None:
    with pytest.raises(Invalid) as refusal:
        check_json(b'{"reply_to": "a@x.test", "bcc": ["b@x.test"]}', Letter, False)
    assert refusal.value.fix == "write replyTo"
    assert [one.field for one in refusal.value.also] == ["bcc"]


def test_an_operation_without_fields_is_no_exception() -> None:
    assert refused({"to": "a@x.test"}, NoBody) == ["to"]
    for body in (b"", b"nonsense", b"[1]", b'{"to"', b"null"):
        check_json(body, NoBody, True)


def test_every_unknown_field_is_refused_where_that_is_asked_also_within() -> None:
    body = {
        "to": "a@x.test",
        "headers": {"X-Any": "1"},
        "files": [{"name": "a", "contentType": None}, {"content_type": "text/plain"}],
        "context": {"cc": 1},
        "more": 1,
    }
    assert refused(body) == []
    assert refused(body, every=True) == ["files[1].content_type", "context.cc", "more"]
    body = {f"unknown{number}": 1 for number in range(1000)}
    assert len(refused(body, every=True)) == 20
