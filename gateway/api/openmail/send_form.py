"""The request of a send, whichever way it comes: JSON, or multipart/form-data with its files (contract §4)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from gateway.api.body import decode_body, read_body
from gateway.api.errors import from_msgspec
from gateway.api.multipart import Form, is_form, read_form
from gateway.api.routing import Call
from gateway.api.unknown_fields import check_form, refuses
from gateway.core.errors import Invalid, TooLarge
from gateway.core.sending.request_attachments import FileGiven, load_files, uploaded
from gateway.mime.types import OutgoingAttachment

MAX_SUBJECT = 998
MAX_BODY = 100_000
MAX_HTML = 500_000
_MAX_FORM_TEXT = 4 * 1024 * 1024
_YES, _NO = frozenset({"true", "1", "yes", "on"}), frozenset({"false", "0", "no", "off"})

Doc = msgspec.Meta


class FileBody(msgspec.Struct, rename="camel"):
    """A file in a JSON body."""

    filename: str
    data: Annotated[str, Doc(description="base64")]
    content_type: str | None = None


class SendBody(msgspec.Struct, rename="camel"):
    """An email to send, as a new thread or as an answer in one."""

    to: Annotated[str, Doc(description="one email address")]
    body: Annotated[
        str, Doc(min_length=1, max_length=MAX_BODY, description="plain text or HTML; which, is recognised")
    ]
    subject: Annotated[
        str | None,
        Doc(description=f"1 to {MAX_SUBJECT} characters; required without threadId, ignored with it"),
    ] = None
    body_html: Annotated[str, Doc(max_length=MAX_HTML)] | None = None
    thread_id: str | None = None
    include_quote: Annotated[bool | None, Doc(description="quote the last message; default true")] = None
    reply_to: str | None = None
    cc: list[str] | None = None
    bcc: Annotated[list[str] | None, Doc(description="who gets a copy without the others seeing it")] = None
    unsubscribe: Annotated[
        bool | None,
        Doc(description="give the one recipient a one-click unsubscribe link (RFC 8058); our addition"),
    ] = None
    attachments: list[FileBody] | None = None


_FORM_NAMES = ("to", "subject", "body", "bodyHtml", "threadId", "replyTo")


@dataclass(frozen=True, slots=True)
class SendGiven:
    """A send as it was asked: ``body`` without its files, which are ready to go."""

    body: SendBody
    files: list[OutgoingAttachment]


async def read_send(call: Call[Any, Any]) -> SendGiven:
    """Read and decode the request. Raises Invalid and TooLarge."""
    core, request = call.core, call.request
    if is_form(request):
        limits = core.settings.limits
        form = await read_form(request, max_text=_MAX_FORM_TEXT, max_files=limits.attachment_bytes)
        check_form(form.given, SendBody, refuses(core.settings))
        return SendGiven(_body_of(form), _files_of(form, limits.attachments, limits.attachment_bytes))
    body = decode_body(await read_body(request, core.settings.http.max_body), SendBody, core.settings)
    given = [FileGiven(one.filename, one.content_type, content=one.data) for one in body.attachments or []]
    files = await load_files(core, given, content_name="data")
    body.attachments = None
    return SendGiven(body, files)


def _body_of(form: Form) -> SendBody:
    """The text fields; one that was left empty was not given."""
    values: dict[str, Any] = {}
    for name in _FORM_NAMES:
        value = form.one(name)
        if value:
            values[name] = value
    for name in ("includeQuote", "unsubscribe"):
        word = (form.one(name) or "").strip().lower()
        if not word:
            continue
        if word not in _YES | _NO:
            raise Invalid(f"{name} takes true or false", field=name, fix=f"write {name}=false")
        values[name] = word in _YES
    for name in ("cc", "bcc"):
        values[name] = [one for one in form.all(name) if one.strip()]
    if form.all("attachments"):
        raise Invalid(
            "attachments holds text, not a file",
            field="attachments",
            fix="with curl: -F attachments=@path/to/file",
        )
    try:
        return msgspec.convert(values, SendBody)
    except msgspec.ValidationError as error:
        raise from_msgspec(error) from error


def _files_of(form: Form, most: int, octets: int) -> list[OutgoingAttachment]:
    stray = next((one.field for one in form.files if one.field != "attachments"), None)
    if stray is not None:
        raise Invalid(f"{stray[:100]!r} is no field for files", field=stray[:100], fix="call it attachments")
    if len(form.files) > most:
        raise TooLarge(f"{len(form.files)} attachments are too many: at most {most}", field="attachments")
    if sum(len(one.content) for one in form.files) > octets:
        raise TooLarge(
            f"the attachments are larger than {octets} octets",
            field="attachments",
            fix="send fewer or smaller attachments, or links to them",
        )
    return [
        uploaded(one.filename, one.content_type, one.content, f"attachments[{number}]")
        for number, one in enumerate(form.files)
    ]
