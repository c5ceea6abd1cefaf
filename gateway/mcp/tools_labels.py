"""Labels: read and unread, starred, archive, spam, trash, and any of one's own."""

from __future__ import annotations

from typing import Annotated

from gateway.core.access import changes
from gateway.core.errors import Invalid
from gateway.core.mail import relabel
from gateway.core.mail.relabel import Change
from gateway.mcp.arguments import Doc, Id, InboxId, ref_of
from gateway.mcp.resolve import message_of, thread_of
from gateway.mcp.toolbox import Answer, Arguments, Call, Toolbox
from gateway.mcp.untrusted_text import one_line
from gateway.records.ids import public_id

box = Toolbox()


class SetLabels(Arguments):
    message_id: Annotated[Id | None, Doc(description="The message; or give thread_id.")] = None
    thread_id: Annotated[Id | None, Doc(description="Every message of this thread.")] = None
    add: Annotated[list[str] | None, Doc(description="Labels to add, such as unread, starred or done.")] = (
        None
    )
    remove: Annotated[list[str] | None, Doc(description="Labels to take away.")] = None
    inbox_id: InboxId = None


@box.tool("Set labels", access=changes("message_update", test="own"), idempotent=True)
async def set_labels(call: Call[SetLabels]) -> Answer:
    """Add and remove labels of a message or a thread. Remove unread to mark it read; add starred, archive, spam or
    trash to do what a mail program does; any other word is a label of your own."""
    args = call.args
    message, thread = ref_of(args.message_id), ref_of(args.thread_id)
    if (message is None) == (thread is None):
        raise Invalid(
            "give message_id or thread_id, one of them", field="message_id", fix="leave the other out"
        )
    if not args.add and not args.remove:
        raise Invalid("nothing to change", field="add", fix="give labels in add, in remove or in both")
    try:
        return await _change(call, message, thread)
    except Invalid as error:
        error.field = (error.field or "add").replace("_labels", "")
        error.message = error.message.replace("_labels", "")
        error.fix = error.fix and error.fix.replace("_labels", "")
        raise


async def _change(call: Call[SetLabels], message: str | None, thread: str | None) -> Answer:
    args = call.args
    change = Change(add=args.add or (), remove=args.remove or ())
    if message is not None:
        inbox, ulid = await message_of(call, args.inbox_id, message)
        changed = await relabel.change_labels(call.core, call.scope, inbox, ulid, change)
        shown, labels = public_id("msg", ulid), changed.labels
    else:
        found = await thread_of(call, args.inbox_id, thread or "")
        _, labels = await relabel.change_thread(call.core, call.scope, found.inbox_id, found.id, change)
        shown = found.public_id
    words = ", ".join(one_line(label, 64) for label in labels) or "none"
    return Answer(f"Labels of {shown}: {words}.", {"id": shown, "labels": list(labels)})
