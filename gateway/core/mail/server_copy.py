"""Reading one message on the mail server: where it stands, its octets in bounded chunks, its whole text.

A message we accepted and the mail server has not filed yet is read from the outbox.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from imapclient.exceptions import IMAPClientError

from gateway.core.context import Core
from gateway.core.errors import NotFound, Unavailable
from gateway.mime.limits import Limits
from gateway.mime.types import ParsedMessage
from gateway.mime.workers.parser_pool import ParserPool
from gateway.records.inboxes import Inbox
from gateway.store.queries.locations import copies_of
from gateway.store.queries.messages import unscoped_message_item, unscoped_message_size
from gateway.store.queries.outbox import held_octets, mime_of
from gateway.store.transaction import Tx
from mailserver.base import MailServerError
from mailserver.content import Content, Spool
from mailserver.imap import Client, UnsafeValue
from mailserver.memory import NoMemory

T = TypeVar("T")

CHUNK = 256 * 1024
_TIMES = 4  # what parsing or forwarding a message takes, in its own size
_PATIENCE = 300.0


@dataclass(frozen=True, slots=True)
class Spot:
    """One place of a message on the mail server. ``location_id`` None: found by searching, not indexed yet."""

    folder: str
    role: str
    uid: int
    uidvalidity: int
    flags: tuple[str, ...] = ()
    location_id: int | None = None
    folder_id: int | None = None


async def on_server(core: Core, address: str, work: Callable[[Client], T]) -> T:
    """Run ``work`` on the mailbox. Raises Unavailable when the mail server is down or refuses."""
    try:
        return await core.imap.run(address, work)
    except MailServerError as error:
        raise Unavailable(f"the mail server cannot be reached: {error}") from error
    except UnsafeValue as error:
        raise NotFound("its place on the mail server has no usable name") from error
    except IMAPClientError as error:
        raise Unavailable(f"the mail server refused: {error}") from error


def spots_of(tx: Tx, message_id: str) -> list[Spot]:
    """Where a message stands, the place it came to last first."""
    return [
        Spot(copy.folder, copy.role, copy.uid, copy.uidvalidity, copy.flag_names, copy.id, copy.folder_id)
        for copy in reversed(copies_of(tx, message_id))
    ]


def look_for(client: Client, message_id: str) -> list[Spot]:
    """Search Sent and INBOX by Message-ID: for what is on the server and not indexed yet."""
    found: list[Spot] = []
    for flags, _, name in client.list_folders():
        lowered = {flag.lower() for flag in flags}
        role = "sent" if b"\\sent" in lowered else "inbox" if name.upper() == "INBOX" else ""
        if role:
            opened = client.open(name, readonly=True)
            uids = client.find_message_id(message_id)
            found += [Spot(name, role, uid, int(opened[b"UIDVALIDITY"])) for uid in uids]
    return found


async def locate(core: Core, inbox: Inbox, message_id: str) -> list[Spot]:
    """The places of a message by the index, else by asking the mail server. May be empty."""
    spots, message = await core.store.read(
        lambda tx: (spots_of(tx, message_id), unscoped_message_item(tx, message_id))
    )
    rfc = message.rfc_message_id if message else None
    if spots or not rfc:
        return spots
    return await on_server(core, inbox.address, lambda client: look_for(client, rfc))


def stands(client: Client, spot: Spot) -> bool:
    """Open the folder for reading; whether its UIDs still mean what the index says."""
    return int(client.open(spot.folder, readonly=True).get(b"UIDVALIDITY") or 0) == spot.uidvalidity


def piece(client: Client, uid: int, section: str, start: int, octets: int) -> bytes | None:
    """``BODY.PEEK[section]<start.octets>`` (RFC 9051 §6.4.5) of the open folder; None when it is not there."""
    rows, _ = client.fetch_set(str(uid), ["UID", f"BODY.PEEK[{section}]<{start}.{octets}>"])
    for key, value in rows.get(uid, {}).items():
        if isinstance(key, bytes) and key.upper().startswith(b"BODY["):
            return bytes(value) if value is not None else None
    return None


async def open_stream(core: Core, inbox: Inbox, message_id: str, section: str) -> AsyncIterator[bytes]:
    """The octets of an IMAP section ('' is the whole message), as they stand, in chunks.

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
    spots = await locate(core, inbox, message_id)
    # of several copies the first one is what the index shows (a moved message has its old place for a moment)
    for spot in reversed(spots):

        def first(client: Client, spot: Spot = spot) -> bytes | None:
            return piece(client, spot.uid, section, 0, CHUNK) if stands(client, spot) else None

        start = await on_server(core, inbox.address, first)
        if start is not None:
            return _chunks(core, inbox.address, spot, section, start)
    raise NotFound("the message is gone from the mail server", fix="list the messages again")


async def _queued(core: Core, inbox: Inbox, message_id: str, size: int) -> AsyncIterator[bytes] | None:
    """A message that is still in the outbox; None when it has just left it."""
    async with core.memory.hold(inbox.organization_id, 2 * size):
        data = await core.store.read(lambda tx: mime_of(tx, message_id))
        return None if data is None else await stream_of(core, data)


async def stream_of(core: Core, data: bytes) -> AsyncIterator[bytes]:
    """Octets in pieces, from disk where they are many: whoever takes them may take his time."""
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


async def _chunks(core: Core, address: str, spot: Spot, section: str, start: bytes) -> AsyncIterator[bytes]:
    chunk, at = start, 0
    while chunk:
        yield chunk
        at += len(chunk)
        if len(chunk) < CHUNK:
            return

        def more(client: Client, at: int = at) -> bytes | None:
            if client.selected != spot.folder and not stands(client, spot):
                return None
            return piece(client, spot.uid, section, at, CHUNK)

        following = await on_server(core, address, more)
        if following is None:
            raise NotFound("the message vanished while it was read")
        chunk = following


async def whole_message(core: Core, inbox: Inbox, message_id: str) -> bytes:
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


def folder_names(client: Client) -> dict[str, Any]:
    """``{"roles": {role: name}, "names": {name}}`` of the mailbox's selectable folders (RFC 6154)."""
    roles: dict[str, str] = {"inbox": "INBOX"}
    names: set[str] = set()
    for flags, _, name in client.list_folders():
        lowered = {flag.lower() for flag in flags}
        if b"\\noselect" in lowered or b"\\nonexistent" in lowered:
            continue
        names.add(str(name))
        for role in ("sent", "drafts", "junk", "trash", "archive"):
            if f"\\{role}".encode() in lowered:
                roles.setdefault(role, str(name))
    return {"roles": roles, "names": names}
