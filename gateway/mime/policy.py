"""How messages are written: identifiers and lists are folded between tokens, never turned into encoded words."""

from __future__ import annotations

from email.policy import EmailPolicy

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


class MailPolicy(EmailPolicy):
    """EmailPolicy whose folding leaves identifiers whole (the default encodes those over 78 octets)."""

    def _fold(self, name: str, value: str, refold_binary: bool = False) -> str:
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


MAIL_POLICY = MailPolicy(linesep="\r\n", max_line_length=78)
