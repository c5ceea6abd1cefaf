"""What a mailbox holds already, so that nothing is put there twice.

A message is the same when Message-ID, size and the digest of its octets are. Message-IDs and sizes of the whole
mailbox are read once (the mail server keeps them at hand); octets only of those that agree in both.
"""

from __future__ import annotations

import hashlib
import re

from gateway.sync.fetch import FolderState, list_folders
from mailserver.imap import Client

_ID = re.compile(rb"^message-id:[ \t]*(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)
_ITEM = "BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)]"
_GROUP = 5000

Key = tuple[bytes, int]
"""Digest of the Message-ID (empty: it has none), and size in octets with CRLF."""


def key_of(raw: bytes) -> Key:
    """The key of whole octets."""
    head = raw[: max(raw.find(b"\r\n\r\n"), 0) or 65536]
    return message_id_key(head), len(raw)


def message_id_key(head: bytes) -> bytes:
    """The digest of the Message-ID in header lines."""
    match = _ID.search(head)
    value = b"".join(match[1].split()) if match else b""
    return hashlib.sha256(value).digest()[:16] if value else b""


def digest_of(raw: bytes) -> bytes:
    """The digest of whole octets."""
    return hashlib.sha256(raw).digest()


class Known:
    """The messages of one mailbox, and what was added to it meanwhile. Used by one thread."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._places: dict[Key, list[tuple[str, int]]] = {}
        self._digests: set[bytes] = set()
        self._looked: set[Key] = set()
        for state in list_folders(client):
            self._list(state)

    def _list(self, state: FolderState) -> None:
        opened = self._client.open(state.name, readonly=True)
        if not opened.get(b"EXISTS"):
            return
        for low in range(1, state.uidnext, _GROUP):
            rows, _ = self._client.fetch_set(f"{low}:{low + _GROUP - 1}", ["UID", "RFC822.SIZE", _ITEM])
            for uid, row in rows.items():
                head = next((v for k, v in row.items() if k.startswith(b"BODY[")), b"") or b""
                key = (message_id_key(bytes(head)), int(row.get(b"RFC822.SIZE", 0)))
                self._places.setdefault(key, []).append((state.name, uid))

    def may_hold(self, key: Key) -> bool:
        """Whether a message with this Message-ID and size is there; certain when it has a Message-ID."""
        return key in self._places

    def holds(self, raw: bytes) -> bool:
        """Whether exactly this message is there."""
        digest = digest_of(raw)
        if digest not in self._digests:
            self._look(key_of(raw))
        return digest in self._digests

    def add(self, raw: bytes) -> None:
        """A message is there now."""
        self._digests.add(digest_of(raw))

    def _look(self, key: Key) -> None:
        """Read the octets of what agrees in Message-ID and size."""
        if key in self._looked:
            return
        self._looked.add(key)
        for folder, uid in self._places.get(key, ())[:1000]:
            if self._client.selected != folder:
                self._client.open(folder, readonly=True)
            rows, _ = self._client.fetch_set(str(uid), ["UID", "BODY.PEEK[]"])
            found = rows.get(uid, {}).get(b"BODY[]")
            if found is not None:
                self._digests.add(digest_of(bytes(found)))
