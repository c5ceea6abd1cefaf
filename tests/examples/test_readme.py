"""Every code block of the root README, run in order against a running gateway, as a newcomer would paste it.

The blocks of "On a server of your own" are lines of docs/install.md, which `tests/vps` runs on a booted host.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.waiting import until
from tests.support.webhook_endpoint import Endpoint, webhook_endpoint

ROOT = Path(__file__).resolve().parents[2]
NODE_PACKAGES = ROOT / "tests/sdk_node/node_modules"
BASE = "http://127.0.0.1:8025"
ENDPOINT = "http://127.0.0.1:9000/mail"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its first line in the file, its text, the heading it is under, and the file."""

    language: str
    line: int
    text: str
    heading: str
    file: str = "README.md"


def blocks(file: str = "README.md") -> list[Block]:
    """All blocks of a document, in order."""
    found, heading, language, begun, lines = [], "", None, 0, list[str]()
    for number, line in enumerate((ROOT / file).read_text("utf-8").splitlines(), start=1):
        if language is None and line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("```") and language is None:
            language, begun, lines = line.removeprefix("```"), number, []
        elif line.startswith("```"):
            found.append(Block(str(language), begun, "\n".join(lines) + "\n", heading, file))
            language = None
        elif language is not None:
            lines.append(line)
    return found


def under(heading: str) -> list[Block]:
    """The blocks of one section; fails when the README has no such section with blocks."""
    found = [one for one in blocks() if one.heading == heading]
    assert found, f"README.md has no section with blocks named {heading!r}"
    return found


@dataclass
class Reader:
    """Somebody who pastes blocks, one after the other, and keeps what each exported."""

    gateway: GatewayProcess
    endpoint: str
    directory: Path

    def here(self, text: str) -> str:
        """The block with this run's addresses and key for those of the README."""
        return (
            text.replace(BASE, self.gateway.base_url)
            .replace(BASE.replace("http:", "ws:"), self.gateway.base_url.replace("http:", "ws:"))
            .replace(ENDPOINT, self.endpoint)
            .replace("POSTERN_KEY=…", f"POSTERN_KEY={self.gateway.api_key}")
        )

    def run(self, block: Block) -> str:
        """Run the block by what its language says; answers its standard output. Fails with what it said."""
        text = self.here(block.text)
        environment = {
            **self.gateway.environment(),
            "POSTERN_DATA_DIR": str(self.gateway.data),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.directory),
            "LANG": "C.UTF-8",
            "POSTERN_KEY": self.gateway.api_key,
            "no_proxy": "*",
        }
        if block.language == "python":
            command, script = [sys.executable, "-W", "ignore"], self.directory / "sample.py"
        elif block.language == "js":
            assert (NODE_PACKAGES / "agentmail").is_dir(), "scripts/test installs the Node packages"
            if not (self.directory / "node_modules").exists():
                (self.directory / "node_modules").symlink_to(NODE_PACKAGES)
            command, script = ["node"], self.directory / "sample.mjs"
        else:
            assert block.language == "sh", f"{block.file}:{block.line}: no language is given"
            command, script = ["bash", "-euo", "pipefail"], self.directory / "sample.sh"
            text = re.sub(r"\bcurl -s\b", "curl -sS --fail-with-body", text)
        script.write_text(text, "utf-8")
        done = subprocess.run(
            [*command, str(script)],
            capture_output=True,
            text=True,
            timeout=120,
            cwd=self.directory,
            env=environment,
            stdin=subprocess.DEVNULL,
        )
        said = f"{block.file}:{block.line}\n{text}\n{done.stdout}\n{done.stderr}"
        assert done.returncode == 0, f"{said}\nexit {done.returncode}"
        return done.stdout


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """What `scripts/run` ends in: `postern serve --quickstart` on an empty directory."""
    with running_gateway(tmp_path_factory.mktemp("data")) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    """The reader's program that takes webhooks."""
    with webhook_endpoint() as made:
        yield made


@pytest.fixture(scope="module")
def reader(started: GatewayProcess, endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    directory = tmp_path_factory.mktemp("reader")
    return Reader(started, endpoint.url, directory)


def subjects(gateway: GatewayProcess) -> list[str]:
    """Of the mails that the quickstart inbox has received."""
    found = gateway.organization.call("GET", f"inboxes/{gateway.inbox['address']}/messages")["messages"]
    return [one["subject"] for one in found if "received" in one["labels"]]


def test_start_is_scripts_run_and_then_a_mail_to_oneself(reader: Reader) -> None:
    start, send = under("Start")
    # .ci/first-start runs this one on machines that have never seen Postern
    assert start.text == "scripts/run\n"
    reader.run(send)
    until(lambda: subjects(reader.gateway) == ["Hello"], 30)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
def test_the_first_five_minutes_run_block_by_block(reader: Reader, endpoint: Endpoint) -> None:
    read, python, node, webhook, verify, openmail, commands = under("The first five minutes")
    assert '"subject":"Hello"' in reader.run(read)

    reader.run(python)
    until(lambda: len(subjects(reader.gateway)) == 2, 30)
    made = reader.gateway.organization.call("GET", "inboxes")["inboxes"]
    assert any(one["email"] == "scout@postern.test" for one in made)
    assert "Hello" in reader.run(node)

    secret = json.loads(reader.run(webhook))["secret"]
    reader.run(openmail)
    [post] = endpoint.wait("message.received")
    given = {"secret": secret, "body": post.body, "headers": post.headers}
    exec(compile(verify.text, "README.md", "exec"), given)
    assert given["event"]["event_id"] == post.json["event_id"]

    said = reader.run(commands)
    assert "scout@postern.test" in said
    assert "A mail to myself." in said or "Hello" in said


def test_what_it_says_of_a_server_is_in_the_manual_whose_blocks_are_run() -> None:
    manual = (ROOT / "docs/install.md").read_text("utf-8")
    for block in under("On a server of your own"):
        for line in block.text.splitlines():
            assert line in manual, f"README.md:{block.line}: docs/install.md has no line {line!r}"


def test_the_test_commands_are_what_ci_runs() -> None:
    [block] = under("Tests")
    steps = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert all(line in steps for line in block.text.splitlines())


def test_every_block_is_run_by_one_of_these_tests() -> None:
    tried = {"Start", "The first five minutes", "On a server of your own", "Tests"}
    assert {one.heading for one in blocks()} == tried
