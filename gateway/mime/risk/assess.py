"""The risk of a mail: what was found in what people see, and in what they do not."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from gateway.mime.hidden_text import Hidden
from gateway.mime.risk.folding import fold_tricks
from gateway.mime.risk.markup import find_markup
from gateway.mime.risk.phrases import Found, find_phrases
from gateway.mime.types import Risk, RiskLevel, RiskReason

MAX_READ = 24_000
"""Characters of one text that are read: its beginning and its end."""

_END = 6_000
_LEVELS: tuple[RiskLevel, ...] = ("none", "low", "medium", "high")
_MOST_COMPARED = 200  # hidden pieces that are searched in what people see
_REACH = 500  # characters within which weak signs support one another
_MOST_REASONS = 10
_EXCERPT = 160
_TALK = re.compile(
    r"\b(?:injections?|jailbreak\w*|attack(?:s|ers?)?|example|e\.g|for instance|phrases?|such as|red[- ]team\w*"
    r"|vulnerabilit\w*|malicious|phishing|researchers?)\b"
)
_QUOTED = "\"“”„«»`‘’「」'"
_SUPPORT = {
    "answer_with": ("test", "mode", "order", "announced", "lifted", "script", "shown_picture"),
    "order": ("mode", "announced", "lifted", "script", "shown_picture"),
    "announced": ("test", "mode", "lifted", "script", "shown_picture"),
    "lifted": ("test", "mode", "script", "shown_picture"),
    "script": ("test", "mode", "shown_picture"),
}
"""Which weak signs mean something together."""

_QUIET = frozenset({"test", "secret_to_address"})  # of no weight where people see them


class Place(NamedTuple):
    """A text of a mail. ``hidden``: people do not see it."""

    where: str
    text: str
    hidden: bool = False


def places_of(hidden: Hidden, shown: str) -> list[Place]:
    """The texts that people do not see, one a form; and those that only the text part has, which some programs show.

    Without what ``shown`` says too: mails hide the copy of a block for small screens.
    """
    texts: dict[str, list[str]] = {}
    seen = " ".join(shown.split())
    for number, (form, text) in enumerate(hidden.pieces):
        if number >= _MOST_COMPARED or text not in seen:
            texts.setdefault(form, []).append(text)
    return [
        Place("text_part" if form == "text_differs" else form, "\n\n".join(pieces), form != "text_differs")
        for form, pieces in texts.items()
    ]


def assess(places: Iterable[Place]) -> Risk:
    """Weigh what the texts of a mail say. The same mail has the same risk, always.

    A reason has an excerpt where people see it; what they do not see reaches nobody by this way either.

    ``high``: an instruction where people do not see it. ``medium``: one that they see, or that only the text part has.
    ``low``: signs that mean little alone. Linear.
    """
    level = 0
    reasons: dict[tuple[str, str], RiskReason] = {}
    for place in places:
        if not place.text or place.text.isspace():
            continue
        folded = fold_tricks(_cut(place.text))
        found = [*find_phrases(folded, place.text[:2000]), *find_markup(folded)]
        if not found:
            continue
        weight = _weigh(folded, found, place)
        if not weight:
            continue
        level = max(level, weight)
        for one in sorted(found, key=lambda one: not one.strong):
            if (one.strong or weight < 2 or _loud(one, place)) and len(reasons) < _MOST_REASONS:
                around = folded[max(0, one.start - 20) : one.end + 40]
                excerpt = "" if place.hidden else " ".join(around.split())[:_EXCERPT]
                reasons.setdefault(
                    (one.name, place.where), RiskReason(name=one.name, where=place.where, excerpt=excerpt)
                )
    return Risk(level=_LEVELS[level], reasons=list(reasons.values()))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_READ else text[: MAX_READ - _END] + "\n" + text[-_END:]


def _loud(found: Found, place: Place) -> bool:
    return place.hidden or found.name not in _QUIET


def _weigh(folded: str, found: list[Found], place: Place) -> int:
    """3 high, 2 medium, 1 low, 0 nothing."""
    strong = [one for one in found if one.strong and (place.hidden or not _is_talk(folded, one))]
    weak = [one for one in found if not one.strong]
    if strong or _supported(weak):
        return 3 if place.hidden else 2
    loud = [one for one in weak if _loud(one, place)]
    if place.hidden and any(one.name == "secret_to_address" for one in loud):
        return 3
    return 1 if (loud or len(strong) < sum(one.strong for one in found)) and not place.hidden else 0


def _supported(weak: list[Found]) -> bool:
    """Whether two weak signs of different kinds are near one another."""
    ordered = sorted(weak, key=lambda one: one.start)
    for at, one in enumerate(ordered):
        for other in ordered[at + 1 : at + 20]:
            if other.start - one.end > _REACH:
                break
            if other.name in _SUPPORT.get(one.name, ()) or one.name in _SUPPORT.get(other.name, ()):
                return True
    return False


def _is_talk(folded: str, found: Found) -> bool:
    """Whether a phrase is quoted by people who talk of such phrases."""
    before, after = folded[max(0, found.start - 30) : found.start], folded[found.end : found.end + 40]
    if not any(one in before for one in _QUOTED) or not any(one in after for one in _QUOTED):
        return False
    return _TALK.search(folded, max(0, found.start - 400), found.end + 400) is not None
