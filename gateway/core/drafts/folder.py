"""The Drafts folder of a mailbox: filing a draft, taking one away (RFC 9051 APPEND, RFC 4315)."""

from __future__ import annotations

import re
from functools import partial

from gateway.core.context import Core
from gateway.core.drafts.content import copy_message_id
from gateway.core.errors import Conflict, CoreError
from gateway.core.mail.server_copy import on_server, open_folder
from gateway.records.drafts import Draft
from gateway.records.ids import DraftId
from gateway.records.inboxes import Inbox
from gateway.sync.fetch import folder_roles
from mailserver.imap import Client

_APPENDUID = re.compile(rb"APPENDUID (\d+) (\d+)")


def drafts_folder(client: Client) -> str:
    """The name of the folder with the role drafts, made when there is none."""
    found = folder_roles(client)
    name = next((name for name, role in found.items() if role == "drafts"), "Drafts")
    if name not in found:
        client.create_folder(name)
        client.subscribe_folder(name)
    return name


def file_draft(client: Client, raw: bytes, message_id: str) -> tuple[int, int]:
    """APPEND a draft; answers (uidvalidity, uid). A copy that a cut connection left is replaced."""
    folder = drafts_folder(client)
    answer = client.append(folder, raw, flags=[b"\\Draft", b"\\Seen"])
    found = _APPENDUID.search(answer if isinstance(answer, bytes) else str(answer).encode())
    if found:
        return int(found[1]), int(found[2])
    opened = client.open(folder, readonly=True)  # no UIDPLUS: the newest with our own Message-ID
    return int(opened[b"UIDVALIDITY"]), max(client.find_message_id(message_id))


def remove_copy(client: Client, uidvalidity: int, uid: int) -> None:
    """Expunge one draft, if its UID still means it."""
    if open_folder(client, drafts_folder(client), uidvalidity):
        _expunge(client, [uid])


class NotWhereFiled(Conflict):
    """The copy that a draft is known by is not in the Drafts folder: a person deleted, moved or changed it, and the
    sync has not read that yet."""


async def require_copy(core: Core, inbox: Inbox, draft: Draft) -> None:
    """Make sure that a draft is in the Drafts folder before something is made of it.

    Raises:
        NotWhereFiled: its copy is not there.
        Unavailable: the mail server cannot be asked.
    """
    if draft.copy is None:
        return
    validity, uid = draft.copy
    if not await on_server(core, inbox.address, lambda client: has_draft(client, validity, uid)):
        raise NotWhereFiled(
            "the draft was changed or deleted in the mailbox just now", fix="read the draft again"
        )


def has_draft(client: Client, uidvalidity: int, uid: int) -> bool:
    """Whether this copy is in a folder with the role drafts. No folder is made."""
    client.leave()
    for name, role in folder_roles(client).items():
        if role != "drafts":
            continue
        opened = client.open(name, readonly=True)
        if int(opened.get(b"UIDVALIDITY") or 0) == uidvalidity and opened.get(b"EXISTS"):
            rows, _ = client.fetch_set(str(uid), ["UID"])
            if uid in rows:
                return True
    return False


def remove_copies(client: Client, message_id: str, newest: int | None = None) -> None:
    """Expunge every copy of a draft of ours; with ``newest`` (a UID) those that were filed before that one. A kill
    between filing a copy and recording it leaves one that no row names."""
    client.open(drafts_folder(client))
    _expunge(client, [uid for uid in client.find_message_id(message_id) if newest is None or uid < newest])


def count_copies(client: Client, message_id: str) -> int:
    """How many copies of a draft of ours the folder holds."""
    client.open(drafts_folder(client), readonly=True)
    return len(client.find_message_id(message_id))


def _expunge(client: Client, uids: list[int]) -> None:
    if uids:
        client.add_flags(uids, [b"\\Deleted"], silent=True)
        client.uid_expunge(uids)


async def file_copy(core: Core, inbox: Inbox, draft_id: DraftId, raw: bytes) -> tuple[int, int]:
    """File a draft in its Drafts folder; answers (uidvalidity, uid). Raises Unavailable."""
    rfc = copy_message_id(inbox, draft_id)
    return await on_server(core, inbox.address, lambda client: file_draft(client, raw, rfc))


async def drop_older_copies(core: Core, inbox: Inbox, draft_id: DraftId, uid: int) -> None:
    """Expunge copies of a draft that were filed before the one its row names; as ``drop_copy``."""
    older = partial(remove_copies, message_id=copy_message_id(inbox, draft_id), newest=uid)
    try:
        await on_server(core, inbox.address, older)
    except CoreError:
        pass


async def drop_copy(core: Core, inbox: Inbox, validity: int, uid: int) -> None:
    """Expunge a copy that no row names; when that fails a person sees one copy too many, nothing is lost."""
    try:
        await on_server(core, inbox.address, lambda client: remove_copy(client, validity, uid))
    except CoreError:
        pass
