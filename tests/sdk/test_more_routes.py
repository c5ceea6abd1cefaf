"""What the official SDK calls beyond mail: metrics, attachments of pods, polling webhooks, sign-up, the set-up link."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from gateway.store.queries.organizations import unscoped_organization_ids
from tests.support.mails import deliver, new_mail
from tests.support.own_gateway import OwnGateway, missing, start_gateway
from tests.support.waiting import until

agentmail = pytest.importorskip("agentmail", reason="the official SDK is not installed")

from agentmail import AgentMail, SendAttachment  # noqa: E402
from agentmail.core.api_error import ApiError  # noqa: E402
from agentmail.environment import AgentMailEnvironment  # noqa: E402
from agentmail.errors import NotFoundError  # noqa: E402


@pytest.fixture(scope="module")
def own_gateway() -> Iterator[OwnGateway]:
    if reason := missing("embedded"):
        pytest.skip(reason)
    with start_gateway(register__enabled=True, register__per_owner=0, register__per_address=0) as running:
        yield running


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=30, trust_env=False) as made:
        yield made


def sdk_of(own_gateway: OwnGateway, client: httpx.Client, key: str) -> AgentMail:
    environment = AgentMailEnvironment(http=own_gateway.base, websockets=own_gateway.base)
    return AgentMail(api_key=key, environment=environment, httpx_client=client)


@pytest.fixture(scope="module")
def sdk(own_gateway: OwnGateway, client: httpx.Client) -> AgentMail:
    return sdk_of(own_gateway, client, own_gateway.key)


def polled(own_gateway: OwnGateway, webhook_id: str, token: str, **query: Any) -> httpx.Response:
    return httpx.get(
        f"{own_gateway.base}/v0/webhooks/polling/{webhook_id}/events",
        headers={"Authorization": f"Bearer {token}"},
        params=query,
        trust_env=False,
    )


def test_attachments_of_a_pods_threads_and_drafts(own_gateway: OwnGateway, sdk: AgentMail) -> None:
    pod, other = sdk.pods.create(name="files"), sdk.pods.create(name="none")
    box = sdk.pods.inboxes.create(pod.pod_id)
    mail = new_mail(box.email, "With a file")
    mail.add_attachment(b"inside", maintype="application", subtype="pdf", filename="a.pdf")
    deliver(own_gateway.smtp_port, mail, box.email)
    (thread,) = until(lambda: sdk.pods.threads.list(pod.pod_id).threads, why="the thread")
    (file,) = thread.attachments or []
    link = sdk.pods.threads.get_attachment(pod.pod_id, thread.thread_id, file.attachment_id)
    assert httpx.get(link.download_url).content == b"inside"
    draft = sdk.inboxes.drafts.create(
        box.inbox_id, to=["a@b.test"], text="x",
        attachments=[SendAttachment(filename="b.txt", content=base64.b64encode(b"draft").decode())],
    )  # fmt: skip
    (file,) = draft.attachments or []
    link = sdk.pods.drafts.get_attachment(pod.pod_id, draft.draft_id, file.attachment_id)
    assert httpx.get(link.download_url).content == b"draft"
    with pytest.raises(ApiError) as elsewhere:
        sdk.pods.threads.get_attachment(other.pod_id, thread.thread_id, "att_1")
    assert elsewhere.value.status_code in (403, 404)


def test_metrics_of_organization_pod_and_inbox(own_gateway: OwnGateway, sdk: AgentMail) -> None:
    box = sdk.inboxes.create()
    sdk.inboxes.messages.send(box.inbox_id, to="count@abroad.test", subject="s", text="t")

    def counted() -> bool:
        found = sdk.inboxes.metrics.query_events(box.inbox_id, event_types=["message.sent"], period=3600)
        return sum(one.count for one in found["message.sent"]) == 1

    until(counted, why="the send in the metrics")
    assert sdk.metrics.query_usage()["inbox_count"][-1].value >= 1
    assert sdk.pods.metrics.query_events(box.pod_id) is not None
    for path in ("metrics", f"inboxes/{box.inbox_id}/metrics", f"pods/{box.pod_id}/metrics"):  # older pins
        answer = own_gateway.get(path, event_types="message.sent", period=86400)
        assert sum(one["count"] for one in answer["message.sent"]) >= 1, path
        with own_gateway.api as api:
            assert api.get(path, params={"end_timestamp": "x"}).status_code == 400


def test_the_setup_link_says_that_there_is_none(sdk: AgentMail) -> None:
    domain = sdk.domains.create(domain=f"link-{uuid.uuid4().hex[:6]}.example")
    assert sdk.domains.get_setup_link(domain.domain_id).supported is False
    with pytest.raises(NotFoundError):
        sdk.domains.get_setup_link("nowhere.example")


def test_polling_webhooks_are_made_listed_and_deleted(own_gateway: OwnGateway, sdk: AgentMail) -> None:
    box = sdk.inboxes.create()
    made = sdk.webhooks.polling.create(
        client_id="mine", event_types=["message.received"], inbox_ids=[box.inbox_id]
    )
    assert made.inbox_ids == [box.inbox_id]
    assert made.token
    again = sdk.webhooks.polling.create(client_id="mine", event_types=["message.received"])
    assert again.webhook_id == made.webhook_id
    assert again.token != made.token
    assert polled(own_gateway, made.webhook_id, made.token).status_code == 401, "the old token ended"
    got = sdk.webhooks.polling.get(made.webhook_id)
    assert (got.client_id, got.event_types) == ("mine", ["message.received"])
    assert not hasattr(got, "token")
    assert made.webhook_id in [one.webhook_id for one in sdk.webhooks.polling.list().polling_webhooks]
    assert made.webhook_id not in [one.webhook_id for one in sdk.webhooks.list(limit=100).webhooks]
    with pytest.raises(NotFoundError):
        sdk.webhooks.get(made.webhook_id)
    own = sdk.inboxes.webhooks.polling.create(box.inbox_id, client_id="own", event_types=[])
    assert own.inbox_id == box.inbox_id
    assert [one.webhook_id for one in sdk.inboxes.webhooks.polling.list(box.inbox_id).polling_webhooks] == [
        own.webhook_id
    ]
    sdk.webhooks.polling.delete(made.webhook_id)
    assert polled(own_gateway, made.webhook_id, again.token).status_code == 401
    with pytest.raises(NotFoundError):
        sdk.webhooks.polling.get(made.webhook_id)
    sdk.inboxes.delete(box.inbox_id)
    assert polled(own_gateway, own.webhook_id, own.token).status_code == 401


def test_events_wait_until_they_are_fetched(own_gateway: OwnGateway, sdk: AgentMail) -> None:
    box, other = sdk.inboxes.create(), sdk.inboxes.create()
    deliver(own_gateway.smtp_port, new_mail(box.email, "before"), box.email)
    until(lambda: own_gateway.messages(box.inbox_id), why="the mail before")
    hook = sdk.webhooks.polling.create(
        client_id="waits", event_types=["message.received"], inbox_ids=[box.inbox_id]
    )
    first = polled(own_gateway, hook.webhook_id, hook.token).json()
    assert (first["data"], first["done"]) == ([], True)
    for number in range(5):
        deliver(own_gateway.smtp_port, new_mail(other.email, "elsewhere"), other.email)
        deliver(own_gateway.smtp_port, new_mail(box.email, f"number {number}"), box.email)
    until(lambda: len(own_gateway.messages(box.inbox_id)) == 6, why="all mail")

    def all_there() -> bool:
        return len(polled(own_gateway, hook.webhook_id, hook.token).json()["data"]) == 5

    until(all_there, why="all events")
    seen: list[dict[str, Any]] = []
    iterator, done = first["iterator"], False
    while not done:
        page = polled(own_gateway, hook.webhook_id, hook.token, iterator=iterator, limit=2).json()
        seen, iterator, done = [*seen, *page["data"]], page["iterator"], page["done"]
    assert [one["message"]["subject"] for one in seen] == [f"number {number}" for number in range(5)]
    assert {one["message"]["inbox_id"] for one in seen} == {box.inbox_id}
    assert polled(own_gateway, hook.webhook_id, hook.token, iterator=iterator).json()["data"] == []
    # the newest rows of the log are deleted with their inbox; what comes next is still found
    sdk.inboxes.delete(other.inbox_id)
    deliver(own_gateway.smtp_port, new_mail(box.email, "after"), box.email)

    def after() -> list[str]:
        page = polled(own_gateway, hook.webhook_id, hook.token, iterator=iterator).json()
        return [one["message"]["subject"] for one in page["data"]]

    until(lambda: after() == ["after"], why="the event after")
    # an API key reads them too, one that may not is refused, and so is nonsense
    assert polled(own_gateway, hook.webhook_id, own_gateway.key).status_code == 200
    blind = own_gateway.post("api-keys", {"name": "blind", "permissions": {"inbox_read": True}})["key"]
    assert polled(own_gateway, hook.webhook_id, blind).status_code == 403
    watcher = own_gateway.post("api-keys", {"name": "watcher", "permissions": {"webhook_read": True}})["key"]
    assert polled(own_gateway, hook.webhook_id, watcher).json()["data"] == [], "it may not read mail"
    stranger = own_gateway.new_organization()
    assert polled(own_gateway, hook.webhook_id, stranger.api_key).status_code == 404
    assert polled(own_gateway, hook.webhook_id, "poll_wrong").status_code == 401
    elsewhere = own_gateway.get("inboxes", limit=1)["next_page_token"]
    for query in ({"iterator": "x"}, {"iterator": elsewhere}, {"limit": 0}, {"limit": 101}):
        assert polled(own_gateway, hook.webhook_id, hook.token, **query).status_code == 400, query


def test_a_polling_webhook_carries_what_its_key_may_read(
    own_gateway: OwnGateway, client: httpx.Client
) -> None:
    box = own_gateway.new_inbox()
    made = own_gateway.post(
        f"inboxes/{box['email']}/api-keys",
        {"name": "one inbox", "permissions": {"webhook_create": True, "message_read": True}},
    )
    hook = sdk_of(own_gateway, client, made["key"]).webhooks.polling.create(
        client_id="narrow", event_types=["message.received"]
    )
    for address in (box["email"], own_gateway.new_inbox()["email"]):
        deliver(own_gateway.smtp_port, new_mail(address, f"to {address}"), address)

    def subjects() -> list[str]:
        page = polled(own_gateway, hook.webhook_id, hook.token).json()
        return [one["message"]["subject"] for one in page["data"]]

    until(lambda: subjects() == [f"to {box['email']}"], why="its own event alone")
    own_gateway.organization.call("DELETE", f"api-keys/{made['key_id']}")
    assert subjects() == []


def test_ten_polling_webhooks_are_the_most(own_gateway: OwnGateway, client: httpx.Client) -> None:
    sdk = sdk_of(own_gateway, client, own_gateway.new_organization().api_key)
    for number in range(10):
        sdk.webhooks.polling.create(client_id=f"c{number}", event_types=["message.received"])
    sdk.webhooks.polling.create(client_id="c0", event_types=["message.received"])
    with pytest.raises(ApiError) as full:
        sdk.webhooks.polling.create(client_id="c10", event_types=["message.received"])
    assert full.value.status_code == 403


def test_an_agent_signs_up_and_its_human_verifies(own_gateway: OwnGateway, client: httpx.Client) -> None:
    name, human = f"agent-{uuid.uuid4().hex[:6]}", f"human-{uuid.uuid4().hex[:6]}@abroad.test"
    nobody = sdk_of(own_gateway, client, "none")
    made = nobody.agent.sign_up(username=name, human_email=human)
    assert made.inbox_id == f"{name}@postern.test"
    assert made.organization_id.startswith("org_")
    mine = sdk_of(own_gateway, client, made.api_key)
    assert [one.inbox_id for one in mine.inboxes.list().inboxes] == [made.inbox_id]
    assert mine.auth.me().organization_id == made.organization_id
    (mail,) = own_gateway.foreign.wait(human)
    (code,) = set(re.findall(rb"code is (\d{6})\.", mail.data))
    wrong = b"%06d" % ((int(code) + 1) % 1_000_000)
    with pytest.raises(ApiError) as refused:
        mine.agent.verify(otp_code=wrong.decode())
    assert refused.value.status_code == 400
    assert mine.agent.verify(otp_code=code.decode()).verified is True
    assert mine.agent.attach_human(human_email=human.upper()).human_email == human
    assert re.search(rb"code is \d{6}\.", own_gateway.foreign.wait(human, 2)[1].data)
    with pytest.raises(ApiError) as stranger:
        mine.agent.attach_human(human_email="stranger@abroad.test")
    assert stranger.value.status_code == 400
    for _ in range(8):
        with pytest.raises(ApiError):
            mine.agent.verify(otp_code="000")
    with pytest.raises(ApiError) as often:
        mine.agent.verify(otp_code=code.decode(), request_options={"max_retries": 0})
    assert often.value.status_code == 429


def organizations(own_gateway: OwnGateway) -> int:
    return len(own_gateway.database(unscoped_organization_ids))


def test_a_sign_up_that_cannot_be(own_gateway: OwnGateway) -> None:
    human = "human@abroad.test"
    taken = own_gateway.new_inbox()["username"]
    before = organizations(own_gateway)
    with httpx.Client(base_url=f"{own_gateway.base}/api/v0", trust_env=False) as http:
        for body, status in (
            ({"username": "no-human"}, 400),
            ({"username": "x", "human_email": "nobody"}, 400),
            ({"username": "a b", "human_email": human}, 400),
            ({"username": taken, "human_email": human}, 403),
            ({"username": f"{taken}+tag", "human_email": human}, 403),
            ({"username": "postmaster", "human_email": human}, 403),
            ({"human_email": human}, 400),
        ):
            answer = http.post("agent/sign-up", json=body)
            assert answer.status_code == status, body
            assert "owner_email" not in answer.text
        assert http.post("agent/verify", json={"otp_code": "1"}).status_code == 401
        own = {"Authorization": f"Bearer {own_gateway.key}"}
        for code in ("", "\u0661\u0662\u0663\u0664\u0665\u0666", "\ud800", "1" * 60_000):
            answer = http.post("agent/verify", content=json.dumps({"otp_code": code}), headers=own)
            assert answer.status_code == 400, code[:10]
    assert organizations(own_gateway) == before
