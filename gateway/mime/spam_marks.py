"""What filters wrote about a message into its header: a score, that it is spam, that it holds malware.

A sender can write these fields too. So the worst one counts: nobody makes a message look better than a filter found it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.mime.headers import Head, unfold

_NUMBER = r"([+-]?[0-9]{1,4}(?:\.[0-9]{1,6})?)"
_SCORES = {
    "x-spam-score": re.compile(rf"\A\s*{_NUMBER}(?![\w.])"),
    "x-rspamd-score": re.compile(rf"\A\s*{_NUMBER}(?![\w.])"),
    "x-spam-status": re.compile(rf"\b(?:score|hits)={_NUMBER}(?![\w.])", re.I),
    "x-spamd-result": re.compile(rf"\[{_NUMBER}\s*/"),
}
_SPAM = {
    "x-spam-flag": re.compile(r"\s*(?:yes|true)\b", re.I),
    "x-spam": re.compile(r"\s*(?:yes|true)\b", re.I),
    "x-spam-status": re.compile(r"\s*yes\b", re.I),
    "x-spamd-result": re.compile(r"\s*[\w-]{1,50}:\s*true\b", re.I),
}
_MALWARE = {
    "x-virus": re.compile(r"\s*(?!(?:no|none|clean|false)\b)\S", re.I),
    "x-virus-flag": re.compile(r"\s*(?:yes|true)\b", re.I),
    "x-virus-status": re.compile(r"\s*(?:yes|infected)\b", re.I),
    "x-amavis-alert": re.compile(r"\s*infected\b", re.I),
}
_LOOKED_AT = 1000  # characters of a field


class SpamMarks(NamedTuple):
    """What the fields say together."""

    score: float | None
    spam: bool
    malware: bool


def read_spam_marks(head: Head) -> SpamMarks:
    """The marks in a header block; never raises."""
    scores: list[float] = []
    spam = malware = False
    for field, raw in head.fields:
        name = field.lower()
        if not name.startswith("x-"):
            continue
        value = unfold(raw)[:_LOOKED_AT] if name in _NAMES else ""
        if (pattern := _SCORES.get(name)) and (found := pattern.search(value)):
            scores.append(float(found[1]))
        spam = spam or ((pattern := _SPAM.get(name)) is not None and pattern.match(value) is not None)
        malware = malware or (
            (pattern := _MALWARE.get(name)) is not None and pattern.match(value) is not None
        )
    return SpamMarks(max(scores, default=None), spam, malware)


_NAMES = frozenset({*_SCORES, *_SPAM, *_MALWARE})
