"""Regular expressions mean the same on every Python that is supported."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(one for room in ("gateway", "mailserver", "scripts") for one in (ROOT / room).rglob("*.py"))
_POSSESSIVE_GROUP = re.compile(r"(?<![\\(])\)(?:[*+?]|\{\d*,?\d*\})\+")


def texts_of(source: str) -> list[tuple[int, str]]:
    """The string constants of a module with their lines, and the fixed parts of its f-strings."""
    return [
        (node.lineno, node.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_no_pattern_repeats_a_group_possessively() -> None:
    """CPython before 3.11.5 matches them wrongly; a group that can end in one way only needs none."""
    found = [
        f"{file.relative_to(ROOT)}:{line}"
        for file in FILES
        for line, text in texts_of(file.read_text())
        if _POSSESSIVE_GROUP.search(text)
    ]
    assert not found, "repeat single characters possessively, never groups"


@pytest.mark.parametrize("pattern", [r"(?:a|b)*+", r"(ab)++", r"(?:ab){2,}+c"])
def test_such_patterns_are_found(pattern: str) -> None:
    assert _POSSESSIVE_GROUP.search(pattern)


@pytest.mark.parametrize("pattern", [r"[^)]*+\)", r"\)++", r"a{2,}+", r"(ab)+c"])
def test_others_are_not(pattern: str) -> None:
    assert not _POSSESSIVE_GROUP.search(pattern)
