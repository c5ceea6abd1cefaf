"""The same API at ``/v0``, for clients that take only an origin; and what an SDK is not sent twice."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support.mails import deliver, new_mail
from tests.support.own_gateway import OwnGateway

agentmail = pytest.importorskip("agentmail", reason="the official SDK is not installed")

from agentmail import AgentMail, MessageReceivedEvent  # noqa: E402
from agentmail.environment import AgentMailEnvironment  # noqa: E402
from agentmail.websockets.types import Subscribe, Subscribed  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore:websockets:DeprecationWarning", "ignore::pydantic.PydanticDeprecatedSince20"
)

TWICE = {"data", "total", "page", "page_size"}


@pytest.fixture(scope="module")
def sdk(own_gateway: OwnGateway) -> Iterator[AgentMail]:
    environment = AgentMailEnvironment(
        http=own_gateway.base, websockets=own_gateway.base.replace("http", "ws", 1)
    )
    with httpx.Client(timeout=30, trust_env=False) as client:
        yield AgentMail(api_key=own_gateway.key, environment=environment, httpx_client=client)


def test_the_sdk_works_at_the_origin(own_gateway: OwnGateway, sdk: AgentMail) -> None:
    made = sdk.inboxes.create()
    assert sdk.inboxes.get(made.inbox_id).email == made.inbox_id
    with sdk.websockets.connect() as socket:
        socket.send_subscribe(Subscribe(inbox_ids=[made.inbox_id]))
        assert isinstance(socket.recv(), Subscribed)
        deliver(own_gateway.smtp_port, new_mail(made.email, "At the origin"), made.email)
        event = socket.recv()
    assert isinstance(event, MessageReceivedEvent)
    assert event.message.inbox_id == made.inbox_id
    got = sdk.inboxes.messages.get(made.inbox_id, event.message.message_id)
    link = sdk.inboxes.messages.get_raw(made.inbox_id, got.message_id)
    assert httpx.get(link.download_url).status_code == 200


def test_both_places_answer_the_same(own_gateway: OwnGateway) -> None:
    with httpx.Client(
        base_url=own_gateway.base, headers={"Authorization": f"Bearer {own_gateway.key}"}
    ) as client:
        for path in ("inboxes", "organizations", "auth/me", "webhooks", "nowhere"):
            here, there = client.get(f"/v0/{path}"), client.get(f"/api/v0/{path}")
            assert (here.status_code, here.json()) == (there.status_code, there.json()), path
        assert client.get("/v0/inboxes", headers={"Authorization": "Bearer inai_wrong"}).status_code == 401
        assert client.get("/v01/inboxes").status_code == 404


def test_an_sdk_gets_each_row_once(own_gateway: OwnGateway, sdk: AgentMail) -> None:
    lists = ("inboxes", "threads", "drafts", "domains", "webhooks", "pods", "api-keys", "messages", "events")
    key = {"Authorization": f"Bearer {own_gateway.key}"}
    with httpx.Client(base_url=f"{own_gateway.base}/v0", headers=key) as client:
        for path in lists:
            plain = client.get(path).json()
            sdks = client.get(path, headers={"X-Fern-SDK-Name": "agentmail"}).json()
            assert set(plain) >= TWICE, path
            assert sdks == {name: value for name, value in plain.items() if name not in TWICE}, path
    raw = sdk.inboxes.with_raw_response.list(limit=1)
    assert raw.data.count == 1
