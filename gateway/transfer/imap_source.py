"""An IMAP account as a source: every folder with its role, flags and dates, and only what is wanted of it is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from imapclient.exceptions import IMAPClientError

from gateway.transfer import mailbox_out
from gateway.transfer.already_present import Key, message_id_key
from gateway.transfer.item import Item, to_wire
from gateway.transfer.mailbox_out import FolderOut, Listed
from gateway.transfer.roles import role_by_name
from mailserver.base import Endpoint, ImapLogin, Tls
from mailserver.imap import Client

_ITEM = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
_GROUP = 2000

Skip = Callable[[Key], bool]
"""Whether the mailbox has a message of this Message-ID and size already."""


class BadSource(Exception):
    """The source cannot be read; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """Where an account is, and how it is opened."""

    login: ImapLogin
    folder: str  # only this one, or "" for all


def account_of(url: str, password: Callable[[], str]) -> Account:
    """From ``imaps://user@host[:port][/folder]`` (``imap://`` is STARTTLS, or plain on loopback; RFC 5092).

    The user's own ``@`` may be as it is or ``%40``; ``password`` is asked when all else does. Raises BadSource.
    """
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if not user or not parts.hostname:
        raise BadSource(f"{url.split('@')[-1]} names no user: write imaps://user@host")
    if ":" in user:
        raise BadSource(
            "a password in the URL is seen by every user of this machine: leave it out, it is asked for"
        )
    host = parts.hostname
    secure = parts.scheme == "imaps"
    try:
        port = parts.port or (993 if secure else 143)
    except ValueError as error:
        raise BadSource(f"no port: {parts.netloc.rpartition(':')[2]}") from error
    local = host in ("localhost", "::1") or host.startswith("127.")
    tls: Tls = "implicit" if secure else "none" if local else "starttls"
    login = ImapLogin(Endpoint(host, port, tls), unquote(user), password())
    return Account(login, unquote(parts.path.strip("/")))


def read_account(account: Account, skip: Skip, on_total: Callable[[int], None], most: int) -> Iterator[Item]:
    """Every message that ``skip`` does not know. What is deleted but not expunged comes with ``\\Deleted``.

    Raises BadSource.
    """
    end = account.login.endpoint
    try:
        client = Client(account.login, 120.0)
    except (OSError, EOFError, IMAPClientError) as error:
        raise BadSource(f"{account.login.user} at {end.host}:{end.port}: {error}") from error
    try:
        for name, on_server, role in _wanted(client, account):
            yield from _folder(client, name, on_server, role, skip, on_total, most)
    except (OSError, EOFError, IMAPClientError) as error:
        raise BadSource(
            f"{end.host} broke off: {error}; run the command again, it goes on where this ended"
        ) from error
    finally:
        try:
            client.shutdown()
        except (OSError, EOFError, IMAPClientError):
            pass


def _wanted(client: Client, account: Account) -> list[tuple[str, str, str]]:
    found = []
    roles: set[str] = set()
    listed = mailbox_out.folders(client)
    roles = {role for _, _, role in listed}
    for name, on_server, role in listed:
        if account.folder and name.casefold() != account.folder.casefold():
            continue
        if role == "other" and (by_name := role_by_name(name)) not in roles:
            role = by_name  # the server says nothing of special uses (RFC 6154)
        found.append((name, on_server, role))
    if account.folder and not found:
        names = ", ".join(name for name, _, _ in listed[:20])
        raise BadSource(f"there is no folder {account.folder}; there are {names}")
    # "All Mail" shows what other folders hold too: it comes last, and only what was nowhere else is archived
    return sorted(found, key=lambda one: one[2] == "all")


def _folder(
    client: Client,
    name: str,
    on_server: str,
    role: str,
    skip: Skip,
    on_total: Callable[[int], None],
    most: int,
) -> Iterator[Item]:
    folder: FolderOut = mailbox_out.listing(client, name, on_server, role)
    keys = _keys(client, folder)
    on_total(len(folder.messages))
    often = Counter(keys.values())
    wanted: list[Listed] = []
    for one in folder.messages:
        key = keys.get(one.uid)
        # without a Message-ID, or when two share it and the size, only the octets tell
        if key is None or not key[0] or often[key] > 1 or not skip(key):
            wanted.append(one)
    kind = ("Archive", "archive") if role == "all" else (name, role)
    for group in mailbox_out.batches(wanted):
        small = [one for one in group if one.size <= most]
        found = mailbox_out.octets(client, folder.on_server, small) if small else {}
        for one in group:
            raw = found.pop(one.uid, None)
            if one.size > most:
                raw = b"x" * (most + 1)
            if raw is not None:
                yield Item(*kind, one.flags, one.date or None, f"{name}, UID {one.uid}", to_wire(raw))


def _keys(client: Client, folder: FolderOut) -> dict[int, Key]:
    keys: dict[int, Key] = {}
    for start in range(0, len(folder.messages), _GROUP):
        group = folder.messages[start : start + _GROUP]
        rows, _ = client.fetch_set(f"{group[0].uid}:{group[-1].uid}", ["UID", "RFC822.SIZE", _ITEM])
        for uid, row in rows.items():
            head = next((v for k, v in row.items() if k.startswith(b"BODY[")), b"") or b""
            keys[uid] = (message_id_key(bytes(head)), int(row.get(b"RFC822.SIZE", 0)))
    return keys
