"""The data directory of every release, opened by today's code: nothing lost, and it works."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from mailserver.machine import mail_user
from tests.support.databases import on_postgres
from tests.support.gateway_process import start_gateway
from tests.support.servers import data_directory, dovecot_missing
from tests.support.waiting import until
from tests.upgrade.make import RELEASES, unpack_release, what_it_holds


@pytest.mark.skipif(on_postgres(), reason="the releases' data directories hold SQLite")
@pytest.mark.parametrize("release", sorted(RELEASES.glob("*.tar.xz")), ids=lambda one: one.name)
def test_the_data_of_a_release_is_all_there(release: Path, tmp_path: Path) -> None:
    if missing := dovecot_missing():
        pytest.skip(missing)
    unpack_release(release, tmp_path)
    with data_directory(tmp_path / "place") as data:
        data.mkdir(exist_ok=True)
        shutil.copytree(tmp_path / "data", data, dirs_exist_ok=True, symlinks=True)
        if os.geteuid() == 0:  # as it was: the mail is its user's
            for path in (data / "mail", *(data / "mail").rglob("*")):
                shutil.chown(path, *mail_user(None))
        held = json.loads((tmp_path / "held.json").read_text("utf-8"))
        gateway = start_gateway(data, mail__smarthost="127.0.0.1:9", mail__smarthost_tls="none")
        try:
            assert what_it_holds(gateway) == held
            address = gateway.inbox["address"]
            gateway.organization.call(
                "POST",
                f"inboxes/{address}/messages/send",
                json={"to": [address], "subject": "new", "text": "x"},
            )
            # the copy in Sent and the mail that came
            until(lambda: len(what_it_holds(gateway)["messages"]) == len(held["messages"]) + 2, 30)
        finally:
            gateway.stop()


def test_every_release_is_here() -> None:
    """A version that changes the schema keeps the data directories of those before it."""
    assert (RELEASES / "0.1.0.tar.xz").is_file()
