"""Labels: unread, starred, archive, spam, trash, and the caller's own."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, UnsetType

from gateway.core.access import changes
from gateway.core.errors import Invalid
from gateway.core.mail import relabel
from gateway.core.mail.relabel import Change
from gateway.mcp.arguments import Doc, Id, UnlistedInboxId, ref_of
from gateway.mcp.resolve import message_of, thread_of
from gateway.mcp.toolbox import Answer, Arguments, Call, Result, Toolbox
from gateway.mcp.untrusted_text import one_line
from gateway.records.ids import MESSAGE_ID

box = Toolbox()


class SetLabels(Arguments):
    message_id: Annotated[Id | None, Doc(description="One message.")] = None
    thread_id: Annotated[Id | None, Doc(description="Or a whole thread.")] = None
    add: Annotated[list[str] | None, Doc(description="Labels to add.")] = None
    remove: Annotated[list[str] | None, Doc(description="Labels to remove.")] = None
    inbox_id: UnlistedInboxId = None


class Labels(Result, kw_only=True):
    """The labels after the change, of a message or of a thread."""

    message_id: str | UnsetType = UNSET
    thread_id: str | UnsetType = UNSET
    labels: list[str]


@box.tool("Set labels", access=changes("message_update", test="own"), idempotent=True)
async def set_labels(call: Call[SetLabels]) -> Answer[Labels]:
    """Add and remove labels. Remove unread to mark as read; starred, archive, spam, trash act as in mail programs."""
    args = call.args
    message, thread = ref_of(args.message_id), ref_of(args.thread_id)
    if (message is None) == (thread is None):
        raise Invalid("give either message_id or thread_id", field="message_id", fix="leave the other out")
    if not args.add and not args.remove:
        raise Invalid("nothing to change", field="add", fix="give labels in add, in remove or in both")
    try:
        return await _change(call, message, thread)
    except Invalid as error:
        error.field = (error.field or "add").replace("_labels", "")
        error.message = error.message.replace("_labels", "")
        error.fix = error.fix and error.fix.replace("_labels", "")
        raise


async def _change(call: Call[SetLabels], message: str | None, thread: str | None) -> Answer[Labels]:
    args = call.args
    change = Change(add=args.add or (), remove=args.remove or ())
    if message is not None:
        inbox, ulid = await message_of(call, args.inbox_id, message)
        changed = await relabel.change_labels(call.core, call.scope, inbox, ulid, change)
        shown = MESSAGE_ID.public(ulid)
        result = Labels(message_id=shown, labels=list(changed.labels))
    else:
        found = await thread_of(call, args.inbox_id, thread or "")
        _, labels = await relabel.change_thread(call.core, call.scope, found.inbox_id, found.id, change)
        shown = found.public_id
        result = Labels(thread_id=shown, labels=list(labels))
    names = ", ".join(one_line(label, 64) for label in result.labels) or "none"
    return Answer(f"Labels of {shown}: {names}.", result)
