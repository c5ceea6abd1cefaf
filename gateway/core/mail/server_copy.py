"""Reading one message on the mail server: where its copies are, its octets in bounded chunks, its whole text.

A message that was accepted for sending, and that the mail server has not filed yet, is read from the outbox.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from imapclient.exceptions import IMAPClientError

from gateway.core.context import Core
from gateway.core.errors import NotFound, Unavailable
from gateway.mime.limits import Limits
from gateway.mime.types import ParsedMessage
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.folders import Copy
from gateway.records.ids import MessageId
from gateway.records.inboxes import Inbox
from gateway.store.queries.locations import copies_of
from gateway.store.queries.messages import unscoped_message_item, unscoped_message_size
from gateway.store.queries.outbox import held_octets, mime_of
from gateway.sync.fetch import folder_roles
from mailserver.base import MailServerError
from mailserver.content import Content, Spool
from mailserver.imap import Client, UnsafeValue
from mailserver.memory import NoMemory

T = TypeVar("T")

CHUNK = 256 * 1024
_TIMES = 4  # what parsing or forwarding a message takes, in its own size
_PATIENCE = 300.0


async def on_server(core: Core, address: str, work: Callable[[Client], T]) -> T:
    """Run ``work`` on the mailbox. Raises Unavailable when the mail server is down or refuses."""
    try:
        return await core.imap.run(address, work)
    except MailServerError as error:
        raise Unavailable(f"the mail server cannot be reached: {error}") from error
    except UnsafeValue as error:
        raise NotFound("its folder or Message-ID has characters that IMAP cannot carry") from error
    except IMAPClientError as error:
        raise Unavailable(f"the mail server refused: {error}") from error


def search_copies(client: Client, message_id: str) -> list[Copy]:
    """Search Sent and INBOX by Message-ID: for what is on the server and not indexed yet."""
    copies: list[Copy] = []
    for name, role in folder_roles(client).items():
        if role in ("sent", "inbox"):
            validity = int(client.open(name, readonly=True)[b"UIDVALIDITY"])
            copies += [Copy(name, role, validity, uid) for uid in client.find_message_id(message_id)]
    return copies


async def find_copies(core: Core, inbox: Inbox, message_id: MessageId) -> list[Copy]:
    """The copies of a message by the index, else by asking the mail server. May be empty."""
    copies, message = await core.store.read(
        lambda tx: (copies_of(tx, message_id), unscoped_message_item(tx, message_id))
    )
    rfc = message.rfc_message_id if message else None
    if copies or not rfc:
        return copies
    return await on_server(core, inbox.address, lambda client: search_copies(client, rfc))


def open_folder(client: Client, folder: str, uidvalidity: int, *, readonly: bool = False) -> bool:
    """Open a folder; False when it was made anew since, so that its UIDs mean other messages."""
    return int(client.open(folder, readonly=readonly).get(b"UIDVALIDITY") or 0) == uidvalidity


def read_chunk(client: Client, uid: int, section: str, start: int, octets: int) -> bytes | None:
    """``BODY.PEEK[section]<start.octets>`` (RFC 9051 §6.4.5) of the open folder; None when it is not there."""
    rows, _ = client.fetch_set(str(uid), ["UID", f"BODY.PEEK[{section}]<{start}.{octets}>"])
    for key, value in rows.get(uid, {}).items():
        if isinstance(key, bytes) and key.upper().startswith(b"BODY["):
            return bytes(value) if value is not None else None
    return None


async def open_stream(core: Core, inbox: Inbox, message_id: MessageId, section: str) -> AsyncIterator[bytes]:
    """The octets of an IMAP section ('' is the whole message), as the mail server has them, in chunks.

    The first chunk is read before this returns, so what can go wrong goes wrong here.
    Raises NotFound (gone) and Unavailable.
    """
    size = await core.store.read(lambda tx: held_octets(tx, inbox.id, message_id))
    if size is not None:
        if section:
            raise NotFound("the message is not filed on the mail server yet")
        waiting = await _queued(core, inbox, message_id, size)
        if waiting is not None:
            return waiting
    copies = await find_copies(core, inbox, message_id)
    for copy in reversed(copies):  # a message that was just moved has its old copy for a moment

        def first(client: Client, copy: Copy = copy) -> bytes | None:
            if not open_folder(client, copy.folder, copy.uidvalidity, readonly=True):
                return None
            return read_chunk(client, copy.uid, section, 0, CHUNK)

        start = await on_server(core, inbox.address, first)
        if start is not None:
            return _chunks(core, inbox.address, copy, section, start)
    raise NotFound("the message is gone from the mail server", fix="list the messages again")


async def _queued(core: Core, inbox: Inbox, message_id: MessageId, size: int) -> AsyncIterator[bytes] | None:
    """A message that is still in the outbox; None when it has just left it."""
    async with core.memory.hold(inbox.organization_id, 2 * size):
        data = await core.store.read(lambda tx: mime_of(tx, message_id))
        return None if data is None else await stream_of(core, data)


async def stream_of(core: Core, data: bytes) -> AsyncIterator[bytes]:
    """Octets in pieces, from disk where they are many: a slow reader keeps no memory."""
    spool = Spool(core.spool)
    try:
        await spool.append(data)
    except OSError as error:
        spool.close()
        raise Unavailable(f"the message cannot be spooled: {error.strerror}", 60, fix="try again") from error
    return _spooled(spool)


async def _spooled(spool: Spool) -> AsyncIterator[bytes]:
    with spool:
        async for piece in Content(b"", spool).stream():
            yield piece


async def _chunks(core: Core, address: str, copy: Copy, section: str, start: bytes) -> AsyncIterator[bytes]:
    chunk, at = start, 0
    while chunk:
        yield chunk
        at += len(chunk)
        if len(chunk) < CHUNK:
            return

        def more(client: Client, at: int = at) -> bytes | None:
            if client.selected != copy.folder and not open_folder(
                client, copy.folder, copy.uidvalidity, readonly=True
            ):
                return None
            return read_chunk(client, copy.uid, section, at, CHUNK)

        following = await on_server(core, address, more)
        if following is None:
            raise NotFound("the message vanished while it was read")
        chunk = following


async def whole_message(core: Core, inbox: Inbox, message_id: MessageId) -> bytes:
    """All octets of a message, with memory held for them and what they are read for until the request ends.

    Raises NotFound, Unavailable, and TooLarge never: its size is bounded on entry.
    """
    size = await core.store.read(lambda tx: unscoped_message_size(tx, message_id))
    await hold_for(core, size or 0)
    return b"".join([chunk async for chunk in await open_stream(core, inbox, message_id, "")])


async def hold_for(core: Core, octets: int) -> None:
    """Wait for the memory that work on so many octets takes, until the request ends. Raises Unavailable."""
    try:
        await core.memory.need(_TIMES * octets, _PATIENCE)
    except NoMemory:
        raise Unavailable("too many large messages are worked on at once", 10, fix="try again") from None


async def parse_whole(core: Core, raw: bytes) -> ParsedMessage:
    """Parse with bodies uncut. A parser process of its own: one huge mail holds up no other."""
    limits = Limits(text=core.settings.mail.max_message)
    async with ParserPool(1, limits=limits, deadline=20.0) as pool:
        return await pool.parse(raw)
