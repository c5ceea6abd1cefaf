"""A quota for each inbox, through ``/api/v0``: who may set what, and that the mail server holds to it."""

from __future__ import annotations

import asyncio
import smtplib
from pathlib import Path
from typing import Any

import pytest

from gateway.core.accounts import bootstrap
from tests.api.rig import Rig, rig

pytestmark = pytest.mark.anyio
V0 = "/api/v0"
MIB = 1 << 20


async def made(house: Rig, name: str) -> dict[str, Any]:
    answer = await house.api.post(f"{V0}/inboxes", json={"username": name})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def change(house: Rig, inbox: dict[str, Any], octets: int | None, api: Any = None) -> Any:
    return await (api or house.api).put(
        f"{V0}/inboxes/{inbox['inbox_id']}/quota", json={"quota_bytes": octets}
    )


async def test_a_quota_is_set_shown_and_taken_back(tmp_path: Path) -> None:
    async with rig(tmp_path) as house:
        inbox = await made(house, "small")
        assert "quota_bytes" not in inbox
        path = f"{V0}/inboxes/{inbox['email']}"
        empty = {"inbox_id": inbox["inbox_id"], "email": inbox["email"], "used_bytes": 0, "default_bytes": 0}
        assert (await house.api.get(f"{path}/quota")).json() == {
            **empty,
            "quota_bytes": None,
            "limit_bytes": 0,
        }
        answer = await change(house, inbox, MIB)
        assert answer.json() == {**empty, "quota_bytes": MIB, "limit_bytes": MIB}
        assert (await house.api.get(path)).json()["quota_bytes"] == MIB
        listed = (await house.api.get(f"{V0}/inboxes")).json()["inboxes"]
        assert [one["quota_bytes"] for one in listed if one["inbox_id"] == inbox["inbox_id"]] == [MIB]

        assert await deliver(house, inbox["email"], 600_000) == 250
        assert await deliver(house, inbox["email"], 600_000) == 552
        used = (await house.api.get(f"{path}/quota")).json()["used_bytes"]
        assert 600_000 <= used < MIB
        assert (await change(house, inbox, 0)).json()["limit_bytes"] == 0
        assert await deliver(house, inbox["email"], 600_000) == 250
        # what the mail server is told at a start is what the records say
        await change(house, inbox, MIB)
        house.server.directory.set_quotas({inbox["email"]: None})
        await bootstrap.reconcile_mail_server(house.core)
        assert await deliver(house, inbox["email"], 600_000) == 552
        assert (await change(house, inbox, None)).json()["quota_bytes"] is None
        assert "quota_bytes" not in (await house.api.get(path)).json()


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
    async with rig(tmp_path) as house:
        inbox = await made(house, "small")
        answer = await house.api.put(f"{V0}/inboxes/{inbox['inbox_id']}/quota", json=body)
        assert answer.status_code == 400, answer.text
        assert words in answer.json()["message"]


async def test_only_the_organization_sets_it_and_only_the_operator_above_the_default(tmp_path: Path) -> None:
    async with rig(tmp_path, mail__quota=10 * MIB) as house:
        inbox = await made(house, "small")
        ref = inbox["inbox_id"]

        async def key(path: str, **body: Any) -> Any:
            answer = await house.api.post(f"{V0}/{path}", json={"name": "k", **body})
            assert answer.status_code == 201, answer.text
            return house.as_key(answer.json()["key"])

        for api in (
            await key(f"inboxes/{ref}/api-keys"),
            await key(f"pods/{inbox['pod_id']}/api-keys"),
            await key("api-keys", permissions={"inbox_read": True}),
        ):
            assert (await api.get(f"{V0}/inboxes/{ref}/quota")).status_code == 200
            assert (await change(house, inbox, 2 * MIB, api)).status_code == 403
        assert (await change(house, inbox, 2 * MIB, await house.other_organization())).status_code == 404
        assert (await change(house, inbox, 10 * MIB)).status_code == 200
        for more in (11 * MIB, 0):
            refused = await change(house, inbox, more)
            assert refused.status_code == 403
            assert "postern inbox quota" in refused.json()["fix"]
        operator = house.as_key(await bootstrap.make_key(house.core, "operator", operator=True))
        assert (await change(house, inbox, 11 * MIB, operator)).status_code == 200
        assert (await change(house, inbox, 0, operator)).json()["limit_bytes"] == 0
        assert (await change(house, inbox, None)).json()["limit_bytes"] == 10 * MIB
        # an inbox of another organization is the operator's, too
        elsewhere = await (await house.other_organization()).post(f"{V0}/inboxes", json={"username": "far"})
        assert (await change(house, elsewhere.json(), MIB, operator)).status_code == 200


async def test_a_new_inbox_at_the_address_of_a_deleted_one_has_the_default(tmp_path: Path) -> None:
    async with rig(tmp_path) as house:
        inbox = await made(house, "again")
        await change(house, inbox, MIB)
        assert (await house.api.delete(f"{V0}/inboxes/{inbox['inbox_id']}")).status_code == 204
        fresh = await made(house, "again")
        assert "quota_bytes" not in fresh
        row = house.server.directory.find(fresh["email"])
        assert row is not None
        assert row.quota is None


async def deliver(house: Rig, address: str, size: int) -> int:
    """The last answer to a mail of about ``size`` octets from the world."""
    return await asyncio.to_thread(_deliver, house, address, size)


def _deliver(house: Rig, address: str, size: int) -> int:
    end = house.core.mail.access().smtp
    with smtplib.SMTP(end.host, end.port, "far.test", timeout=30) as smtp:
        smtp.ehlo()
        smtp.mail("eve@far.test")
        code, _ = smtp.rcpt(address)
        if code != 250:
            return code
        return smtp.data(b"Subject: big\r\n\r\n" + (b"y" * 70 + b"\r\n") * (size // 72))[0]
