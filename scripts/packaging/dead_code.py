"""Look for code that nothing calls: ``python -m scripts.packaging.dead_code`` prints each place; exit code 1 if any.

Tests do not count as callers: what only they call is dead too. Fields of data classes and views are left out, they are
read by name. What a framework or library calls is listed below.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vulture import Vulture

_ROOT = Path(__file__).parents[2]
_LOOKED_AT = ("gateway", "mailserver")
_CALLERS = (*_LOOKED_AT, "scripts")
_KINDS = {"function", "method", "class", "property", "import", "unreachable_code"}

_KNOWN = {
    # found when this look began, and tried by tests: each leaves this list with its removal, or with its first caller
    ("gateway/api/paging.py", "in_memory"),
    ("gateway/mime/reply/reply.py", "base_subject"),
    ("gateway/setup/settings_file.py", "values_in"),
}

_DECORATORS = [
    "@table.*",  # routes of the dialects
    "@command.*",  # of click
    "@group.*",
    "@tool",
    "@*.tool",
    "@server.*",
]
_NAMES = [
    "__getattr__",
    # aiosmtpd
    "handle_*",
    "smtp_*",
    "_create_session",
    # imaplib
    "_create_socket",
    # httptools and asyncio's protocols
    "on_*",
    "datagram_received",
    "error_received",
    # starlette and uvicorn
    "matches",
    "url_path_for",
    "capture_signals",
    # click
    "list_commands",
    "get_command",
    # prometheus_client
    "collect",
    # aioimaplib
    "create_client",
]


def found() -> list[str]:
    """Each place as ``file:line: what it is``, by file and line."""
    vulture = Vulture(ignore_names=_NAMES, ignore_decorators=_DECORATORS)
    vulture.scavenge([str(_ROOT / name) for name in _CALLERS])
    places = []
    for item in vulture.get_unused_code(min_confidence=60):
        path = Path(item.filename).relative_to(_ROOT)
        known = (path.as_posix(), item.name) in _KNOWN
        if item.typ in _KINDS and path.parts[0] in _LOOKED_AT and not known:
            places.append(f"{path}:{item.first_lineno}: {item.message}")
    return places


def main() -> int:
    """The command."""
    places = found()
    for place in places:
        print(place)
    if places:
        print(
            f"{len(places)} found: take them out, or call them; if a library calls one, add its name to "
            "scripts/packaging/dead_code.py",
            file=sys.stderr,
        )
    return 1 if places else 0


if __name__ == "__main__":
    sys.exit(main())
