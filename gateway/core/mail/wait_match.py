"""Which received message is waited for: sender, subject and text, as people and models write them."""

from __future__ import annotations

import unicodedata

import re2

from gateway.core.errors import Invalid
from gateway.mime.types import Address
from gateway.records.mail import MessageText

MAX_WORDS = 998
"""Characters of one condition: no line of a mail is longer."""

MAX_PATTERN = 500
"""Characters of an expression."""

_PATTERN_MEMORY = 1 << 20
_FLAGS = frozenset("gimsu")


class Match:
    """Which message is waited for: all that is given must hold, case aside; blanks are not given.

    ``sender``: a whole address is that address, nothing longer; ``@domain`` is its end; anything else is part of the
    address or the name. ``subject``: in the subject, or ``/regex/`` (RE2, which takes linear time whatever the mail).
    ``text``: in the body. Raises Invalid, naming the field ``from``, ``subject`` or ``text``.
    """

    def __init__(
        self, sender: str | None = None, subject: str | None = None, text: str | None = None
    ) -> None:
        self._sender = _words(sender, "from")
        self._pattern = _pattern(subject.strip()) if subject else None
        self._subject = _words(subject, "subject") if self._pattern is None else ""
        self._text = _words(text, "text")
        self.reads_text = bool(self._text)

    def accepts_head(self, sender: Address | None, subject: str) -> bool:
        """Whether sender and subject of a message match."""
        if self._sender and not _is_from(self._sender, sender):
            return False
        if self._pattern is not None:
            return self._pattern.search(subject) is not None
        return self._subject in plain(subject)

    def accepts_text(self, texts: MessageText) -> bool:
        """Whether the texts of a message match (with their quoted history)."""
        if not self._text:
            return True
        return any(self._text in plain(one or "") for one in (texts.text, texts.extracted_text))


def plain(text: str) -> str:
    """Text as it is compared: composed, without case."""
    return unicodedata.normalize("NFC", text).casefold()


def _is_from(wanted: str, sender: Address | None) -> bool:
    if sender is None:
        return False
    address = plain(sender.email)
    local, at, domain = wanted.partition("@")
    if not at:
        return wanted in address or wanted in plain(sender.name)
    # a name may show any address, and ann@bank.test is part of ann@bank.test.evil.test: neither may be trusted
    if not local:
        return address.endswith(wanted)
    return address == wanted if "." in domain else wanted in address


def _words(given: str | None, field: str) -> str:
    words = (given or "").strip()
    if len(words) > MAX_WORDS:
        raise Invalid(
            f"{field} takes at most {MAX_WORDS} characters", field=field, fix="give the part that is telling"
        )
    return plain(words)


def _pattern(subject: str) -> re2._Regexp | None:
    """The expression of ``/…/`` or ``/…/i``; None for plain text."""
    if not subject.startswith("/") or len(subject) < 3:
        return None
    expression, slash, flags = subject[1:].rpartition("/")
    if not slash or not expression or not _FLAGS.issuperset(flags):
        return None
    if len(expression) > MAX_PATTERN:
        raise Invalid(
            f"the expression is longer than {MAX_PATTERN} characters",
            field="subject",
            fix="write a shorter one",
        )
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    options.max_mem = _PATTERN_MEMORY
    try:
        return re2.compile(expression, options)
    except re2.error as error:
        words = error.args[0].decode("utf-8", "replace") if error.args else "it is none"
        raise Invalid(
            f"subject is not a regular expression that can be used here: {words}",
            field="subject",
            fix="use RE2 syntax (no look-around, no back-references), or plain text",
        ) from None
