"""A quota for each inbox, through ``/api/v0``: who may set what, and that the mail server holds to it."""

from __future__ import annotations

import asyncio
import smtplib
from pathlib import Path
from typing import Any

import pytest

from gateway.core.accounts import bootstrap
from tests.support.running_api import RunningApi, running_api

pytestmark = pytest.mark.anyio
V0 = "/api/v0"
MIB = 1 << 20


async def made(running: RunningApi, name: str) -> dict[str, Any]:
    answer = await running.api.post(f"{V0}/inboxes", json={"username": name})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def change(running: RunningApi, inbox: dict[str, Any], octets: int | None, api: Any = None) -> Any:
    return await (api or running.api).put(
        f"{V0}/inboxes/{inbox['inbox_id']}/quota", json={"quota_bytes": octets}
    )


async def test_a_quota_is_set_shown_and_taken_back(tmp_path: Path) -> None:
    async with running_api(tmp_path) as running:
        inbox = await made(running, "small")
        assert "quota_bytes" not in inbox
        path = f"{V0}/inboxes/{inbox['email']}"
        empty = {"inbox_id": inbox["inbox_id"], "email": inbox["email"], "used_bytes": 0, "default_bytes": 0}
        assert (await running.api.get(f"{path}/quota")).json() == {
            **empty,
            "quota_bytes": None,
            "limit_bytes": 0,
        }
        answer = await change(running, inbox, MIB)
        assert answer.json() == {**empty, "quota_bytes": MIB, "limit_bytes": MIB}
        assert (await running.api.get(path)).json()["quota_bytes"] == MIB
        listed = (await running.api.get(f"{V0}/inboxes")).json()["inboxes"]
        assert [one["quota_bytes"] for one in listed if one["inbox_id"] == inbox["inbox_id"]] == [MIB]

        assert await deliver(running, inbox["email"], 600_000) == 250
        assert await deliver(running, inbox["email"], 600_000) == 552
        used = (await running.api.get(f"{path}/quota")).json()["used_bytes"]
        assert 600_000 <= used < MIB
        assert (await change(running, inbox, 0)).json()["limit_bytes"] == 0
        assert await deliver(running, inbox["email"], 600_000) == 250
        # what the mail server is told at a start is what the records say
        await change(running, inbox, MIB)
        running.server.directory.set_quotas({inbox["email"]: None})
        await bootstrap.reconcile_mail_server(running.core)
        assert await deliver(running, inbox["email"], 600_000) == 552
        assert (await change(running, inbox, None)).json()["quota_bytes"] is None
        assert "quota_bytes" not in (await running.api.get(path)).json()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"quota_bytes": 1000}, "1048576"),
        ({"quota_bytes": -1}, "octets"),
        ({"quota_bytes": 1 << 60}, "octets"),
        ({"quota_bytes": "2G"}, "quota_bytes"),
        ({}, "quota_bytes"),
    ],
)
async def test_what_is_no_quota_is_refused(tmp_path: Path, body: dict[str, Any], words: str) -> None:
    async with running_api(tmp_path) as running:
        inbox = await made(running, "small")
        answer = await running.api.put(f"{V0}/inboxes/{inbox['inbox_id']}/quota", json=body)
        assert answer.status_code == 400, answer.text
        assert words in answer.json()["message"]


async def test_only_the_organization_sets_it_and_only_the_operator_above_the_default(tmp_path: Path) -> None:
    async with running_api(tmp_path, mail__quota=10 * MIB) as running:
        inbox = await made(running, "small")
        ref = inbox["inbox_id"]

        async def key(path: str, **body: Any) -> Any:
            answer = await running.api.post(f"{V0}/{path}", json={"name": "k", **body})
            assert answer.status_code == 201, answer.text
            return running.as_key(answer.json()["key"])

        for api in (
            await key(f"inboxes/{ref}/api-keys"),
            await key(f"pods/{inbox['pod_id']}/api-keys"),
            await key("api-keys", permissions={"inbox_read": True}),
        ):
            assert (await api.get(f"{V0}/inboxes/{ref}/quota")).status_code == 200
            assert (await change(running, inbox, 2 * MIB, api)).status_code == 403
        assert (await change(running, inbox, 2 * MIB, await running.other_organization())).status_code == 404
        assert (await change(running, inbox, 10 * MIB)).status_code == 200
        for more in (11 * MIB, 0):
            refused = await change(running, inbox, more)
            assert refused.status_code == 403
            assert "postern inbox quota" in refused.json()["fix"]
        operator = running.as_key(await bootstrap.make_key(running.core, "operator", operator=True))
        assert (await change(running, inbox, 11 * MIB, operator)).status_code == 200
        assert (await change(running, inbox, 0, operator)).json()["limit_bytes"] == 0
        assert (await change(running, inbox, None)).json()["limit_bytes"] == 10 * MIB
        # an inbox of another organization is the operator's, too
        elsewhere = await (await running.other_organization()).post(f"{V0}/inboxes", json={"username": "far"})
        assert (await change(running, elsewhere.json(), MIB, operator)).status_code == 200


async def test_a_new_inbox_at_the_address_of_a_deleted_one_has_the_default(tmp_path: Path) -> None:
    async with running_api(tmp_path) as running:
        inbox = await made(running, "again")
        await change(running, inbox, MIB)
        assert (await running.api.delete(f"{V0}/inboxes/{inbox['inbox_id']}")).status_code == 204
        fresh = await made(running, "again")
        assert "quota_bytes" not in fresh
        row = running.server.directory.find(fresh["email"])
        assert row is not None
        assert row.quota is None


async def deliver(running: RunningApi, address: str, size: int) -> int:
    """The last answer to a mail of about ``size`` octets from the world."""
    return await asyncio.to_thread(_deliver, running, address, size)


def _deliver(running: RunningApi, address: str, size: int) -> int:
    end = running.core.mail.access().smtp
    with smtplib.SMTP(end.host, end.port, "far.test", timeout=30) as smtp:
        smtp.ehlo()
        smtp.mail("eve@far.test")
        code, _ = smtp.rcpt(address)
        if code != 250:
            return code
        return smtp.data(b"Subject: big\r\n\r\n" + (b"y" * 70 + b"\r\n") * (size // 72))[0]
