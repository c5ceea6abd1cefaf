"""Where the type checker skips a line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
MOST = 28
"""Each stands where a library has no types, or a test gives what no caller could."""

INSTALLED = {"node_modules", ".venv"}
"""Folders of packages that tests are run with."""


def sources(room: Path) -> Iterator[Path]:
    """The Python files of a room, without what another test may be installing right now."""
    for place, folders, files in os.walk(room):
        folders[:] = sorted(one for one in folders if one not in INSTALLED)
        yield from (Path(place, one) for one in sorted(files) if one.endswith(".py"))


def test_lines_that_the_type_checker_skips_do_not_become_more() -> None:
    found = [
        f"{path.relative_to(TOP)}:{number}"
        for room in ("gateway", "mailserver", "scripts", "tests")
        for path in sources(TOP / room)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"#\s*type:\s*ignore\[", line)
    ]
    assert 0 < len(found) <= MOST, found
