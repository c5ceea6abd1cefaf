"""Answers on the screen: JSON as the API gave it, or a table and lines for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import click

from gateway.cli.options import Place

_CONTROL = dict.fromkeys((*range(32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")


def show(place: Place, value: Any, *lines: str) -> None:
    """``value`` as JSON with ``--json``, else the lines."""
    if place.as_json:
        click.echo(json.dumps(value, indent=2, ensure_ascii=False))
        return
    for line in lines:
        click.echo(line)


def show_rows(place: Place, rows: Sequence[dict[str, Any]], columns: dict[str, str], empty: str) -> None:
    """Rows as JSON with ``--json``, else as a table; ``columns`` maps a heading to a key of the rows."""
    if place.as_json:
        show(place, list(rows))
        return
    if not rows:
        click.echo(empty)
        return
    cells = [list(columns)] + [[clean(row.get(key)) for key in columns.values()] for row in rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    for line in cells:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def clean(value: Any) -> str:
    """A value on one line; control characters of foreign mail cannot reach the terminal."""
    if value is None:
        return "-"
    if isinstance(value, list):
        value = ", ".join(str(one) for one in value)
    return str(value).translate(_CONTROL)
