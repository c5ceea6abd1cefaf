"""The one-time code in a mail: every number that could be one is scored by the words around it.

Evidence for: a word for "verification code" before it, after it, or above it; a line of its own; large type; the
subject; "enter 123456 to continue". Evidence against: words for orders, phones, prices and other numbers; the shape
of a date or a year. Without such words there is no code. Linear: a bounded number of candidates, a bounded stretch of
text around each.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cached_property
from typing import NamedTuple

from gateway.mime.one_time.languages import languages_of
from gateway.mime.one_time.words import (
    AFTER_WORD,
    BOUND,
    BUSINESS,
    CODE_STEMS,
    CONNECTOR,
    CONNECTOR_BACK,
    DISCOUNT,
    EXPIRES,
    LEADS_UP,
    MONEY_BEFORE,
    SECRET,
    UNIT_AFTER,
    Words,
    words_of,
)

_ENOUGH = 5
_STRONG_WEIGHT, _WEAK_WEIGHT = 4, 2
_MAX_TEXT, _MAX_LINE, _MAX_CANDIDATES = 60_000, 2_000, 200
_VERB = 40  # characters before a number in which a verb is
_REACH = 80  # characters on the same line in which a word counts
_OTHER_REACH = 30  # as far as "order" and its kin reach
_LINES_ABOVE = 4
_TERSE = 160  # characters: such a mail says nothing else
_SHORT = 400  # characters: such a mail is searched whatever it says
_CANDIDATE = re.compile(
    r"(?<![A-Za-z0-9])(?:(?P<prefixed>[A-Z]{1,4}-[0-9]{4,8})|(?P<spread>[0-9](?: [0-9]){3,7})"
    r"|(?P<grouped>[0-9]{3}[ -][0-9]{3}|[0-9]{4}[ -][0-9]{4}|[0-9]{2} [0-9]{2} [0-9]{2})"
    r"|(?P<dashed>[A-Z0-9]{3,5}(?:-[A-Z0-9]{3,5}){1,2}|[A-Z0-9]{3,5}-[A-Z0-9]{2})|(?P<single>[A-Za-z0-9]{4,10}))(?![A-Za-z0-9])"
)
_LINK = re.compile(r"<?(?:https?://|www\.)[^\s<>]{1,3000}>?|[^\s<>@]{1,64}@[^\s<>@]{1,255}", re.I)
_YEAR = re.compile(r"(?:19|20)[0-9]{2}\Z")
_YEARS = re.compile(r"(?:19|20)[0-9]{2}-(?:19|20)[0-9]{2}\Z")
_NUMBERED = re.compile(
    r"(?:INV|ORD|PO|SO|RMA|TKT|CASE|REF|RE|NR|NO|ID|TT|DE|CA|NY|UTC|GMT|ISO|SHA|RFC|CVE|UTF)-", re.I
)
_WRAPPING = " \t*_-–—•|>[](){}「」『』【】<:：.,;!\"'“”„«»`#~="
# after "enter 123456": no noun, or it is a number of something
_ENDS = re.compile(r"\s?(?:[^\w\s]|$|(?:within|in|on|at|into|ein|om|here)\b)|\s?[^\x00-\u024f]", re.I)
_NAMED = re.compile(r"[A-Z]{3,4}-([0-9]{4,8})")  # forms print it before their field
_VOWELS = frozenset("AEIOUY")
_DIGITS = re.compile(r"[0-9]{3,}")
# zero of each script that has digits of its own, and of the full-width ones
_ZEROS = (
    0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xDE6, 0xE50, 0xED0, 0xF20,
    0x1040, 0x1090, 0x17E0, 0x1810, 0x1946, 0x19D0, 0x1A80, 0x1A90, 0x1B50, 0x1BB0, 0x1C40, 0x1C50, 0xA620, 0xA8D0,
    0xA900, 0xA9D0, 0xA9F0, 0xAA50, 0xABF0, 0xFF10,
)  # fmt: skip
# these digits, full-width letters, and the spaces and hyphens of typesetters
_FOLD = {
    **{zero + digit: 0x30 + digit for zero in _ZEROS for digit in range(10)},
    **{0xFF21 + n: 0x41 + n for n in range(26)},
    **{0xFF41 + n: 0x61 + n for n in range(26)},
    **dict.fromkeys((0xA0, 0x2002, 0x2003, 0x2007, 0x2009, 0x200A, 0x202F, 0x3000), 0x20),
    **dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2212, 0xFF0D), 0x2D),
    **dict.fromkeys(
        (0x200B, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF)
    ),
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
    text = text[:_MAX_TEXT]
    if "#" in text and (bound := BOUND.search(text)) is not None:
        return normal_form(bound["code"])
    lowered = f"{subject}\n{text}".lower()
    if len(text) > _SHORT and not any(stem in lowered for stem in CODE_STEMS):
        return None
    return _Search(subject, text, large, lowered).best()


class _Mark(NamedTuple):
    """A word that speaks of a number: ``other``, ``strong`` or ``weak``."""

    start: int
    rank: int
    minus_end: int  # the longest first
    kind: str

    @property
    def end(self) -> int:
        return -self.minus_end


_RANKS = {"other": 0, "strong": 1, "weak": 2}


class _Search:
    def __init__(self, subject: str, text: str, large: Collection[str], lowered: str) -> None:
        folded = (_LINK.sub(" ", _fold(line)).strip() for line in text.split("\n"))
        self.subject = _fold(subject[:500])
        # The subject is a line of its own, apart from the others.
        self.lines = [self.subject, *(line[:_MAX_LINE] for line in folded if line)]
        self.lowered = lowered
        self.text = text[:20_000]
        self.large = large
        self.seen: dict[int, tuple[str, ...]] = {}

    @cached_property
    def words(self) -> list[Words]:
        return [words_of(name) for name in languages_of(self.lowered)]

    def marks(self, text: str) -> list[_Mark]:
        """The words in ``text`` that speak of numbers, in order; of those that overlap the first one, or the surest."""
        found = []
        for words in self.words:
            for match in words.marks.finditer(text):
                kind = match.lastgroup or ""
                if kind == "strong" and words.not_code.search(match[0]):
                    kind = "other"  # "your discount code", whatever it begins with
                found.append(_Mark(match.start(), _RANKS[kind], -match.end(), kind))
        found.sort()
        kept: list[_Mark] = []
        for mark in found:
            if not kept or mark.start >= kept[-1].end:
                kept.append(mark)
        return kept

    @cached_property
    def about(self) -> int:
        """How clearly the subject speaks of a code."""
        kinds = {mark.kind for mark in self.marks(self.subject)}
        return 2 if "strong" in kinds else 1 if "weak" in kinds else 0

    @cached_property
    def expires(self) -> int:
        return 1 if EXPIRES.search(self.text) else 0

    @cached_property
    def discounts(self) -> bool:
        return DISCOUNT.search(f"{self.subject}\n{self.text}") is not None

    @cached_property
    def business(self) -> bool:
        return BUSINESS.search(f"{self.subject}\n{self.text}") is not None

    @cached_property
    def terse(self) -> bool:
        """Whether the mail says hardly more than a code and what it is for."""
        return sum(map(len, self.lines[1:])) <= _TERSE

    @cached_property
    def secret(self) -> bool:
        """Whether the mail says hardly more than a number that has to be kept secret and lasts minutes."""
        return self.terse and SECRET.search(self.text) is not None and self.expires > 0

    def best(self) -> str | None:
        found, highest = None, _ENOUGH - 1
        candidates = self.candidates()
        alone = sum(1 for one in candidates if one.line > 0) == 1
        for candidate in candidates:
            score = self.score(candidate, only=alone)
            if score > highest:
                found, highest = candidate, score
        return None if found is None else normal_form(found.raw)

    def candidates(self) -> list[_Candidate]:
        found: list[_Candidate] = []
        for index, line in enumerate(self.lines):
            for match in _CANDIDATE.finditer(line):
                kind = match.lastgroup or ""
                shape = _shape(match[0], kind)
                if shape and _is_free(line, match.start(), match.end()):
                    found.append(_Candidate(index, match.start(), match.end(), match[0], shape))
                    if len(found) >= _MAX_CANDIDATES:
                        return found
        return found

    def score(self, one: _Candidate, *, only: bool) -> int:
        """How sure it is that ``one`` is the code; ``only``: the text has no other number that could be one."""
        line = self.lines[one.line]
        alone = line.strip(_WRAPPING) == one.raw
        large = bool(self.large) and all(word in self.large for word in one.raw.split())
        near, attached = self.beside(one, line, lone=only and self.terse)
        if near is None:
            return 0
        if near == 0 and one.line > 0 and (alone or large or (one.shape == "digits" and len(line) <= 40)):
            above = self.around(one.line, lone=alone)
            if above is None:
                return 0
            near = above
        if near == 0 and alone and only and one.shape == "digits" and one.line == 1 and self.secret:
            near = _STRONG_WEIGHT
        if near == 0 and not (self.about == 2 and (alone or large)):
            return 0
        if one.shape not in ("digits", "grouped") and not (attached or alone or large):
            return 0
        score = near + self.about + self.expires + 2 * alone + 2 * large + 2 * attached
        if one.line > 0 and one.raw in self.subject:
            score += 2
        if attached and only and self.terse and not self.business:
            score += 1
        if self.discounts and one.shape in ("mixed", "letters"):
            score -= 6
        if self.business and self.about < 2:
            score -= 3
        return score + _weight_of(one)

    def beside(self, one: _Candidate, line: str, *, lone: bool) -> tuple[int | None, bool]:
        """(weight of the words on its line, or None when they speak of another number; whether a word touches it).

        ``lone``: the mail says little else, so that a further word may be between.
        """
        begin = max(one.start - _REACH, 0)
        before, after = line[begin : one.start], line[one.end : one.end + _REACH]
        if self.asked(before, after):
            return _STRONG_WEIGHT, True
        marks = self.marks(before)
        if marks:
            last = marks[-1]
            gap = before[last.end :]
            if last.kind == "other":
                if len(gap) <= _OTHER_REACH and not _DIGITS.search(gap):
                    return None, False
            elif not _DIGITS.search(gap):
                strong = last.kind == "strong"
                weight = _STRONG_WEIGHT if strong else _WEAK_WEIGHT
                if CONNECTOR.fullmatch(gap):
                    return weight, True
                if lone and AFTER_WORD.fullmatch(gap) and (strong or gap.strip()[:1].isupper()):
                    return weight, True
                # with other words between, a number says less, and a word for any code says little
                if strong:
                    leads_up = LEADS_UP.search(gap) is not None
                    sure = leads_up or len(one.raw) == 6 or one.shape == "grouped"
                    return (_STRONG_WEIGHT if sure else _WEAK_WEIGHT), leads_up
                return (_WEAK_WEIGHT if len(gap) <= _OTHER_REACH else 0), False
        first = next(iter(self.marks(after)), None)
        if first is None:
            return 0, False
        gap = after[: first.start]
        if first.kind == "other":
            return (None, False) if len(gap) <= _OTHER_REACH else (0, False)
        if _DIGITS.search(gap):
            return 0, False
        if first.kind == "weak":
            return _WEAK_WEIGHT, False
        return _STRONG_WEIGHT, CONNECTOR_BACK.fullmatch(gap) is not None

    def asked(self, before: str, after: str) -> bool:
        """Whether a person is asked to enter the number between ``before`` and ``after`` somewhere."""
        for words in self.words:
            entered = words.entered.match(after) or (
                words.enter.search(before[-_VERB:])
                and (_ENDS.match(after) or words.purpose.match(after.lstrip()))
            )
            if entered and words.purpose.search(f"{before}#{after}"):
                return True
        return False

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
        if index not in self.seen:
            line = self.lines[index]
            stretch = line if len(line) <= 400 else f"{line[:200]} … {line[-200:]}"
            self.seen[index] = tuple(mark.kind for mark in self.marks(stretch))
        return self.seen[index]


def _fold(line: str) -> str:
    return line if line.isascii() else line.translate(_FOLD)


def normal_form(raw: str) -> str:
    """A code as a form field takes it: no spaces; no hyphens between digits alone; no name of the sender before digits;
    letters as written."""
    joined = raw.replace(" ", "")
    if named := _NAMED.fullmatch(joined):
        return named[1]
    return joined.replace("-", "") if joined.replace("-", "").isdigit() else joined


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


def _is_free(line: str, start: int, end: int) -> bool:
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
