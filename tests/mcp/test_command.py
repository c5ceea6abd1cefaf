"""``postern mcp`` as a command: which gateway it finds, and what it says when it finds none."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from mcp import Client, StdioServerParameters

from tests.mcp.clients import ROOT, done
from tests.support.gateway_process import GatewayProcess, Organization


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("POSTERN_", "MAILBOXKIT_"))
    }
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", "mcp"],
        env={**kept, **environment},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.anyio
async def test_it_finds_the_gateway_of_this_machine(gateway: GatewayProcess) -> None:
    command, *arguments = gateway.command("mcp", "--inbox", gateway.inbox["address"])
    local = StdioServerParameters(command=command, args=arguments, env=gateway.environment(), cwd=ROOT)
    async with Client(local) as client:
        made = await done(client, "create_draft", to="a@b.test", subject="x", text="y")
        await done(client, "delete_draft", draft_id=made["draft"]["draft_id"])


def test_a_wrong_key_is_said_at_once(organization: Organization) -> None:
    ended = start(POSTERN_URL=organization.base_url, POSTERN_KEY="inai_wrong")
    assert ended.returncode == 3
    assert "wrong, expired or revoked" in ended.stderr
    assert ended.stdout == ""


def test_a_missing_key_is_said_at_once(organization: Organization) -> None:
    ended = start(MAILBOXKIT_BASE_URL=organization.base_url)
    assert ended.returncode == 2
    assert "key" in ended.stderr


def test_no_gateway_is_said_at_once() -> None:
    ended = start(POSTERN_URL="http://127.0.0.1:9", POSTERN_KEY="x")
    assert ended.returncode == 3
    assert "no gateway answers at http://127.0.0.1:9/mcp" in ended.stderr
