"""Reads a send or reply from JSON or multipart/form-data (contract, "Send"). In a form, a list or the files may be
written as ``to[0]``, ``to[1]``, as ``to[]`` or as repeated ``to``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

import msgspec

from gateway.api.body import decode_body, read_body
from gateway.api.multipart import Form, is_form, read_form
from gateway.api.routing import Call
from gateway.api.unknown_fields import check_form, refuses
from gateway.core.errors import Invalid, Missing
from gateway.core.sending.request_attachments import FileGiven, load_files, uploaded
from gateway.mime.types import OutgoingAttachment

MAX_FILES = 5
MAX_FILE = 10 * 1024 * 1024
MAX_FILES_TOGETHER = MAX_FILES * MAX_FILE
_MAX_FORM_TEXT = 4 * 1024 * 1024
_LISTS = ("to", "cc", "bcc")
_TEXTS = ("subject", "text", "html")
_FLAGS = {"true": True, "1": True, "on": True, "false": False, "0": False, "off": False}

Doc = msgspec.Meta
Addresses = Annotated[
    list[str] | str | None, Doc(description="addresses, a@b or Name <a@b>: a list, or one as a string")
]


class FileBody(msgspec.Struct):
    """A file in a JSON body, at most 10 MiB."""

    filename: str
    content: Annotated[str, Doc(description="base64")]
    content_type: str | None = None
    mime_type: Annotated[str | None, Doc(description="the same as content_type")] = None


class ReplyBody(msgspec.Struct, kw_only=True):
    """A reply: text, HTML or both, and at most 5 files."""

    text: str | None = None
    html: str | None = None
    cc: Addresses = None
    bcc: Addresses = None
    attachments: list[FileBody] | None = None
    track_opens: Annotated[
        bool | None, Doc(description="send message.opened events, where the server allows it; HTML only")
    ] = None


class SendBody(ReplyBody, kw_only=True):
    """An email to send."""

    to: Annotated[Addresses, Doc(description="required: addresses, or one as a string")] = None
    subject: str | None = None


Body = TypeVar("Body", bound=ReplyBody)


@dataclass(frozen=True, slots=True)
class Given(Generic[Body]):
    """A decoded request: ``body`` without its attachments, and the loaded ``files``."""

    body: Body
    files: list[OutgoingAttachment]


async def read_given(call: Call[Any, Any], type: type[Body]) -> Given[Body]:
    """Read and decode the request, and check what core does not. Raises Invalid and TooLarge."""
    core, request = call.core, call.request
    if is_form(request):
        form = await read_form(request, max_text=_MAX_FORM_TEXT, max_files=MAX_FILES_TOGETHER)
        check_form(form.given, type, refuses(core.settings))
        body = _body_of(form, type)
        _check(body)
        files = _files_of(form)
    else:
        body = decode_body(await read_body(request, core.settings.http.max_body), type, core.settings)
        _check(body)
        asked = body.attachments or []
        _check_count(asked)
        body.attachments = None
        named = [
            FileGiven(one.filename, one.content_type or one.mime_type, content=one.content) for one in asked
        ]
        files = await load_files(core, named, most=core.settings.http.max_body)
    for number, one in enumerate(files):
        if len(one.content) > MAX_FILE:
            raise Invalid(
                f"attachments[{number}] is larger than {MAX_FILE} octets (10 MB)",
                field=f"attachments[{number}]",
                fix="send a smaller file, or a link to it",
            )
    return Given(body, files)


def addresses(given: list[str] | str | None) -> list[str]:
    """An address field as a list, without blank entries."""
    return [one for one in ([given] if isinstance(given, str) else given or []) if one.strip()]


def _check(body: ReplyBody) -> None:
    """Check the required fields. Raises Invalid naming every missing one."""
    wrong: list[Invalid] = []
    if isinstance(body, SendBody) and not addresses(body.to):
        wrong.append(Missing("to"))
    if not (body.text or "").strip() and not (body.html or "").strip():
        words = "The text field is required when html is not present."
        wrong.append(Invalid(words, field="text", fix="give text, html or both"))
    if wrong:
        wrong[0].also = wrong[1:]
        raise wrong[0]


def _body_of(form: Form, type: type[Body]) -> Body:
    """Read the text fields; an empty one counts as absent."""
    if form.all("attachments"):
        raise Invalid(
            "attachments holds text, not a file",
            field="attachments",
            fix="with curl: -F 'attachments[0]=@path/to/file'",
        )
    names = type.__struct_fields__
    values: dict[str, Any] = {name: form.all(name) for name in _LISTS if name in names}
    values |= {name: form.one(name) or None for name in _TEXTS if name in names}
    return type(**values, track_opens=_flag(form, "track_opens"))


def _flag(form: Form, name: str) -> bool | None:
    text = form.one(name)
    if text and text.lower() not in _FLAGS:
        raise Invalid(f"{name} is true or false", field=name, fix=f"send {name}=true")
    return _FLAGS[text.lower()] if text else None


def _files_of(form: Form) -> list[OutgoingAttachment]:
    stray = next((one.field for one in form.files if one.field != "attachments"), None)
    if stray is not None:
        raise Invalid(
            f"{stray[:100]!r} is not the field for files", field=stray[:100], fix="call it attachments[0]"
        )
    _check_count(form.files)
    return [
        uploaded(one.filename, one.content_type, one.content, f"attachments[{number}]")
        for number, one in enumerate(form.files)
    ]


def _check_count(files: Sequence[object]) -> None:
    if len(files) > MAX_FILES:
        raise Invalid(
            f"The attachments field must not have more than {MAX_FILES} items.",
            field="attachments",
            fix="send several emails, or links to the files",
        )
