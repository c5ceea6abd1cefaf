"""How messages are written: identifiers and lists are folded between tokens, never turned into encoded words."""

from __future__ import annotations

from email.headerregistry import HeaderRegistry
from email.policy import EmailPolicy
from typing import Any

_VERBATIM = frozenset(
    [
        "message-id",
        "in-reply-to",
        "references",
        "list-unsubscribe",
        "list-unsubscribe-post",
        "list-id",
        "list-help",
        "list-archive",
        "feedback-id",
        "auto-submitted",
        "x-auto-response-suppress",
    ]
)


_FINISHED = frozenset(["message-id", "in-reply-to", "references", "date", "mime-version"])


class _Classes(HeaderRegistry):
    """The stdlib's registry makes a class for every header of every message; these are made once."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[type, Any] = {}

    def __getitem__(self, name: str) -> Any:
        kind: type = self.registry.get(name.lower(), self.default_class)
        made = self._made.get(kind)
        if made is None:
            made = self._made[kind] = super().__getitem__(name)
        return made


class MailPolicy(EmailPolicy):
    """EmailPolicy whose folding leaves identifiers whole (the default encodes those over 78 octets).

    What needs neither folding nor encoding is written without the stdlib's token trees: half of the time.
    """

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        """As the stdlib's; fields that are written as they are given are not parsed first. Raises ValueError."""
        if name.lower() in _FINISHED and type(value) is str and value.isascii() and value.isprintable():
            return name, value
        return super().header_store_parse(name, value)

    def _fold(self, name: str, value: str, refold_binary: bool = False) -> str:
        text = str(value)
        fits = 0 < len(text) <= 76 - len(name)
        if fits and text.isascii() and text.isprintable() and "=?" not in text:
            return f"{name}: {text}{self.linesep}"
        if name.lower() not in _VERBATIM or not str(value).isascii():
            return super()._fold(name, value, refold_binary)  # type: ignore[misc,no-any-return]
        lines: list[str] = []
        line = f"{name}:"
        for word in str(value).split():
            if len(line) + 1 + len(word) > 78 and line != f"{name}:":
                lines.append(line)
                line = ""
            line += f" {word}"
        return self.linesep.join([*lines, line]) + self.linesep


MAIL_POLICY = MailPolicy(linesep="\r\n", max_line_length=78, header_factory=_Classes())
