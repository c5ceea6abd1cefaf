"""Characters that programs read and people do not see: tags, variation selectors in runs, zero widths.

Those with a use stay: joiners of Persian and Indic scripts and of emoji, the tags of flags, one selector behind a sign.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_JOINED = "\u0600-\u1fff\u2190-\u2bff\ua000-\uabff\ufb50-\ufdff\ufe0f\ufe70-\ufefc\U00010000-\U000dffff"
_TAGS = "\U000e0000-\U000e007f"
_SELECTORS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_ZERO_WIDTH = "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u2060-\u2065\ufeff\ufff9-\ufffb"
# Kept, because they are used: a flag of tags (UTS 51 ED-14a), one joiner, one selector behind what is no ASCII letter.
_ANY = re.compile(
    "(\U0001f3f4[\U000e0061-\U000e007a]{2}[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,4}\U000e007f)"
    f"|((?<=[{_JOINED}])[\u200c\u200d](?![\u200c\u200d])|(?<=[^\\s\x00-\x22\x24-\x29\x2b-\x2f\x3a-\x7f{_SELECTORS}{_TAGS}\u200b-\u200f])[{_SELECTORS}])"
    f"|[{_TAGS}{_SELECTORS}{_ZERO_WIDTH}\u200c\u200d]+?"
)
_MAYBE = re.compile(f"[{_TAGS}{_SELECTORS}{_ZERO_WIDTH}\u200c\u200d]")
_MESSAGE = re.compile(f"[\U000e0020-\U000e007e]{{4,}}|[{_SELECTORS}]{{4,}}")
_MOST = 4000  # characters of messages that are spelled out


class Seen(NamedTuple):
    """``text`` as people see it, how many tags and selectors were left out, and what these spell."""

    text: str
    left_out: int = 0
    spelled: str = ""


def visible(text: str) -> str:
    """``text`` without the characters that people do not see."""
    if text.isascii() or not _MAYBE.search(text):
        return text
    return _ANY.sub(lambda found: found[0] if found[1] or found[2] else "", text)


def read_visible(text: str) -> Seen:
    """As ``visible``, and what was hidden in the characters that are left out."""
    if text.isascii() or not _MAYBE.search(text):
        return Seen(text)
    left_out = 0
    run: list[str] = []

    def keep(found: re.Match[str]) -> str:
        nonlocal left_out
        if found[1] or found[2]:
            return found[0]
        if ord(found[0]) >= 0xE0000 or "\ufe00" <= found[0] <= "\ufe0f":
            left_out += 1
        return ""

    seen = _ANY.sub(keep, text)
    if left_out:
        run = [_spell(found[0]) for found in _MESSAGE.finditer(text[: 64 * _MOST])]
    return Seen(seen, left_out, " ".join(one for one in run if one)[:_MOST])


def _spell(run: str) -> str:
    """The ASCII text of a run of tags, or the text whose octets a run of variation selectors are."""
    if run[0] >= "\U000e0020" and run[0] <= "\U000e007e":
        return "".join(chr(ord(one) - 0xE0000) for one in run)
    octets = bytes(
        (ord(one) - 0xFE00 if ord(one) <= 0xFE0F else ord(one) - 0xE0100 + 16) & 0xFF for one in run[:_MOST]
    )
    return octets.decode("utf-8", "ignore")
