"""``postern ready``, and commands that come while a gateway starts."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import operator
from gateway.cli.connect import _answering
from tests.support.gateway_process import GatewayProcess
from tests.support.ports import keep_port


def ready(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli.main", "ready", *words],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_a_gateway_that_works_is_ready(gateway: GatewayProcess) -> None:
    done = ready("--data", str(gateway.data))
    assert (done.returncode, done.stdout) == (0, "ready\n")
    by_url = ready("--url", gateway.base_url, "--json")
    assert by_url.returncode == 0
    assert json.loads(by_url.stdout)["parts"]["database"]["ok"] is True


def test_no_gateway_and_one_that_does_not_answer_are_not_ready(tmp_path: Path) -> None:
    done = ready("--data", str(tmp_path))
    assert (done.returncode, done.stderr) == (4, f"postern: no gateway runs on {tmp_path}\n")
    assert list(tmp_path.iterdir()) == []
    url = f"http://127.0.0.1:{keep_port()}"
    done = ready("--url", url)
    assert done.returncode == 4
    assert f"no gateway answers at {url}" in done.stderr


@pytest.mark.anyio
async def test_a_file_of_an_earlier_gateway_does_not_count_though_its_process_number_is_taken(
    tmp_path: Path,
) -> None:
    port = keep_port()
    written = {"base_url": f"http://127.0.0.1:{port}", "api_key": "inai_x", "pid": os.getpid()}
    operator.write_private(tmp_path / operator.NAME, written)
    waiting = asyncio.create_task(_answering(tmp_path))
    done, _ = await asyncio.wait([waiting], timeout=0.5)
    assert not done
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port)
    async with server:
        assert (await waiting).base_url == written["base_url"]
