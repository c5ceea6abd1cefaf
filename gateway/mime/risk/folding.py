"""Text as people read it whatever its characters are: tricks of writing undone, for matching alone."""

from __future__ import annotations

import re
import unicodedata

_CONFUSABLE = dict(
    zip(
        "аеорсухіјѕԁԛԝһвкмнтγαεοριτυχνκηΑ",
        "aeopcyxijsdqwhbkmhtyaeopituxvkna",
        strict=True,
    )
)
_LATIN = re.compile(r"[a-z]")
_FOREIGN = re.compile(r"[\u0370-\u052f]")
_MIXED = re.compile(r"[^\W\d_]{2,60}")
_SPACED = re.compile(r"(?<!\w)(?:\w[ .·_*|\-](?=\w(?!\w))){3,}\w")
_LEET = re.compile(
    r"\b[a-z]{1,20}+[013457$][a-z013457$]{1,20}(?!\w)|\b[013457][a-z]{2,20}+[a-z013457$]{0,20}(?!\w)"
)
_LEETS = str.maketrans("013457$", "oieasts")
_LETTERS = str.maketrans(
    {"đ": "d", "ł": "l", "ø": "o", "ı": "i", "ð": "d", "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th"}
)
_GAPS = re.compile(r"[ .·_*|\-]")
_ACCENTS = re.compile("[\u0300-\u036f]")
_UNSEEN = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)


def fold(text: str) -> str:
    """In lower case, without accents and invisible characters, look-alike and full-width letters as Latin ones."""
    if not text.isascii():
        text = _ACCENTS.sub("", unicodedata.normalize("NFKD", _UNSEEN.sub("", text)))
    text = text.lower()
    if not text.isascii():
        text = text.translate(_LETTERS)
    return text if text.isascii() else (_FOREIGN.search(text) and _unmixed(text)) or text


def fold_tricks(text: str) -> str:
    """As ``fold``, with letters that stand apart put together, and digits that stand for letters read as these."""
    text = fold(text)
    text = _SPACED.sub(lambda found: _GAPS.sub("", found[0]), text)
    return _LEET.sub(_read_leet, text)


def _read_leet(found: re.Match[str]) -> str:
    word = found[0]
    letters = sum(map(str.isalpha, word))
    return word.translate(_LEETS) if letters > len(word) // 2 else word


def _unmixed(text: str) -> str:
    """Words with letters of both Latin and another script, in Latin letters."""
    return _MIXED.sub(
        lambda found: (
            "".join(_CONFUSABLE.get(one, one) for one in found[0])
            if _LATIN.search(found[0]) and _FOREIGN.search(found[0])
            else found[0]
        ),
        text,
    )
