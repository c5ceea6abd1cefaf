"""Labels and the IMAP state that they are.

============================  =====================================================================
label                         on the mail server
============================  =====================================================================
``unread``                    no ``\\Seen``; of what we sent, keyword ``$NotSeen``
``starred``                   ``\\Flagged``
``spam`` / ``trash``          the message is in Junk / Trash
``archive``                   the message is in Archive
``folder:NAME``               the message is in a person's own folder
``received``                  inbound, unless keyword ``$NotReceived``
any other                     a keyword; octets outside ``a-z0-9._-`` as ``=XX`` (keywords ignore case)
============================  =====================================================================

Keywords that mail programs use among themselves (``$Forwarded``, ``NonJunk`` …) are no labels.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

NOT_RECEIVED = "$NotReceived"
NOT_SEEN = "$NotSeen"
"""What was sent is filed as read; this notes that it counts as unread (a thread without any answer)."""
IMPORTED = "$PosternImported"
"""History that ``postern import`` filed: indexed like any mail, and never announced."""
MAX_LABEL = 64
ARRIVAL = frozenset({"blocked", "unauthenticated"})
"""Decided when a message came, wherever it is moved later (``sync.decide``)."""
HIDDEN = ARRIVAL | {"spam", "trash"}
FOLDER_LABELS = {"junk": "spam", "trash": "trash", "archive": "archive"}
LABEL_FOLDERS = {label: role for role, label in FOLDER_LABELS.items()}
SYSTEM = frozenset({"unread", "starred", "received", *LABEL_FOLDERS})

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789._-")
_ESCAPE = re.compile(r"=([0-9a-fA-F]{2})")
_FOREIGN = frozenset({"junk", "nonjunk", "notjunk", "forwarded", "mdnsent"})


def to_keyword(label: str) -> str:
    """The IMAP keyword (an RFC 9051 atom) of a label."""
    return "".join(chr(b) if b in _PLAIN else f"={b:02x}" for b in label.encode())


def from_keyword(keyword: str) -> str | None:
    """The label of an IMAP keyword; None for flags and the keywords of mail programs."""
    if keyword.startswith(("\\", "$")) or keyword.lower() in _FOREIGN:
        return None
    out = bytearray()
    last = 0
    text = keyword.lower()
    for match in _ESCAPE.finditer(text):
        out += text[last : match.start()].encode() + bytes([int(match.group(1), 16)])
        last = match.end()
    out += text[last:].encode()
    label = out.decode("utf-8", "replace").replace("\x00", "")
    return label or None


def of_place(direction: str, role: str, folder: str, flags: Iterable[str]) -> set[str]:
    """The labels that a message has by its folder and its flags."""
    lowered = {flag.lower() for flag in flags}
    labels = {label for flag in flags if (label := from_keyword(flag))} - SYSTEM
    if direction == "inbound":
        if "\\seen" not in lowered:
            labels.add("unread")
        if NOT_RECEIVED.lower() not in lowered:
            labels.add("received")
    elif NOT_SEEN.lower() in lowered:
        labels.add("unread")
    if "\\flagged" in lowered:
        labels.add("starred")
    if role in FOLDER_LABELS:
        labels.add(FOLDER_LABELS[role])
    elif role == "other":
        labels.add(f"folder:{folder}")
    return labels
