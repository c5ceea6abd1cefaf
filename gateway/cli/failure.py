"""How a command fails: words for the operator and an exit code, never a traceback."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
REFUSED = 3
UNAVAILABLE = 4

EXIT_CODES = """\b
Exit codes:
  0  done
  1  failed: the gateway or the mail server said no to the request itself
  2  usage: an option, an argument or a setting does not do
  3  not found, or refused to this key
  4  unavailable: nothing answers, or the data directory is in use
"""


class Failure(Exception):
    """A command cannot go on. ``fix`` says what to do now."""

    def __init__(self, message: str, code: int = FAILED, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.fix = fix
