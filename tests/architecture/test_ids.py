"""Public ids are written in one place, ``gateway.records.ids``."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from gateway.records import ids

ROOT = Path(__file__).resolve().parents[2]
PREFIXES = tuple(one.prefix for one in vars(ids).values() if isinstance(one, ids.IdKind))
EXAMPLES = ROOT / "gateway/api/reference"  # ids that stand for any: texts, with no value in them


def written(text: str) -> Iterator[int]:
    """The lines where an f-string joins a prefix and a value."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.JoinedStr):
            for before, after in zip(node.values, node.values[1:], strict=False):
                fixed = before.value if isinstance(before, ast.Constant) else ""
                if isinstance(after, ast.FormattedValue) and _ends_in_prefix(str(fixed)):
                    yield node.lineno


def _ends_in_prefix(text: str) -> bool:
    return any(
        text.endswith(one)
        and not text.removesuffix(one)[-1:].isalnum()
        and not text.removesuffix(one).endswith("_")
        for one in PREFIXES
    )


def test_only_the_records_join_a_prefix_and_an_id() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted((ROOT / "gateway").rglob("*.py"))
        if EXAMPLES not in path.parents
        for line in written(path.read_text("utf-8"))
    ]
    assert found == [], "write MESSAGE_ID.public(ulid), or the like: gateway.records.ids"


def test_the_search_finds_what_it_should() -> None:
    text = 'a = f"msg_{x}"\nb = f"<msg_{x}@d>"\nc = f"form_{x}"\nd = f"my_msg_{x}"\ne = "msg_x"\n'
    assert list(written(text)) == [1, 2]
