"""Configuration files made from the templates: what they hold is known before any is written."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Rendered:
    """One file as it should be."""

    path: Path
    text: str = field(repr=False)
    mode: int = 0o644

    def differs(self) -> bool:
        """Whether the file on disk is missing, reads otherwise or has another mode."""
        try:
            return self.path.read_text("utf-8") != self.text or self.path.stat().st_mode & 0o777 != self.mode
        except (FileNotFoundError, UnicodeDecodeError):
            return True

    def write(self) -> None:
        """Make the file so, whole or not at all."""
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.unlink(missing_ok=True)
        # never through a link that someone else may have put there
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, self.mode)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(self.text)
        os.chmod(fresh, self.mode)
        os.replace(fresh, self.path)


def template(name: str, values: Mapping[str, str]) -> str:
    """The template ``name`` with each ``@NAME@`` replaced."""
    return fill(files("mailserver").joinpath("templates", name).read_text(encoding="utf-8"), values)


def fill(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"@([A-Z_]+)@", lambda match: values[match[1]], text)


def differing(wanted: Iterable[Rendered]) -> list[Path]:
    """Those that are not on disk as they should be."""
    return [one.path for one in wanted if one.differs()]
