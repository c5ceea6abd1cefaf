"""What becomes of mail when the workers cannot do their work, and which claims are ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from gateway.milter.judge import Judge
from gateway.milter.key_files import KeyFiles
from gateway.milter.workers import MilterWorkers, NoAnswer
from mailserver.milter import Claim, Mail
from tests.milter.running_milter import KEY

pytestmark = pytest.mark.anyio


class Tired:
    async def verify(self, task: bytes) -> bytes:
        raise NoAnswer("too slow")

    async def sign(self, task: bytes) -> bytes:
        raise NoAnswer("too slow")


async def test_claims_in_our_name_go_even_when_nothing_can_be_checked(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path / "dkim")
    keys.replace([KEY])
    judge = Judge(cast(MilterWorkers, Tired()), keys, "mx.x.test")
    fields: dict[str, Any] = {"client": "far.test", "address": "192.0.2.1", "helo": "far.test"}
    fields_of = [
        b"Authentication-Results: other.test; dkim=pass\r\n",
        b"Authentication-Results: MX.X.test; dkim=pass\r\n",
        b"Authentication-Results: mx.x.test.evil; dkim=pass\r\n",
        b"Authentication-Results:\r\n\t(a (b)) mx.x.test 1; dkim=pass\r\n",
    ]
    claims = [Claim(b"authentication-results", at, field) for at, field in enumerate(fields_of, 1)]
    verdict = await judge.judge(Mail(**fields, claims=claims, data=bytearray(b"From: e@far.test\r\n\r\n")))
    assert (verdict.drop, verdict.refuse) == ((claims[1], claims[3]), "")
    assert verdict.top == (
        b"Authentication-Results: mx.x.test;\r\n\tspf=temperror;\r\n\tdkim=temperror;\r\n\tdmarc=temperror;"
        b"\r\n\tx-forged=removed policy.count=2\r\n"
    )
    mine = Mail(**fields, login="alice@x.test", mail_from="alice@x.test", data=bytearray(b"x"))
    assert (await judge.judge(mine)).refuse.startswith("451 4.3.0 ")
    assert judge.passes("postern-submit")
    assert not judge.passes("alice@x.test")
    assert not judge.passes("")
