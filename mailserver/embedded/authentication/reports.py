"""What another server's results say (RFC 8601 §2.2), read from the field that it sealed (RFC 8617 §4.1.1)."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 16 * 1024
"""Octets of a field that is read."""
_STATEMENTS = 50


@dataclass(frozen=True, slots=True)
class Statement:
    """``method=result`` with its properties by ``type.property``; all lower case."""

    method: str
    result: str
    properties: dict[str, str]


def statements(value: str) -> list[Statement]:
    """What a field's value states behind its authserv-id; nothing of one that is too long."""
    if len(value) > LONGEST:
        return []
    found = []
    for part in _parts(value)[1 : _STATEMENTS + 1]:
        pairs = [one.partition("=") for one in part.lower().replace(" = ", "=").split()]
        if not pairs or not pairs[0][1]:
            continue
        (method, _, result), *rest = pairs
        properties: dict[str, str] = {}
        for name, equals, text in rest:
            if equals:
                properties.setdefault(name, text)
        found.append(Statement(method.partition("/")[0], result, properties))
    return found


def _parts(value: str) -> list[str]:
    """Split at semicolons, without comments; what is quoted belongs to its part, without its quotes and its blanks."""
    parts: list[list[str]] = [[]]
    depth, quoted, escaped = 0, False, False
    for one in value:
        if escaped:
            escaped = False
            if depth == 0:
                parts[-1].append("_" if one.isspace() else one)
        elif one == "\\" and (quoted or depth):
            escaped = True
        elif quoted:
            if one == '"':
                quoted = False
            else:
                parts[-1].append("_" if one.isspace() else one)
        elif one == "(":
            depth += 1
            parts[-1].append(" ")
        elif one == ")" and depth:
            depth -= 1
        elif depth:
            continue
        elif one == '"':
            quoted = True
        elif one == ";":
            parts.append([])
        else:
            parts[-1].append(one)
    return ["".join(one) for one in parts]
