"""The one-time code in a mail: every number that could be one is weighed by what stands around it.

Evidence for: a word for "verification code" before it, after it, or above it; standing alone on its line; large type;
the subject. Evidence against: words for orders, phones, prices and other numbers; the shape of a date or a year.
Without a word for code there is no code. Linear: a bounded number of candidates, a bounded stretch around each.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

from gateway.mime.one_time.words import (
    BUSINESS,
    CODE_STEMS,
    CONNECTOR,
    CONNECTOR_BACK,
    DISCOUNT,
    EXPIRES,
    LEADS_UP,
    MARKS,
    MONEY_BEFORE,
    OTHER_CODE,
    UNIT_AFTER,
    USED_AFTER,
    USED_BEFORE,
)

_ENOUGH = 5
_STRONG_WEIGHT, _WEAK_WEIGHT = 4, 2
_MAX_TEXT, _MAX_LINE, _MAX_CANDIDATES = 60_000, 2_000, 200
_REACH = 80  # characters on the same line in which a word counts
_OTHER_REACH = 30  # as far as "order" and its kin reach
_LINES_ABOVE = 4
_CANDIDATE = re.compile(
    r"(?<![A-Za-z0-9])(?:(?P<prefixed>[A-Z]{1,4}-[0-9]{4,8})|(?P<spread>[0-9](?: [0-9]){3,7})"
    r"|(?P<grouped>[0-9]{3}[ -][0-9]{3}|[0-9]{4}[ -][0-9]{4}|[0-9]{2} [0-9]{2} [0-9]{2})"
    r"|(?P<dashed>[A-Z0-9]{3,5}(?:-[A-Z0-9]{3,5}){1,2})|(?P<single>[A-Za-z0-9]{4,10}))(?![A-Za-z0-9])"
)
_LINK = re.compile(r"<?(?:https?://|www\.)[^\s<>]{1,3000}>?|[^\s<>@]{1,64}@[^\s<>@]{1,255}", re.I)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}\Z")
_YEARS = re.compile(r"(?:19|20)[0-9]{2}-(?:19|20)[0-9]{2}\Z")
_NUMBERED = re.compile(
    r"(?:INV|ORD|PO|SO|RMA|TKT|CASE|REF|RE|NR|NO|ID|TT|DE|CA|NY|UTC|GMT|ISO|SHA|RFC|CVE|UTF)-", re.I
)
_WRAPPING = " \t*_-–—•|>[](){}「」『』【】<:：.,;!\"'“”„«»`#~="
_VOWELS = frozenset("AEIOUY")
_DIGITS = re.compile(r"[0-9]{3,}")
# full-width digits and letters, and the spaces and hyphens of typesetters
_FOLD = {
    **{0xFF10 + n: 0x30 + n for n in range(10)},
    **{0xFF21 + n: 0x41 + n for n in range(26)},
    **{0xFF41 + n: 0x61 + n for n in range(26)},
    **dict.fromkeys((0xA0, 0x2002, 0x2003, 0x2007, 0x2009, 0x200A, 0x202F, 0x3000), 0x20),
    **dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2212, 0xFF0D), 0x2D),
    **dict.fromkeys((0x200B, 0x200C, 0x200D, 0x200E, 0x200F, 0x2060, 0xFEFF), None),
}


class _Candidate(NamedTuple):
    line: int
    start: int
    end: int
    raw: str
    shape: str  # digits, grouped, spread, mixed, letters, dashed, prefixed


def find_code(subject: str, text: str, large: Collection[str] = ()) -> str | None:
    """The code in ``text`` or ``subject``, as a form takes it, or None.

    Args:
        subject: of the mail.
        text: what a person sees of it, in lines.
        large: words of it that are set in large type.
    """
    lowered = f"{subject}\n{text[:_MAX_TEXT]}".lower()
    if not any(stem in lowered for stem in CODE_STEMS):
        return None
    return _Search(subject, text[:_MAX_TEXT], large).best()


class _Search:
    def __init__(self, subject: str, text: str, large: Collection[str]) -> None:
        folded = (_LINK.sub(" ", line.translate(_FOLD)).strip() for line in text.split("\n"))
        self.subject = subject[:500].translate(_FOLD)
        # The subject is a line of its own, apart from the others.
        self.lines = [self.subject, *(line[:_MAX_LINE] for line in folded if line)]
        self.large = large
        kinds = {_kind(mark) for mark in MARKS.finditer(self.subject)}
        self.about = 2 if "strong" in kinds else 1 if "weak" in kinds else 0
        self.expires = 1 if EXPIRES.search(text[:20_000]) else 0
        self.discounts = DISCOUNT.search(f"{self.subject}\n{text[:20_000]}") is not None
        self.business = BUSINESS.search(f"{self.subject}\n{text[:20_000]}") is not None
        self.marks: dict[int, tuple[str, ...]] = {}

    def best(self) -> str | None:
        found, highest = None, _ENOUGH - 1
        for candidate in self.candidates():
            score = self.score(candidate)
            if score > highest:
                found, highest = candidate, score
        return None if found is None else normal_form(found.raw)

    def candidates(self) -> list[_Candidate]:
        found: list[_Candidate] = []
        for index, line in enumerate(self.lines):
            for match in _CANDIDATE.finditer(line):
                kind = match.lastgroup or ""
                shape = _shape(match[0], kind)
                if shape and _stands_free(line, match.start(), match.end()):
                    found.append(_Candidate(index, match.start(), match.end(), match[0], shape))
                    if len(found) >= _MAX_CANDIDATES:
                        return found
        return found

    def score(self, one: _Candidate) -> int:
        line = self.lines[one.line]
        alone = line.strip(_WRAPPING) == one.raw
        large = bool(self.large) and all(word in self.large for word in one.raw.split())
        near, attached = self.beside(one, line)
        if near is None:
            return 0
        if near == 0 and one.line > 0 and (alone or large or (one.shape == "digits" and len(line) <= 40)):
            above = self.around(one.line, lone=alone)
            if above is None:
                return 0
            near = above
        if near == 0 and not (self.about == 2 and (alone or large)):
            return 0
        if one.shape not in ("digits", "grouped") and not (attached or alone or large):
            return 0
        score = near + self.about + self.expires + 2 * alone + 2 * large + 2 * attached
        if one.line > 0 and one.raw in self.subject:
            score += 2
        if self.discounts and one.shape in ("mixed", "letters"):
            score -= 6
        if self.business and self.about < 2:
            score -= 3
        return score + _weight_of(one)

    def beside(self, one: _Candidate, line: str) -> tuple[int | None, bool]:
        """(weight of the words on its line, or None when they speak of another number; whether a word touches it)."""
        begin = max(one.start - _REACH, 0)
        before = line[begin : one.start]
        words = list(MARKS.finditer(before))
        if USED_BEFORE.search(before) and USED_AFTER.match(line, one.end):
            return _STRONG_WEIGHT, True
        if words:
            last = words[-1]
            gap = before[last.end() :]
            kind = _kind(last)
            if kind == "other":
                if len(gap) <= _OTHER_REACH and not _DIGITS.search(gap):
                    return None, False
            elif not _DIGITS.search(gap):
                if CONNECTOR.fullmatch(gap):
                    return (_STRONG_WEIGHT if kind == "strong" else _WEAK_WEIGHT), True
                # with other words between, a number says less, and a word for any code says little
                if kind == "strong":
                    sure = len(one.raw) == 6 or one.shape == "grouped" or LEADS_UP.search(gap)
                    return (_STRONG_WEIGHT if sure else _WEAK_WEIGHT), False
                return (_WEAK_WEIGHT if len(gap) <= _OTHER_REACH else 0), False
        after = line[one.end : one.end + _REACH]
        first = MARKS.search(after)
        if first is None:
            return 0, False
        kind = _kind(first)
        gap = after[: first.start()]
        if kind == "other":
            return (None, False) if len(gap) <= _OTHER_REACH else (0, False)
        if _DIGITS.search(gap):
            return 0, False
        if kind == "weak":
            return _WEAK_WEIGHT, False
        return _STRONG_WEIGHT, CONNECTOR_BACK.fullmatch(gap) is not None

    def around(self, index: int, *, lone: bool) -> int | None:
        """Weight of the words on the lines above and on the one below; None when they name another number."""
        best = 0
        for distance in range(1, _LINES_ABOVE + 1):
            above = index - distance
            if above < 1:
                break
            kinds = self.kinds(above)
            if not kinds:
                continue
            if "strong" not in kinds and "other" in kinds:
                if distance == 1 and lone and len(self.lines[above]) <= 60:
                    return None
                break
            weight = _STRONG_WEIGHT if "strong" in kinds else _WEAK_WEIGHT
            best = max(weight - distance + 1, 0)
            break
        if index + 1 < len(self.lines):
            kinds = self.kinds(index + 1)
            if kinds and kinds[0] != "other":
                best = max(best, (_STRONG_WEIGHT if "strong" in kinds else _WEAK_WEIGHT) - 1)
        return best

    def kinds(self, index: int) -> tuple[str, ...]:
        if index not in self.marks:
            line = self.lines[index]
            stretch = line if len(line) <= 400 else f"{line[:200]} … {line[-200:]}"
            self.marks[index] = tuple(_kind(found) for found in MARKS.finditer(stretch))
        return self.marks[index]


def normal_form(raw: str) -> str:
    """A code as a form field takes it: no spaces; no hyphens between digits alone; letters as written."""
    joined = raw.replace(" ", "")
    return joined.replace("-", "") if joined.replace("-", "").isdigit() else joined


def _kind(mark: re.Match[str]) -> str:
    """``strong``, ``weak`` or ``other``; "your discount code" is of another kind, whatever it begins with."""
    if mark.lastgroup == "strong" and OTHER_CODE.search(mark[0]):
        return "other"
    return mark.lastgroup or ""


def _shape(raw: str, kind: str) -> str | None:
    """What kind of code ``raw`` could be, None when it can be none."""
    if kind == "prefixed":
        return None if _NUMBERED.match(raw) else kind
    if kind in ("grouped", "spread"):
        return None if _YEARS.match(raw) else kind
    if kind == "dashed":
        letters = any(character.isalpha() for character in raw)
        return "dashed" if letters and not _NUMBERED.match(raw) else None
    if raw.isdigit():
        return "digits" if len(raw) <= 8 else None
    if raw.isalpha():
        rare = sum(character in _VOWELS for character in raw) <= len(raw) // 4
        return "letters" if raw.isupper() and 5 <= len(raw) <= 8 and rare else None
    if len(raw) < 5 and not raw.isupper():
        return None
    return "mixed"


def _stands_free(line: str, start: int, end: int) -> bool:
    """Whether what is at ``start`` is no piece of a price, a date, a time, a phone number or a longer name."""
    left, further = line[start - 1 : start], line[max(start - 2, 0) : start - 1] if start else ""
    right, beyond = line[end : end + 1], line[end + 1 : end + 2]
    if left and (left in "#$€£¥₹₽+@/\\%&?~^_" or (left in ".,:-'" and further.isdigit())):
        return False
    if left == "-" and further.isalnum():
        return False
    if left in (" ", ")") and further.isdigit() and line[max(start - 3, 0) : start - 2].isalnum():
        return False
    if right and (
        right in "%@/\\_" or (right in ".,:-'" and beyond.isdigit()) or (right == "-" and beyond.isalnum())
    ):
        return False
    if right == " " and re.match(
        r" [0-9]{2,}(?![0-9]* ?(?:min|sec|hour|sek|stund|分))", line[end : end + 20]
    ):
        return False
    if further.isdigit() and left == " " and line[start + 1 : start + 2] == " ":
        return False  # a row of single digits that began before
    if right == " " and beyond.isdigit() and line[end - 2 : end - 1] == " ":
        return False  # or goes on
    return not (UNIT_AFTER.match(line, end) or MONEY_BEFORE.search(line[max(start - 5, 0) : start]))


def _weight_of(one: _Candidate) -> int:
    if one.shape == "digits":
        if _YEAR.match(one.raw):
            return -3
        return 1 if len(one.raw) == 6 else 0
    if one.shape == "grouped":
        return 1
    if one.shape == "letters":
        return -1
    if one.shape == "mixed" and one.raw.islower():
        return -1
    return 0
