"""The gateway leaves the signing keys where the milter reads them, and nobody else."""

from __future__ import annotations

import stat
import time
from pathlib import Path
from typing import Any

import pytest

from gateway.milter.key_files import KeyFiles, KeyUnreadable
from gateway.mime.dkim_sign import Signing
from tests.support.gateway_process import running_gateway


def test_files_are_private_and_exactly_those_wanted(tmp_path: Path) -> None:
    keys = KeyFiles(tmp_path / "dkim")
    first, second = Signing("x.test", "a", "one"), Signing("y.test", "b", "two", ("date",))
    keys.replace([first, second])
    assert (keys.find("x.test"), keys.find("deep.y.test")) == (
        first,
        Signing("y.test", "b", "two", ("date",)),
    )
    assert stat.S_IMODE((tmp_path / "dkim").stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in (tmp_path / "dkim").iterdir()} == {0o600}
    before = (tmp_path / "dkim" / "x.test.json").stat().st_ino
    keys.replace([first])
    assert (tmp_path / "dkim" / "x.test.json").stat().st_ino == before
    with pytest.raises(KeyUnreadable, match=r"no key of y\.test"):
        keys.find("y.test")
    (tmp_path / "dkim" / "x.test.json").write_text("{")
    with pytest.raises(KeyUnreadable, match="start the gateway"):
        keys.find("x.test")
    for odd in ("../../etc/passwd", "", "a..b", ".", "x/y.test"):
        with pytest.raises(KeyUnreadable):
            keys.find(odd)


def test_the_gateway_writes_them_and_follows_changes(tmp_path: Path) -> None:
    milter: dict[str, Any] = {"mail__milter": "unix:/nowhere/milter.sock", "mail__smarthost_profile": "brevo"}
    with running_gateway(tmp_path, **milter) as gateway:
        keys = KeyFiles(gateway.data / "dkim")
        assert "BEGIN PRIVATE KEY" in keys.find("postern.test").private_key
        assert keys.find("postern.test").changed == ("message-id",)
        gateway.organization.call("POST", "domains", json={"domain": "new.test"})
        end = time.monotonic() + 60
        while not (gateway.data / "dkim" / "new.test.json").exists():
            assert time.monotonic() < end
            time.sleep(0.1)
        assert keys.find("new.test").selector
