"""How Maildir names folders, messages and flags (Maildir++, as Dovecot, Courier and mutt read it).

INBOX is the directory itself, any other folder a directory beside ``cur`` with a dot before each level. A message's
flags are at the end of its file's name; keywords are letters that the file ``dovecot-keywords`` explains, 26 of
them at most, so the file ``postern-keywords.jsonl`` has them all.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping

from imapclient import imap_utf7

KEYWORDS = "dovecot-keywords"
ALL_KEYWORDS = "postern-keywords.jsonl"
FOLDER = "postern-folder.json"

_FLAGS = {"\\draft": "D", "\\flagged": "F", "\\answered": "R", "\\seen": "S", "\\deleted": "T"}
_LETTERS = {
    "D": "\\Draft",
    "F": "\\Flagged",
    "R": "\\Answered",
    "S": "\\Seen",
    "T": "\\Deleted",
    "P": "$Forwarded",
}
_UNPLAIN = re.compile(r"[\x00-\x1f\x7f.\\]")
_MOST = 200


def directory_of(folder: str) -> str:
    """The directory of a folder below that of the mailbox; "" for INBOX."""
    if folder.upper() == "INBOX":
        return ""
    encoded = [bytes(imap_utf7.encode(one)).decode("ascii", "replace") for one in folder.split("/")]
    name = "".join("." + _UNPLAIN.sub("_", one) for one in encoded)
    if _UNPLAIN.search("".join(encoded)) or len(name) > _MOST:
        # a dot would be a level, and a file name has 255 octets; postern-folder.json keeps the true name
        name = name[:_MOST] if "&" not in name[_MOST - 60 : _MOST] else name[:_MOST].rpartition("&")[0]
        name += "~" + hashlib.sha256(folder.encode()).hexdigest()[:8]
    return name


def folder_of(directory: str) -> str:
    """The folder of a directory that any program made."""
    if not directory:
        return "INBOX"
    levels = [imap_utf7.decode(one.encode("utf-8", "surrogateescape")) for one in directory[1:].split(".")]
    return "/".join(str(one).replace("/", "-") for one in levels if one) or "INBOX"


def file_name(date: int, uidvalidity: int, uid: int, size: int) -> str:
    """The part of a message's file name that stays the same whatever its flags are."""
    return f"{date // 1_000_000}.V{uidvalidity}U{uid}.postern,S={size}"


def info_of(flags: Iterable[str], letters: Mapping[str, str]) -> str:
    """``:2,`` and the letters of flags and of those keywords that have one."""
    found = {_FLAGS.get(flag.lower()) or letters.get(flag) or "" for flag in flags}
    return ":2," + "".join(sorted(found))


def flags_of(info: str, keywords: Mapping[str, str]) -> tuple[str, ...]:
    """The flags that a file name's ``2,…`` means; ``keywords`` by letter."""
    letters = info.removeprefix("2,") if info.startswith("2,") else ""
    return tuple(_LETTERS.get(one) or keywords[one] for one in letters if one in _LETTERS or one in keywords)
