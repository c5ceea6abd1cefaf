"""What OpenMail's SDK (0.0.1) and command line (0.3.1) send and demand, in Node (contract A). See node/clients.mjs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.api_openmail.calls import call
from tests.support.gateway_process import GatewayProcess
from tests.support.waiting import until
from tests.support.webhook_endpoint import webhook_endpoint

HERE = Path(__file__).parent / "node"
NODE = shutil.which("node") or ""


@pytest.mark.skipif(not NODE, reason="node is not installed")
def test_what_the_clients_send_is_answered_as_they_demand(gateway: GatewayProcess) -> None:
    organization = gateway.new_organization()
    with webhook_endpoint() as endpoint:

        def answer(wish: dict[str, Any]) -> Any:
            if "hook" in wish:
                endpoint.answer = lambda post: int(wish["hook"])
                return None
            path = f"inboxes/{wish['inbox']}/messages?direction=inbound"
            return until(lambda: call(organization, "GET", path)["total"] >= wish["count"], why=str(wish))

        facts = {"base": gateway.base_url, "key": organization.api_key, "hook": endpoint.url}
        with subprocess.Popen(
            [NODE, str(HERE / "clients.mjs")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "POSTERN_FACTS": json.dumps(facts)},
        ) as node:
            assert node.stdin is not None
            assert node.stdout is not None
            assert node.stderr is not None
            alarm = threading.Timer(90, node.kill)
            alarm.start()
            try:
                wish: dict[str, Any] = {}
                for line in node.stdout:
                    wish = json.loads(line)
                    if "done" in wish:
                        break
                    node.stdin.write(json.dumps(answer(wish)) + "\n")
                    node.stdin.flush()
                errors = node.stderr.read()
                code = node.wait(30)
            finally:
                alarm.cancel()
                node.kill()
    assert code == 0, errors
    assert wish == {"done": True}
