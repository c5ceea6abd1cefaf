"""A command where there is no gateway says so, and makes nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [
    *(["inbox", "list"], ["inbox", "create", "a"], ["key", "list"], ["key", "create", "a"], ["pod", "list"]),
    *(["domain", "list"], ["alias", "list"], ["rule", "list"], ["suppression", "list"], ["webhook", "list"]),
    *(
        ["message", "list", "a@x.test"],
        ["thread", "list"],
        ["send", "--from", "a@x.test", "--to", "b@x.test"],
    ),
    *(
        ["queue"],
        ["queue", "list"],
        ["status"],
        ["tail"],
        ["usage"],
        ["rebuild"],
        ["ready"],
        ["config"],
        ["mcp"],
    ),
    *(["doctor"], ["auth", "approve", "ABCD-EFGH"], ["wallet", "show"], ["smarthost", "test", "a@x.test"]),
    *(["backup", "b"], ["export", "--all", "--to", "out"], ["import", "x.mbox", "--inbox", "a@x.test"]),
    *(["erase", "--person", "a@x.test", "--yes"], ["milter"], ["mail", "render"]),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_no_command_makes_a_data_directory(command: list[str], tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", *command],
        cwd=tmp_path,
        env=environ | {"PYTHONPATH": str(_ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert "a defect in Postern" not in done.stderr
    assert os.listdir(tmp_path) == [], (done.returncode, done.stderr)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "the default, below the current directory"),
        (["--data", "elsewhere"], "of --data"),
    ],
)
def test_where_it_looked_and_what_to_do_is_said(options: list[str], words: str, tmp_path: Path) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTERN_")}
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", "inbox", "list", *options],
        cwd=tmp_path,
        env=environ | {"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 3, done.stderr
    assert f"there is no gateway in {tmp_path}" in done.stderr
    assert words in done.stderr
    assert "postern init" in done.stderr
