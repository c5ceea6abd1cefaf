"""Messages of an inbox: list, read, label, delete, batches, the raw message."""

from __future__ import annotations

from typing import Any

from gateway.api.agentmail import sending
from gateway.api.agentmail.filters import MessageQuery, SearchQuery, addresses_of, page_of, read_filter
from gateway.api.agentmail.labels_body import BatchIds, BatchLabels, LabelsBody, in_order
from gateway.api.agentmail.links import raw_link
from gateway.api.agentmail.views import (
    Batch,
    BatchUpdated,
    MessageItem,
    MessageView,
    RawLink,
    Updated,
    message_item,
    message_view,
)
from gateway.api.paging import read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import changes, reads
from gateway.core.mail import delete as removal
from gateway.core.mail import messages, search
from gateway.core.mail.relabel import change_labels, change_many

table = Table("Messages")
table.include(sending.table)

_ALL = "/inboxes/{inbox_id}/messages"
_EVERYWHERE = "/messages"
_ONE = "/inboxes/{inbox_id}/messages/{message_id:rest}"


@table.get(_ALL, rows=("messages", MessageItem), also=[_EVERYWHERE], access=reads("message_read"))
async def list_messages(call: Call[NoBody, MessageQuery]) -> dict[str, Any]:
    """List the messages of an inbox, or of every inbox of the key, sent and received, newest first."""
    paging = read_paging(call.query, call.core.secret)
    wanted = read_filter(call.query)
    listing = await messages.list_messages(
        call.core, call.scope, call.ids.get("inbox_id"), wanted, paging.window
    )
    return await page_of(call, listing, paging, "messages", message_item)


@table.get(
    f"{_ALL}/search",
    rows=("messages", MessageItem),
    also=[f"{_EVERYWHERE}/search"],
    access=reads("message_read"),
)
async def search_messages(call: Call[NoBody, SearchQuery]) -> dict[str, Any]:
    """Search messages by words of their subject, people and text, best match first."""
    paging = read_paging(call.query, call.core.secret)
    listing = await search.search_messages(
        call.core,
        call.scope,
        call.ids.get("inbox_id"),
        call.query.words,
        read_filter(call.query),
        paging.window,
        call.query.order,
    )
    return await page_of(call, listing, paging, "messages", message_item)


@table.get(_ONE, also=[f"{_EVERYWHERE}/{{message_id}}"], access=reads("message_read"))
async def get_message(call: Call[NoBody, NoQuery]) -> MessageView:
    """Get a message with its full content."""
    mail = await messages.get_message(call.core, call.scope, call.ids.get("inbox_id"), call.ids["message_id"])
    return message_view(mail, await addresses_of(call, [mail]))


@table.patch(_ONE, access=changes("message_update", test="own"))
async def update_message(call: Call[LabelsBody, NoQuery]) -> MessageView:
    """Change a message's labels: replace them, or add and remove some."""
    inbox_ref = call.ids["inbox_id"]
    changed = await change_labels(
        call.core, call.scope, inbox_ref, call.ids["message_id"], call.body.change()
    )
    mail = None
    if call.scope.allows("message_read"):
        mail = await messages.get_indexed(call.core, changed.message.id)
    view = message_view(mail or changed, await addresses_of(call, [changed]))
    view.labels = in_order(changed.labels, call.body.labels)
    return view


@table.delete(_ONE, access=changes("message_delete", test="own"))
async def delete_message(call: Call[NoBody, NoQuery]) -> None:
    """Delete a message permanently, from the mail server too."""
    await removal.delete_messages(call.core, call.scope, call.ids["inbox_id"], [call.ids["message_id"]])


@table.get(f"{_ONE}/raw", access=reads("message_read"))
async def get_raw(call: Call[NoBody, NoQuery]) -> RawLink:
    """Get a link to the message as the mail server stores it (.eml)."""
    found = await messages.get_messages(
        call.core, call.scope, call.ids["inbox_id"], [call.ids["message_id"]], strict=True
    )
    return raw_link(call, found[0].message)


@table.post(f"{_ALL}/batch-get", access=reads("message_read"))
async def batch_get(call: Call[BatchIds, NoQuery]) -> Batch:
    """Get up to 100 messages at once, without their bodies."""
    asked = call.body.message_ids
    found = await messages.get_messages(call.core, call.scope, call.ids["inbox_id"], asked)
    addresses = await addresses_of(call, found)
    return Batch(messages.MAX_BATCH, len(found), [message_view(one, addresses) for one in found])


@table.post(f"{_ALL}/batch-update", access=changes("message_update", test="own"))
async def batch_update(call: Call[BatchLabels, NoQuery]) -> BatchUpdated:
    """Change the labels of up to 100 messages at once."""
    changed = await change_many(
        call.core, call.scope, call.ids["inbox_id"], call.body.message_ids, call.body.change()
    )
    updates = [Updated(one.message.public_id, in_order(one.labels, call.body.labels)) for one in changed]
    return BatchUpdated(messages.MAX_BATCH, len(updates), updates)
