"""Answers on the screen: JSON as the API gave it, or a table and lines for people."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import click

from gateway.cli.options import Place
from gateway.cli.screen import Screen
from gateway.cli.table import Column, Line, table
from gateway.cli.visible import visible

_RAW = re.compile(
    r"[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\U000e0000-\U000e0fff]"
)


def show(place: Place, value: Any, *lines: str) -> None:
    """``value`` as JSON with ``--json``, else the lines."""
    if place.as_json:
        click.echo(as_json(value))
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
    lines = [Line([clean(row.get(key)) for key in columns.values()]) for row in rows]
    for line in table(Screen(), [Column(heading) for heading in columns], lines):
        click.echo(line)


def as_json(value: Any) -> str:
    """JSON for people and programs: what a terminal would obey or hide is written as an escape."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return _RAW.sub(lambda found: json.dumps(found[0])[1:-1], text)


def clean(value: Any) -> str:
    """A value on one line, safe for a terminal (``visible``); - for none."""
    if value is None:
        return "-"
    if isinstance(value, list):
        value = ", ".join(str(one) for one in value)
    return visible(str(value))
