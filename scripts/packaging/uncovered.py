"""Say how much of each room ran, and name the functions that no test enters, from a coverage report.

    python -m scripts.packaging.uncovered REPORT.json

REPORT.json is what ``coverage json`` writes. A room is a folder like ``gateway/sync``.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path, PurePosixPath
from typing import Any


def uncovered(report: dict[str, Any]) -> list[str]:
    """``path:line name`` of each function of which not one statement ran."""
    return [
        f"{path}:{function['missing_lines'][0]} {name}"
        for path, measured in sorted(report["files"].items())
        for name, function in measured["functions"].items()
        if name and function["missing_lines"] and not function["executed_lines"]
    ]


def totals(report: dict[str, Any]) -> list[str]:
    """A line for each room and one for all: statements and branches, and how many of them ran in per cent."""
    rooms: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path, measured in sorted(report["files"].items()):
        rooms["/".join(PurePosixPath(path).parent.parts[:2])].append(measured["summary"])
        rooms["all"].append(measured["summary"])
    return [
        f"{room:24} {_ran(files)}" for room, files in sorted(rooms.items(), key=lambda item: item[0] == "all")
    ]


def _ran(files: list[dict[str, Any]]) -> str:
    statements, ran = sum(f["num_statements"] for f in files), sum(f["covered_lines"] for f in files)
    branches, taken = sum(f["num_branches"] for f in files), sum(f["covered_branches"] for f in files)
    return (
        f"{_percent(ran + taken, statements + branches)}  ({statements} statements {_percent(ran, statements)}, "
        f"{branches} branches {_percent(taken, branches)})"
    )


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / max(whole, 1):.1f}%"


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    report = json.loads(Path(arguments[0]).read_text("utf-8"))
    functions = uncovered(report)
    print("\n".join([*totals(report), "", f"Functions that no test enters: {len(functions)}", *functions]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
