"""What of a mail people do not see: it never reaches an agent, but it is counted, and read for instructions."""

from __future__ import annotations

from typing import NamedTuple

from gateway.mime.invisible import Seen

MAX_PIECES = 24_000
"""Characters of hidden text that are kept while a mail is read."""


class Hidden(NamedTuple):
    """How many characters of text were left out, by which forms, and what they say (``form``, text)."""

    characters: int = 0
    forms: tuple[str, ...] = ()
    pieces: tuple[tuple[str, str], ...] = ()

    def and_also(self, other: Hidden) -> Hidden:
        """Both."""
        return Hidden(
            self.characters + other.characters,
            tuple(dict.fromkeys((*self.forms, *other.forms))),
            (*self.pieces, *other.pieces),
        )


class HiddenCollector:
    """Collects what is left out of one text."""

    def __init__(self) -> None:
        self._characters = 0
        self._forms: dict[str, None] = {}
        self._pieces: list[tuple[str, str]] = []
        self._room = MAX_PIECES

    def left_out(self, form: str, text: str) -> None:
        """Text that would be read, were it not hidden by ``form``."""
        words = " ".join(text.split())
        if words:
            self._characters += len(words)
            self._forms[form] = None
            self._keep(form, words)

    def aside(self, form: str, text: str) -> None:
        """What is no text to anybody, such as a comment: it is read for instructions alone."""
        words = " ".join(text[: self._room + 1000].split())
        if len(words) >= 16 and " " in words:
            self._keep(form, words)

    def _keep(self, form: str, words: str) -> None:
        if self._room > 0:
            self._pieces.append((form, words[: self._room]))
            self._room -= len(words)

    def result(self) -> Hidden:
        """What was collected."""
        return Hidden(self._characters, tuple(self._forms), tuple(self._pieces))


def hidden_characters(seen: Seen) -> Hidden:
    """What the characters that were left out of a text hide."""
    if not seen.left_out:
        return Hidden()
    pieces = (("invisible_characters", seen.spelled),) if seen.spelled else ()
    return Hidden(seen.left_out, ("invisible_characters",), pieces)


def hidden_sentences(unseen: str) -> Hidden:
    """What a text part says beyond the HTML."""
    words = " ".join(unseen.split())
    return (
        Hidden(len(words), ("text_differs",), (("text_differs", words[:MAX_PIECES]),)) if words else Hidden()
    )
