"""Commands that only ask a running gateway start without loading the database, the mail format and the engines."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("peewee", "psycopg", "gateway.core.context", "gateway.mime.parse")
QUICK = (
    *(
        "aliases",
        "auth",
        "config",
        "domains",
        "erase",
        "inboxes",
        "keys",
        "mcp",
        "messages",
        "pods",
        "queue",
        "ready",
    ),
    *("rules", "send", "status", "suppressions", "tail", "threads", "usage", "wallet", "webhook"),
)


@pytest.mark.parametrize("command", QUICK)
def test_a_command_loads_only_what_it_needs(command: str) -> None:
    program = f"import sys, gateway.cli.{command}; print(*(one for one in {HEAVY!r} if one in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr
