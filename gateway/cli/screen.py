"""The terminal that a command answers on: its size, colours where they are wanted, and a pager for long answers."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from gateway.cli.visible import cells


@dataclass(frozen=True, slots=True)
class Screen:
    """``width`` and ``height`` in cells; ``width`` 0: no terminal, lines are as long as they are."""

    width: int = 0
    height: int = 0
    colour: bool = False
    pages: bool = False

    @classmethod
    def now(cls, *, no_pager: bool = False) -> Screen:
        """Standard output as it is. ``NO_COLOR`` (when set to anything) and ``TERM=dumb`` switch colours off."""
        if not sys.stdout.isatty():
            return cls()
        size = shutil.get_terminal_size()
        dumb = os.environ.get("TERM") == "dumb"
        return cls(
            size.columns,
            size.lines,
            colour=not os.environ.get("NO_COLOR") and not dumb,
            pages=not no_pager and not dumb,
        )

    def style(self, text: str, **how: Any) -> str:
        """``text`` as :func:`click.style` has it, where colours are wanted."""
        return click.style(text, **how) if self.colour and text else text

    def dim(self, text: str) -> str:
        return self.style(text, dim=True)

    def bold(self, text: str) -> str:
        return self.style(text, bold=True)

    def rows_of(self, line: str) -> int:
        """How many rows of the screen a line of text takes."""
        return max(1, -(-cells(click.unstyle(line)) // self.width)) if self.width else 1

    def show(self, lines: Sequence[str]) -> None:
        """Print the lines, through ``PAGER`` when they are more than the screen holds."""
        lines = [part for line in lines for part in line.split("\n")]
        if self.pages and sum(map(self.rows_of, lines)) >= self.height:
            click.echo_via_pager("\n".join(lines))
            return
        for line in lines:
            click.echo(line, color=self.colour)

    def show_list(self, lines: Sequence[str], footer: str | None) -> None:
        """A table, and a line about it: below it on a terminal, else on standard error, out of a program's way."""
        if footer is None or self.width:
            self.show([*lines, *([self.dim(footer)] if footer else [])])
            return
        self.show(lines)
        click.echo(footer, err=True)
