"""Finding things by any id a dialect shows, inside the caller's reach (DESIGN §1.6).

Another organization's things do not exist (NotFound); things of the own organization outside the key's pod
or inbox are Forbidden.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from urllib.parse import unquote

from gateway.core.errors import Forbidden, NotFound
from gateway.records.accounts import Pod
from gateway.records.drafts import Draft
from gateway.records.ids import DRAFT_ID, INBOX_ID, MESSAGE_ID, POD_ID, THREAD_ID, MessageId, PodId, number_in
from gateway.records.inboxes import Inbox
from gateway.records.mail import Message, Thread
from gateway.store.queries.drafts import shown_draft
from gateway.store.queries.inboxes import (
    numbered_inbox,
    unscoped_inbox,
    unscoped_inbox_at,
    unscoped_inbox_named,
)
from gateway.store.queries.messages import (
    is_in_inbox,
    newest_message_id,
    numbered_message_id,
    visible_message,
    visible_numbered_message,
)
from gateway.store.queries.pods import pod_with_client_id, pod_with_id
from gateway.store.queries.threads import has_visible_message, numbered_thread, organization_thread
from gateway.store.scope import Scope
from gateway.store.threads import ref_of
from gateway.store.transaction import Tx

MAX_CLIENT_ID = 256
_MAX_REF = 2000


def require(scope: Scope, permission: str) -> None:
    """Raise Forbidden unless the key has ``permission``."""
    if not scope.allows(permission):
        raise Forbidden(
            f"this API key lacks the permission {permission}",
            fix=f"use a key with {permission}, or grant it with PATCH /api-keys/{{key_id}}",
        )


class MadeByKey(Protocol):
    """A record that says whether a sandbox key made it."""

    @property
    def test(self) -> bool: ...


def require_own_test(scope: Scope, records: Iterable[MadeByKey], what: str) -> None:
    """Raise Forbidden when a sandbox key would change something live; ``what`` names one of ``records``."""
    if scope.test and not all(record.test for record in records):
        raise Forbidden(
            f"a sandbox key may not do this: the {what} is live",
            fix=f"use a live key, or a {what} that a sandbox key made",
        )


def find_inbox(tx: Tx, scope: Scope, ref: str) -> Inbox:
    """The inbox by ``inb_…``, ULID, number or address. Raises NotFound or Forbidden."""
    inbox = None
    wanted = INBOX_ID.parse(ref)
    if wanted:
        inbox = unscoped_inbox(tx, wanted)
    elif (number := number_in(ref)) is not None:
        inbox = numbered_inbox(tx, scope, number)
    elif "@" in ref or "%40" in ref:
        inbox = unscoped_inbox_at(tx, ref) or unscoped_inbox_at(tx, unquote(ref))
    if inbox is None or inbox.organization_id != scope.organization or inbox.status == "deleting":
        raise NotFound(f"there is no inbox {ref[:320]!r}", fix="GET /inboxes lists the inboxes of this key")
    if (scope.pod and inbox.pod_id != scope.pod) or (scope.inbox and inbox.id != scope.inbox):
        raise Forbidden("this API key does not reach that inbox", fix="use a key of the organization")
    return inbox


def find_any_inbox(tx: Tx, ref: str) -> Inbox:
    """An inbox of any organization by ``inb_…``, ULID or address, for the operator. Raises NotFound."""
    inbox = unscoped_inbox_named(tx, INBOX_ID.parse(ref), ref)
    if inbox is None:
        raise NotFound(f"there is no inbox {ref[:320]!r}", fix="give its address, or its id: inb_…")
    return inbox


def find_reachable_inbox(tx: Tx, scope: Scope, ref: str) -> Inbox:
    """An inbox that the key reaches; the operator's key reaches every organization. Raises NotFound or Forbidden."""
    return find_any_inbox(tx, ref) if scope.operator else find_inbox(tx, scope, ref)


def find_pod(tx: Tx, scope: Scope, ref: str) -> Pod:
    """A pod by ``pod_…``, ULID or the client's own id. Raises NotFound or Forbidden."""
    pod = None
    wanted = POD_ID.parse(ref)
    if wanted:
        pod = pod_with_id(tx, scope, wanted)
    if pod is None and len(ref) <= MAX_CLIENT_ID and "\x00" not in ref:
        pod = pod_with_client_id(tx, scope, ref.strip())
    if pod is None:
        raise NotFound(f"there is no pod {ref[:100]!r}", fix="GET /pods lists the pods of this key")
    home = scope.pod
    if scope.inbox:
        home = inbox.pod_id if (inbox := unscoped_inbox(tx, scope.inbox)) else PodId("")
    if home is not None and pod.id != home:
        raise Forbidden("this API key does not reach that pod", fix="use a key of the organization")
    return pod


def find_message_id(tx: Tx, inbox: Inbox, ref: str) -> MessageId:
    """The ULID of a message of ``inbox`` by ``msg_…``, ULID, number or RFC Message-ID (newest wins)."""
    found = None
    wanted = MESSAGE_ID.parse(ref)
    if wanted:
        found = wanted if is_in_inbox(tx, inbox.id, wanted) else None
    elif (number := number_in(ref)) is not None:
        found = numbered_message_id(tx, inbox.id, number)
    if found is None and wanted is None and len(ref) <= _MAX_REF:
        for text in dict.fromkeys((ref.strip(), unquote(ref).strip())):
            for form in (text, f"<{text}>"):
                found = found or newest_message_id(tx, inbox.id, ref_of(form))
    if found is None:
        raise NotFound(
            f"there is no message {ref[:320]!r} in this inbox",
            fix="GET /inboxes/{inbox_id}/messages lists the messages; a deleted one is gone for good",
        )
    return found


def find_message(tx: Tx, scope: Scope, ref: str) -> Message:
    """A message anywhere inside the reach, by ``msg_…``, ULID or number. Raises NotFound or Forbidden."""
    message = None
    wanted = MESSAGE_ID.parse(ref)
    if wanted:
        message = visible_message(tx, scope, wanted)
    elif (number := number_in(ref)) is not None:
        message = visible_numbered_message(tx, scope, number)
    if message is None:
        raise NotFound(
            f"there is no message {ref[:320]!r}",
            fix="GET /inboxes/{inbox_id}/messages lists the messages; a deleted one is gone for good",
        )
    find_inbox(tx, scope, message.inbox_id)
    return message


def find_thread(tx: Tx, scope: Scope, inbox: Inbox | None, ref: str) -> Thread:
    """A thread by ``thr_…``, ULID or number; with ``inbox`` None anywhere inside the reach.

    Raises NotFound or Forbidden.
    """
    thread = None
    wanted = THREAD_ID.parse(ref)
    if wanted:
        thread = organization_thread(tx, scope, wanted)
    elif (number := number_in(ref)) is not None:
        thread = numbered_thread(tx, scope, number)
    if thread is None or not has_visible_message(tx, scope, thread):
        thread = None
    elif inbox is None:
        find_inbox(tx, scope, thread.inbox_id)
    elif thread.inbox_id != inbox.id:
        thread = None
    if thread is None:
        raise NotFound(f"there is no thread {ref[:320]!r}", fix="GET /threads lists the threads of this key")
    return thread


def find_thread_and_inbox(tx: Tx, scope: Scope, inbox_ref: str | None, ref: str) -> tuple[Inbox, Thread]:
    """A thread of the inbox ``inbox_ref``, or with None anywhere inside the reach. Raises NotFound or Forbidden."""
    inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
    thread = find_thread(tx, scope, inbox, ref)
    return inbox or find_inbox(tx, scope, thread.inbox_id), thread


def find_draft(tx: Tx, scope: Scope, inbox: Inbox | None, ref: str) -> Draft:
    """A draft by ``dft_…`` or ULID; with ``inbox`` None anywhere inside the reach. Raises NotFound or Forbidden."""
    wanted = DRAFT_ID.parse(ref)
    draft = shown_draft(tx, scope, wanted) if wanted else None
    if draft is not None and inbox is None:
        find_inbox(tx, scope, draft.inbox_id)
    elif draft is not None and inbox is not None and draft.inbox_id != inbox.id:
        draft = None
    if draft is None:
        raise NotFound(f"there is no draft {ref[:320]!r}", fix="GET /drafts lists the drafts of this key")
    return draft
