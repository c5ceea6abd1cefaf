"""The official npm package ``agentmail`` against a running gateway: ``flow.mjs`` drives, this plays the world."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.reports import delivery_report, feedback_report
from tests.support.mails import deliver, new_mail
from tests.support.own_gateway import OwnGateway

HERE = Path(__file__).parent
NODE = shutil.which("node") or ""


class World:
    """Does what the script asks for."""

    def __init__(self, own_gateway: OwnGateway) -> None:
        self._gateway = own_gateway
        self._last_id = ""

    def deliver(self, to: str, subject: str, file: str) -> bool:
        # a slash and a plus: what a path must carry encoded
        mail = new_mail(to, subject, message_id="<node/a+b=@abroad.test>")
        mail.add_attachment(b"\x00\x01\xff", maintype="application", subtype="octet-stream", filename=file)
        deliver(self._gateway.smtp_port, mail, to)
        self._last_id = str(mail["Message-ID"])
        return True

    def last_id(self) -> str:
        return self._last_id

    def foreign(self, to: str) -> dict[str, Any]:
        mails = self._gateway.foreign.wait(to)
        parts = list(email.message_from_bytes(mails[0].data).walk())
        files = [bytes(one.get_payload(decode=True)).hex() for one in parts if one.get_filename()]
        texts = [one.get_payload(decode=True) for one in parts if one.get_content_type() == "text/plain"]
        return {"count": len(mails), "files": files, "text": texts[0].decode() if texts else ""}

    def report(self, to: str, kind: str) -> bool:
        (mail,) = self._gateway.foreign.wait(to)
        original = email.message_from_bytes(mail.data)
        report = feedback_report(original, to) if kind == "abuse" else delivery_report(original, to, kind)
        deliver(self._gateway.smtp_port, report, mail.mail_from, sender="")
        return True


@pytest.mark.skipif(not NODE, reason="node is not installed")
@pytest.mark.skipif(
    not (HERE / "node_modules" / "agentmail").exists(),
    reason="npm install has not run in tests/sdk_node (scripts/test does it)",
)
def test_the_core_flow(own_gateway: OwnGateway) -> None:
    world = World(own_gateway)
    facts = {"base": own_gateway.base, "key": own_gateway.key}
    with subprocess.Popen(
        [NODE, str(HERE / "flow.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "POSTERN_FACTS": json.dumps(facts)},
    ) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        assert node.stderr is not None
        alarm = threading.Timer(120, node.kill)
        alarm.start()
        try:
            last: dict[str, Any] = {}
            for line in node.stdout:
                last = json.loads(line)
                what = last.pop("do")
                if what == "done":
                    break
                answer = getattr(world, what.replace("-", "_"))(**last)
                node.stdin.write(json.dumps(answer) + "\n")
                node.stdin.flush()
            errors = node.stderr.read()
            code = node.wait(30)
        finally:
            alarm.cancel()
            node.kill()
    assert code == 0, errors
    assert last["events"] >= 8
