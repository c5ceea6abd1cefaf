"""Text parts that say what the HTML of the same mail does not show.

Mail programs show people the HTML. What the text part says beyond it nobody reads, except for programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

# characters of scripts without spaces are words of their own
_WORD = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W\d_]+")
_ADDRESS = re.compile(r"<?(?:https?://|mailto:)[^\s<>]*>?")
_SENTENCE = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])")
_FEW = 4  # words that say nothing yet
_LEAST_HTML = 3  # words: HTML with fewer is a picture, and the text part says what is on it


class Shown(NamedTuple):
    """``text`` as far as the HTML shows it, and what of it the HTML does not show."""

    text: str
    unseen: str


def shown_in_html(plain: str, html_text: str) -> Shown:
    """Leave the sentences out of a text part that are not in the HTML. ``html_text``: what people see of that.

    ``text`` is empty when the two have little in common. A sentence is in the HTML when half of its words are, each
    next to the same word. Linear.
    """
    words = _words(html_text)
    if len(words) < _LEAST_HTML:
        return Shown(plain, "")
    pairs = set(pairwise(words))
    single = set(words)
    said = _words(plain)
    known = _known(said, pairs, single)
    if all(known):
        return Shown(plain, "")
    unseen: list[str] = []
    kept = _without_unseen(plain, iter(known), unseen)
    if not unseen:
        return Shown(plain, "")
    if 2 * sum(known) < len(known):
        return Shown("", "\n".join(unseen))
    return Shown(kept, "\n".join(unseen))


def _words(text: str) -> list[str]:
    return _WORD.findall(_ADDRESS.sub(" ", text).casefold())


def _known(said: list[str], pairs: set[tuple[str, str]], single: set[str]) -> list[bool]:
    """For each word whether the HTML has it, next to one of its neighbours."""
    both = [pair in pairs for pair in pairwise(said)]
    before, after = [False, *both], [*both, False]
    if len(said) == 1:
        return [said[0] in single]
    return [one or other for one, other in zip(before, after, strict=True)]


def _without_unseen(plain: str, known: Iterator[bool], unseen: list[str]) -> str:
    """``plain`` without the runs of sentences that are not known; they go to ``unseen``."""
    lines: list[list[str]] = []
    gone: set[tuple[int, int]] = set()  # (line, sentence)
    run: list[tuple[int, int]] = []
    strange = 0

    def end() -> None:
        nonlocal strange
        if strange >= _FEW:
            gone.update(run)
            unseen.append(" ".join(lines[line][at] for line, at in run))
        run.clear()
        strange = 0

    originals = plain.split("\n")
    for text in originals:
        lines.append(_SENTENCE.split(text))
        for at, sentence in enumerate(lines[-1]):
            marks = [next(known, True) for _ in _words(sentence)]
            if marks and 2 * sum(marks) < len(marks):
                run.append((len(lines) - 1, at))
                strange += len(marks) - sum(marks)
            elif marks:
                end()
    end()
    touched = {line for line, _ in gone}
    kept: list[str] = []
    for number, text in enumerate(originals):
        if number not in touched:
            kept.append(text)
        elif rest := [one for at, one in enumerate(lines[number]) if (number, at) not in gone and one]:
            kept.append(" ".join(rest))
    return "\n".join(kept)
