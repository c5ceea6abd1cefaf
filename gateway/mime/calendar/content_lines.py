"""Lines and components of iCalendar text (RFC 5545 §3.1, §3.4), read leniently."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_FOLD = re.compile(r"(?:\r?\n){1,3}[ \t]")  # some write empty lines before it
_BREAK = re.compile(r"\r\n|\n|\r")
_NAME = re.compile(r"[A-Za-z0-9-]{1,60}")
_PARAMETER = re.compile(r';\s*([A-Za-z0-9-]{1,60})=("[^"]*"|[^";:]*)')
_ESCAPED = re.compile(r"\\([\\;,nN])")
_CARET = re.compile(r"\^(['n^])")
_PEOPLE = frozenset({"ORGANIZER", "ATTENDEE"})
_MOST_LINES = 20_000
_DEEPEST = 10


class Line(NamedTuple):
    """A property: its name and those of its parameters in upper case."""

    name: str
    params: dict[str, str]
    value: str


@dataclass(slots=True)
class Component:
    """What stands between BEGIN and END: properties in order, and the components inside."""

    name: str
    lines: list[Line] = field(default_factory=list)
    inner: list[Component] = field(default_factory=list)

    def first(self, name: str) -> Line | None:
        """The first property with this name."""
        return next((line for line in self.lines if line.name == name), None)

    def all(self, name: str) -> Iterator[Line]:
        """Every property with this name."""
        return (line for line in self.lines if line.name == name)

    def text(self, name: str) -> str:
        """The value of the first property with this name, as text; empty without one."""
        line = self.first(name)
        return unescape(line.value) if line else ""


def read_components(text: str) -> list[Component]:
    """The outermost components of a calendar. What is not closed ends with the text."""
    root = Component("")
    stack = [root]
    skipped = 0  # components that are nested too deeply
    for number, raw in enumerate(_BREAK.split(_FOLD.sub("", text))):
        if number >= _MOST_LINES:
            break
        line = _line(raw)
        if line is None:
            continue
        if line.name == "BEGIN":
            if len(stack) > _DEEPEST:
                skipped += 1
                continue
            component = Component(line.value.strip().upper()[:60])
            stack[-1].inner.append(component)
            stack.append(component)
        elif line.name == "END":
            if skipped:
                skipped -= 1
            elif len(stack) > 1:
                stack.pop()
        elif not skipped:
            stack[-1].lines.append(line)
    return root.inner


def unescape(value: str) -> str:
    """A TEXT value as it is read (RFC 5545 §3.3.11)."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def escape(text: str) -> str:
    """``text`` as a TEXT value."""
    quoted = re.sub(r"([\\;,])", r"\\\1", text.replace("\r\n", "\n").replace("\r", "\n"))
    return quoted.replace("\n", "\\n")


def _line(raw: str) -> Line | None:
    name = _NAME.match(raw)
    if name is None:
        return None
    position = name.end()
    params: dict[str, str] = {}
    while found := _PARAMETER.match(raw, position):
        params.setdefault(found[1].upper(), _parameter(found[2]))
        position = found.end()
    key = name[0].upper()
    if key in _PEOPLE and (at := raw.lower().rfind("mailto:", position)) > position:
        return Line(key, params, raw[at:])  # a name with a colon and without quotation marks
    colon = raw.find(":", position)
    return None if colon < 0 else Line(key, params, raw[colon + 1 :])


def _parameter(value: str) -> str:
    """A parameter's value without quotation marks, its escapes undone (RFC 6868)."""
    bare = value.strip().strip('"')
    return _CARET.sub(lambda found: {"n": "\n", "'": '"', "^": "^"}[found[1]], bare)
