"""The package ``agentmail-toolkit`` from PyPI, unchanged, in LangChain and in OpenAI's agents: ``flow.py`` drives."""

from __future__ import annotations

import email
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.own_gateway import OwnGateway, missing, start_gateway

HERE = Path(__file__).parent

pytestmark = pytest.mark.timeout(600)  # the first one installs the toolkit


@pytest.fixture(scope="module")
def own_gateway() -> Iterator[OwnGateway]:
    """One where agents may sign up."""
    if reason := missing("embedded"):
        pytest.skip(reason)
    with start_gateway(register__enabled=True) as running:
        yield running


@pytest.mark.parametrize("framework", ["langchain", "openai"])
def test_an_agent_works_with_the_tools(toolkit_python: Path, own_gateway: OwnGateway, framework: str) -> None:
    facts = {
        "base": own_gateway.base,
        "key": own_gateway.key,
        "smtp_port": own_gateway.smtp_port,
        "framework": framework,
    }
    quiet = {"OPENAI_AGENTS_DISABLE_TRACING": "1", "LANGSMITH_TRACING": "false"}
    driven = subprocess.run(
        [toolkit_python, str(HERE / "flow.py")],
        env={**os.environ, **quiet, "POSTERN_FACTS": json.dumps(facts)},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert driven.returncode == 0, driven.stderr
    to = json.loads(driven.stdout)
    (forward,) = own_gateway.foreign.wait(to["forward"])
    (send,) = own_gateway.foreign.wait(to["send"])
    own_gateway.foreign.wait(to["copy"])
    assert len(own_gateway.foreign.wait(to["human"], 2)) == 2
    assert "a.pdf" in files(forward.data)
    assert files(send.data) == ["b.txt"]
    assert email.message_from_bytes(send.data)["Subject"] == "Made by a tool"
    replies = own_gateway.foreign.wait("ann@abroad.test")
    assert any(b"I can." in one.data and one.mail_from for one in replies)


def files(raw: bytes) -> list[str]:
    return [name for part in email.message_from_bytes(raw).walk() if (name := part.get_filename())]
