"""The headings of CHANGELOG.md: which version is being worked on, and which was released last.

A released version has the heading ``## 0.2.0 - 2026-12-01``. What comes next stands below ``## Unreleased`` or, where
its number is settled, ``## Unreleased (0.3.0)``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

FILE = "CHANGELOG.md"
_UNRELEASED = re.compile(r"Unreleased(?: \((?P<version>[^)]*)\))?$")
_RELEASED = re.compile(r"(?P<version>\S+) - \d{4}-\d{2}-\d{2}$")


class BadChangelog(ValueError):
    """CHANGELOG.md does not have the headings it must have; the text says where and what to write."""


class Section(NamedTuple):
    """One second-level heading of the changelog and the lines below it."""

    version: Version | None
    """The released version, or the one the unreleased changes will become; None where that is open."""
    released: bool
    text: str
    """What stands below the heading, without empty lines around it."""


def sections(text: str) -> list[Section]:
    """The sections of a changelog's text, in its order. Raises BadChangelog for a heading of another form."""
    found = []
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    for heading, below in zip(parts[1::2], parts[2::2], strict=True):
        unreleased, released = _UNRELEASED.match(heading), _RELEASED.match(heading)
        matched = unreleased or released
        if matched is None:
            raise BadChangelog(
                f"{FILE}: the heading {heading!r} is neither 'Unreleased', 'Unreleased (VERSION)' "
                "nor 'VERSION - YYYY-MM-DD'"
            )
        try:
            version = Version(matched["version"]) if matched["version"] is not None else None
        except InvalidVersion as error:
            raise BadChangelog(f"{FILE}: the heading {heading!r} names no version such as 0.2.0") from error
        found.append(Section(version, released is not None, below.strip()))
    return found


def read(root: Path) -> list[Section]:
    """The sections of the CHANGELOG.md in ``root``. Raises BadChangelog where it is missing or malformed."""
    try:
        text = (root / FILE).read_text("utf-8")
    except OSError as error:
        raise BadChangelog(f"{root / FILE}: {error.strerror}") from error
    return sections(text)


def last_release(found: list[Section]) -> Version | None:
    """The highest released version; None before the first release."""
    return max((one.version for one in found if one.released and one.version), default=None)


def planned(found: list[Section]) -> Version | None:
    """The version that the unreleased changes are to become; None where the changelog does not say."""
    return next((one.version for one in found if not one.released), None)
