"""postern.toml, edited key by key: comments, order and whatever the administrator changed stay.

A three-way merge for each setting: what setup wrote before, what the file holds, what setup wants. A value that is
not one setup wrote is the administrator's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import tomlkit
from tomlkit.exceptions import ParseError
from tomlkit.items import Table

HEADER = """\
# Settings of this server, written by `postern setup` and yours to edit: setup changes only the lines it wrote, and
# never one you changed. `postern config` shows every setting with its value; config/postern.toml explains them all.
# After an edit: systemctl restart postern postern-dovecot postern-postfix
# Where HTTP, IMAP and ManageSieve listen is systemd's to know too: `postern setup` with --http-host, --http-port,
# --mail-address or --set mail.imap_port=1143 changes it in both places.
"""
_KEPT = 4


class NotToml(Exception):
    """The file is no TOML; the text says where."""


@dataclass(frozen=True, slots=True)
class Merged:
    """The new text, the names changed in it, and those kept though setup wanted ``{name: (kept, wanted)}``."""

    text: str
    changed: tuple[str, ...]
    kept: dict[str, tuple[Any, Any]]


def merge(
    text: str | None,
    wanted: Mapping[str, Any],
    written: Mapping[str, Sequence[Any]],
    meanings: Mapping[str, str] | None = None,
) -> Merged:
    """``wanted`` merged into ``text`` (None: no file yet). ``written`` holds the values setup wrote before, newest
    last, None for none. Names are dotted. ``meanings`` become comments above new lines. Raises NotToml."""
    try:
        document = tomlkit.parse(HEADER if text is None else text)
    except ParseError as error:
        raise NotToml(str(error)) from error
    changed, kept = [], {}
    for name in dict.fromkeys((*wanted, *written)):
        have, want = _get(document, name), wanted.get(name)
        before = written.get(name, ())
        if have == want:
            continue
        if have is not None and have not in before:
            if not before or before[-1] != want:
                kept[name] = (have, want)
        elif have is None and before and before[-1] is not None and text is not None and before[-1] == want:
            continue  # the administrator took the line out
        else:
            _set(document, name, want, (meanings or {}).get(name))
            changed.append(name)
    return Merged(tomlkit.dumps(document), tuple(changed), kept)


def remember(written: Mapping[str, Sequence[Any]], wanted: Mapping[str, Any]) -> dict[str, list[Any]]:
    """``written`` with ``wanted`` as the newest values."""
    found: dict[str, list[Any]] = {}
    for name in dict.fromkeys((*written, *wanted)):
        want = wanted.get(name)
        found[name] = [*[one for one in written.get(name, ()) if one != want][-_KEPT + 1 :], want]
    return {name: values for name, values in found.items() if values != [None]}


def values_in(text: str) -> dict[str, Any]:
    """The settings a file holds, by dotted name. Raises NotToml."""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotToml(str(error)) from error
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= {f"{name}.{one}": inner for one, inner in value.items()}
        else:
            flat[name] = value
    return flat


def _get(document: tomlkit.TOMLDocument, name: str) -> Any:
    section, _, rest = name.partition(".")
    found: Any = document.get(section)
    if rest:
        found = found.get(rest) if isinstance(found, dict) else None
    return found.unwrap() if hasattr(found, "unwrap") else found


def _set(document: tomlkit.TOMLDocument, name: str, value: Any, meaning: str | None) -> None:
    section, _, rest = name.partition(".")
    if not rest:
        _put(document, section, value, meaning)
        return
    table: Any = document.get(section)
    if not isinstance(table, Table):
        if value is None:
            return
        table = tomlkit.table()
        document.add(tomlkit.nl())
        document.add(section, table)
        table = document[section]
    _put(table, rest, value, meaning)


def _put(holder: Any, key: str, value: Any, meaning: str | None) -> None:
    if value is None:
        holder.remove(key)
    elif key in holder:
        holder[key] = value
    else:
        # comments at a table's end are about what follows it
        body = holder.value.body if isinstance(holder, Table) else []
        end = max((at + 1 for at, (one, _) in enumerate(body) if one is not None), default=0)
        rest, body[end:] = body[end:], []
        if meaning:
            holder.add(tomlkit.comment(meaning))
        holder.add(key, value)
        body.extend(rest)
