"""No secret that the API handed out can be read in the database, its dumps, the logs, or an export."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from gateway.backup.postgres import environment
from gateway.datadir import read_secret
from gateway.store.engine import Store
from gateway.store.sealing import Sealer
from gateway.store.sql import sql
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.postgres_server import PostgresCluster
from tests.support.waiting import until
from tests.transfer.full_inbox import deliver, mail, shown
from tests.transfer.test_backup import answer

_NAMES = re.compile(r"(secret|password|key|token|requestid)$", re.IGNORECASE)
_PUBLIC = re.compile(r"dkim|public|page_token|client", re.IGNORECASE)


def secrets_in(value: Any, name: str = "") -> set[str]:
    """Every text in an answer that is handed out as a secret."""
    if isinstance(value, dict):
        return {one for key, held in value.items() for one in secrets_in(held, key)}
    if isinstance(value, list):
        return {one for held in value for one in secrets_in(held, name)}
    named = isinstance(value, str) and _NAMES.search(name) and not _PUBLIC.search(name)
    return {value} if named and len(value) >= 8 else set()


def handed_out(gateway: GatewayProcess) -> set[str]:
    """Have the API hand out a secret of every kind; answers them."""
    organization = gateway.organization
    found = {gateway.api_key, gateway.inbox["password"]}
    with httpx.Client(
        base_url=gateway.base_url, headers=organization.headers, trust_env=False, timeout=30
    ) as http:

        def call(method: str, path: str, once: str = "", **json: Any) -> Any:
            more = {"Idempotency-Key": once} if once else None
            said = http.request(method, path, json=json or None, headers=more)
            assert said.is_success, (path, said.status_code, said.text)
            body = said.json() if said.content else {}
            found.update(secrets_in(body))
            return body

        address = call("POST", "/api/v0/inboxes", username="ann")["email_address"]
        call("POST", f"/api/v0/inboxes/{address}/credentials")
        hook = call(
            "POST", "/api/v0/webhooks", url="http://127.0.0.1:8099/a", event_types=["message.received"]
        )
        path = f"/api/v0/webhooks/{hook['webhook_id']}"
        call("POST", f"{path}/rotate-secret")
        theirs = "Bearer the-receivers-own-token"
        call("PATCH", f"{path}/headers", headers={"Authorization": theirs})
        found.add(theirs)
        call("POST", "/api/v0/api-keys", name="another")
        call("PUT", "/v1/webhook", url="http://127.0.0.1:8099/b")
        call("POST", "/v1/webhook/rotate-secret")
        call("POST", "/v1/inboxes", mailboxName="bob", webhookUrl="http://127.0.0.1:8099/c")
        call("POST", "/api/v1/webhooks", "once", url="http://127.0.0.1:8099/d", events=["message.received"])
        call("POST", "/api/v1/api_keys", "twice", name="kept")
        call("POST", "/api/v0/domains", domain="own.example")
        call("POST", "/api/v0/domains/own.example/rotate")
        begun = call("POST", "/auth/cli/start")
        answer(gateway, "auth", "approve", begun["userCode"])
        call("GET", f"/auth/cli/poll?requestId={begun['requestId']}")
        deliver(gateway, mail(address, "an event for each"))
        until(lambda: shown(organization, address))
    return found


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_nothing_that_was_handed_out_can_be_read(
    engine: Literal["sqlite", "postgresql"], tmp_path: Path, postgres: PostgresCluster
) -> None:
    url = "" if engine == "sqlite" else postgres.new_database()
    with running_gateway(tmp_path, database__url=url) as gateway:
        found = handed_out(gateway)
        assert len(found) >= 14, found
        url = url or f"sqlite:{gateway.data / 'postern.db'}"
        store = Store(url, sealer=Sealer(read_secret(gateway.data)))
        rows = store.read_now(lambda tx: sql(tx).rows("SELECT dkim_private FROM domain"))
        rows += store.read_now(lambda tx: sql(tx).rows("SELECT private AS private FROM dkim_key"))
        store.close()
        keys = {next(iter(one.values())) for one in rows}
        assert len(keys) >= 3
        assert all("PRIVATE KEY" in one for one in keys)
        found |= {line for one in keys for line in one.splitlines() if len(line) > 40}

        made = Path(answer(gateway, "backup", str(tmp_path / "b"), "--mail", "--verify")["backup"])
        answer(gateway, "export", "--all", "--to", str(tmp_path / "out"))
        places = [
            *gateway.data.glob("postern.db*"),
            *gateway.data.rglob("lookup.db*"),
            *gateway.data.glob("*.log"),
            *(one for one in made.rglob("*") if one.is_file()),
            *(one for one in (tmp_path / "out").rglob("*") if one.is_file()),
        ]
        if engine == "postgresql":
            dumped = subprocess.run(
                ["pg_dump"],
                env={"PATH": "/usr/bin:/bin", **environment(url)},
                capture_output=True,
                check=True,
            )
            (tmp_path / "dump.sql").write_bytes(dumped.stdout)
            if (made / "postern.pgdump").exists():
                text = subprocess.run(
                    ["pg_restore", "--file=-", str(made / "postern.pgdump")], capture_output=True, check=True
                )
                (tmp_path / "restored.sql").write_bytes(text.stdout)
            places += [tmp_path / "dump.sql", tmp_path / "restored.sql"]
        assert len(places) > 6
        # the first start in development shows these two to whoever sits before it
        printed = {("gateway.log", one) for one in (gateway.api_key, gateway.inbox["password"])}
        readable = {
            (place.name, secret)
            for place in places
            for secret in found
            if secret.encode() in place.read_bytes() and (place.name, secret) not in printed
        }
        assert readable == set()

        # another key: said in words, and nothing is changed
        gateway.stop()
        file = gateway.data / "secret"
        right = file.read_text()
        for wrong in ("ab" * 32 + "\n", None):
            if wrong is None:
                file.unlink()
            else:
                file.write_text(wrong)
            refused = gateway.postern("serve", "--port", "0")
            assert refused.returncode == 1, refused.stderr
            assert "sealed under another key" in refused.stderr
        file.write_text(right)
        gateway.start()
        assert gateway.organization.call("GET", "webhooks")["webhooks"]
