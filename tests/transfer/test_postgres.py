"""The same on PostgreSQL: backup by pg_dump, restore into an empty database, erasure and what is left."""

from __future__ import annotations

import json
from pathlib import Path

from tests.support.gateway_process import Organization, running_gateway
from tests.support.postgres_server import PostgresCluster
from tests.support.waiting import until
from tests.transfer.full_inbox import deliver, empty_place, mail, shown
from tests.transfer.test_backup import answer


def test_backup_restore_and_erase_on_postgresql(tmp_path: Path, postgres: PostgresCluster) -> None:
    with (
        running_gateway(tmp_path, database__url=postgres.new_database()) as gateway,
        empty_place(tmp_path, database__url=postgres.new_database()) as other,
    ):
        organization = gateway.organization
        address = organization.new_inbox("main")["email_address"]
        deliver(gateway, mail(address, "kept"), mail(address, "theirs", From="gone@forgotten.example"))
        until(lambda: len(shown(organization, address)) == 2)
        exported = answer(gateway, "export", "--inbox", address, "--to", str(tmp_path / "out"))
        assert exported["messages"] == 2
        report = answer(gateway, "erase", "--person", "gone@forgotten.example", "--yes")
        assert report["erased"]["messages"] == 1
        assert report["left"]["rows"] == {}
        before = shown(organization, address)
        made = answer(gateway, "backup", str(tmp_path / "b"), "--mail", "--verify")
        manifest = json.loads((Path(made["backup"]) / "manifest.json").read_text())
        assert manifest["database"] == "postgresql"
        key = gateway.api_key
        gateway.stop()

        restored = answer(other, "restore", made["backup"])
        assert restored["messages"] == 1
        other.start()
        assert shown(Organization(organization.id, key, other.base_url), address) == before
        # into a database that is not empty: nothing is touched
        with empty_place(tmp_path, "third", database__url=other.settings["database__url"]) as third:
            refused = answer(third, "restore", made["backup"], code=1)
            assert "pg_restore" in refused["error"]
