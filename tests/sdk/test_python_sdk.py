"""The official ``agentmail`` package from PyPI, unchanged, driven end to end against a running gateway."""

from __future__ import annotations

import base64
import datetime as dt
import email
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

agentmail = pytest.importorskip("agentmail", reason="the official SDK is not installed")

from agentmail import AgentMail, MessageReceivedEvent, SendAttachment  # noqa: E402
from agentmail.api_keys.types import CreateBearerApiKeyRequest  # noqa: E402
from agentmail.core.api_error import ApiError  # noqa: E402
from agentmail.environment import AgentMailEnvironment  # noqa: E402
from agentmail.errors import ConflictError, NotFoundError  # noqa: E402
from agentmail.inboxes.types import CreateInboxRequest  # noqa: E402
from agentmail.inboxes.types.inbox import Inbox  # noqa: E402
from websockets.exceptions import InvalidStatus  # noqa: E402

from tests.support.mails import deliver, new_mail  # noqa: E402
from tests.support.own_gateway import OwnGateway  # noqa: E402
from tests.support.waiting import until  # noqa: E402
from tests.support.webhook_endpoint import verified, webhook_endpoint  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore:websockets:DeprecationWarning", "ignore::pydantic.PydanticDeprecatedSince20"
)


QUOTING = "New line.\n\nOn Mon, 16 Nov 2026 at 10:00, Bob <bob@abroad.test> wrote:\n> old line\n"
Connect = Callable[[str], AgentMail]


REQUESTS: list[httpx.Request] = []
"""What the clients sent."""


@pytest.fixture(scope="module")
def connect(own_gateway: OwnGateway) -> Iterator[Connect]:
    """Makes a client with a key; all are closed at the end."""
    with ExitStack() as stack:

        def make(key: str) -> AgentMail:
            return AgentMail(
                api_key=key,
                environment=AgentMailEnvironment(
                    http=f"{own_gateway.base}/api",
                    websockets=own_gateway.base.replace("http", "ws", 1) + "/api",
                ),
                httpx_client=stack.enter_context(
                    httpx.Client(timeout=30, trust_env=False, event_hooks={"request": [REQUESTS.append]})
                ),
            )

        yield make


@pytest.fixture(scope="module")
def sdk(own_gateway: OwnGateway, connect: Connect) -> AgentMail:
    return connect(own_gateway.key)


@pytest.fixture
def inbox(sdk: AgentMail) -> Iterator[Inbox]:
    made = sdk.inboxes.create()
    yield made
    sdk.inboxes.delete(made.inbox_id)


def arrived(sdk: AgentMail, inbox_id: str, subject: str) -> Any:
    """The message with this subject in an inbox, waited for."""

    def look() -> Any:
        return sdk.inboxes.messages.list(inbox_id, subject=[subject]).messages

    return until(look, why=f"{subject!r} in the list")[0]


def token(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def test_inboxes(sdk: AgentMail, own_gateway: OwnGateway) -> None:
    name = token("sdk")
    made = sdk.inboxes.create(
        request=CreateInboxRequest(
            username=name, display_name="Agent Smith", client_id=name, metadata={"team": "x"}
        )
    )
    assert made.email == f"{name}@{own_gateway.domain}"
    assert (made.display_name, made.client_id, made.metadata) == ("Agent Smith", name, {"team": "x"})
    assert made.pod_id.startswith("pod_")
    assert isinstance(made.created_at, dt.datetime)
    again = sdk.inboxes.create(request=CreateInboxRequest(username=name, client_id=name))
    assert again.inbox_id == made.inbox_id
    assert sdk.inboxes.get(made.inbox_id).email == made.email
    assert sdk.inboxes.get(made.email).inbox_id == made.inbox_id
    assert sdk.inboxes.update(made.email, display_name="Neo").display_name == "Neo"
    assert sdk.inboxes.search(q=name).inboxes[0].inbox_id == made.inbox_id
    seen, token_ = [], None
    while True:
        page = sdk.inboxes.list(limit=1, page_token=token_)
        assert page.count == len(page.inboxes) == 1
        seen += [one.inbox_id for one in page.inboxes]
        token_ = page.next_page_token
        if token_ is None:
            break
    assert made.inbox_id in seen
    assert len(seen) == len(set(seen))
    REQUESTS.clear()
    with pytest.raises(ApiError) as taken:
        sdk.inboxes.create(request=CreateInboxRequest(username=name))
    assert taken.value.status_code == 403
    assert taken.value.body["code"] == "resource_taken"
    assert len(REQUESTS) == 1, "a taken name must not be retried"
    sdk.inboxes.delete(made.email)
    with pytest.raises(NotFoundError) as gone:
        sdk.inboxes.get(made.inbox_id)
    assert gone.value.body.name


def test_received_message(sdk: AgentMail, own_gateway: OwnGateway, inbox: Inbox) -> None:
    subject = token("In")
    mail = new_mail(inbox.email, subject, QUOTING, Reply_To="r@abroad.test")
    mail.add_attachment(b"\x00\x01pdf", maintype="application", subtype="pdf", filename="Über.pdf")
    deliver(own_gateway.smtp_port, mail, inbox.email)
    item = arrived(sdk, inbox.inbox_id, subject)
    assert set(item.labels) >= {"received", "unread"}
    assert item.from_ == "Ann Outside <ann@abroad.test>"
    assert item.to == [inbox.email]
    assert isinstance(item.timestamp, dt.datetime)
    got = sdk.inboxes.messages.get(inbox.email, item.message_id)
    assert got.text is not None
    assert got.text.startswith("New line.")
    assert got.extracted_text is not None
    assert "old line" not in got.extracted_text
    assert got.reply_to == ["r@abroad.test"]
    assert got.headers is not None
    by_rfc_id = sdk.inboxes.messages.get(inbox.email, str(mail["Message-ID"]))
    assert by_rfc_id.message_id == item.message_id

    (attachment,) = got.attachments or []
    assert (attachment.filename, attachment.content_type, attachment.size) == (
        "Über.pdf",
        "application/pdf",
        5,
    )
    link = sdk.inboxes.messages.get_attachment(inbox.inbox_id, item.message_id, attachment.attachment_id)
    assert link.expires_at > dt.datetime.now(dt.UTC)
    answer = httpx.get(link.download_url)
    assert answer.content == b"\x00\x01pdf"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert httpx.get(link.download_url + "0").status_code == 403
    same = sdk.threads.get_attachment(item.thread_id, attachment.attachment_id)
    assert httpx.get(same.download_url).content == b"\x00\x01pdf"
    raw = sdk.inboxes.messages.get_raw(inbox.inbox_id, item.message_id)
    content = httpx.get(raw.download_url).content
    assert len(content) == raw.size
    assert email.message_from_bytes(content)["Subject"] == subject

    changed = sdk.inboxes.messages.update(
        inbox.inbox_id, item.message_id, add_labels=["done", "x y"], remove_labels="unread"
    )
    assert set(changed.labels) == {"done", "x y", "received"}
    listed = sdk.inboxes.messages.list(inbox.inbox_id, labels=["x y", "done"])
    assert [one.message_id for one in listed.messages] == [item.message_id]
    assert sdk.inboxes.messages.list(inbox.inbox_id, labels=["unread"]).messages == []
    log = until(lambda: sdk.inboxes.events.list(inbox.inbox_id).events, why="label events")
    assert {(one.event_type, one.label) for one in log} >= {
        ("label.added", "done"),
        ("label.removed", "unread"),
    }

    sdk.inboxes.messages.delete(inbox.inbox_id, item.message_id)
    left = sdk.inboxes.messages.list(inbox.inbox_id).messages
    assert item.message_id not in [one.message_id for one in left]


def test_send_reply_forward(sdk: AgentMail, own_gateway: OwnGateway, inbox: Inbox) -> None:
    friend = sdk.inboxes.create()
    subject = token("Out")
    sent = sdk.inboxes.messages.send(
        inbox.inbox_id,
        to=[friend.email],
        cc="carl@abroad.test",
        bcc=["ben@abroad.test"],
        subject=subject,
        text="plain",
        html="<p>rich</p>",
        labels=["campaign"],
        headers={"X-Batch": "7"},
        attachments=[
            SendAttachment(filename="a.txt", content=base64.b64encode(b"inside").decode()),
        ],
    )
    assert sent.message_id.startswith("msg_")
    mine = sdk.inboxes.messages.get(inbox.inbox_id, sent.message_id)
    assert mine.labels == ["campaign"]
    assert mine.bcc == ["ben@abroad.test"]
    assert (
        sdk.inboxes.messages.list(inbox.inbox_id, labels=["sent"]).messages[0].message_id == sent.message_id
    )
    got = arrived(sdk, friend.inbox_id, subject)
    assert got.from_.endswith(f"{inbox.email}>") or got.from_ == inbox.email
    whole = sdk.inboxes.messages.get(friend.inbox_id, got.message_id)
    assert (whole.text or "").strip() == "plain"
    assert not whole.bcc
    assert whole.headers is not None
    assert whole.headers.get("X-Batch") == "7"
    (foreign,) = own_gateway.foreign.wait("ben@abroad.test")
    assert b"ben@abroad.test" not in foreign.data
    link = sdk.inboxes.messages.get_attachment(
        friend.inbox_id, got.message_id, (whole.attachments or [])[0].attachment_id
    )
    assert httpx.get(link.download_url).content == b"inside"

    reply = sdk.inboxes.messages.reply(friend.inbox_id, got.message_id, text="answer")
    assert reply.thread_id == got.thread_id
    back = arrived(sdk, inbox.inbox_id, f"Re: {subject}")
    assert back.thread_id == sent.thread_id
    assert back.in_reply_to is not None
    assert sent.message_id.removeprefix("msg_") in back.in_reply_to
    again = sdk.inboxes.messages.reply(inbox.inbox_id, back.message_id, text="and so on")
    assert again.thread_id == sent.thread_id
    until(
        lambda: sdk.inboxes.threads.get(friend.inbox_id, got.thread_id).message_count == 3, why="3 in thread"
    )

    everyone = sdk.inboxes.messages.reply_all(friend.inbox_id, got.message_id, text="to all")
    to_all = sdk.inboxes.messages.get(friend.inbox_id, everyone.message_id)
    people = [*to_all.to, *(to_all.cc or [])]
    assert inbox.email in str(people)
    assert "carl@abroad.test" in str(people)
    assert friend.email not in str(people)

    forward = sdk.inboxes.messages.forward(
        friend.inbox_id, got.message_id, to=["dora@abroad.test"], text="see below"
    )
    assert forward.thread_id != got.thread_id
    (onward,) = own_gateway.foreign.wait("dora@abroad.test")
    parts = [one.get_payload(decode=True) for one in email.message_from_bytes(onward.data).walk()]
    assert b"inside" in parts
    sdk.inboxes.delete(friend.inbox_id)


def test_attachment_by_url(sdk: AgentMail, own_gateway: OwnGateway, inbox: Inbox) -> None:
    with webhook_endpoint() as endpoint:
        sdk.inboxes.messages.send(
            inbox.inbox_id,
            to="url@abroad.test",
            subject="by url",
            text="t",
            attachments=[SendAttachment(filename="f.txt", url=endpoint.url)],
        )
    (mail,) = own_gateway.foreign.wait("url@abroad.test")
    parts = [one.get_payload(decode=True) for one in email.message_from_bytes(mail.data).walk()]
    assert b"fetched by its address" in parts


def test_idempotency(sdk: AgentMail, own_gateway: OwnGateway, inbox: Inbox) -> None:
    key, to = token("idem"), f"{token('once')}@abroad.test"
    first = sdk.inboxes.messages.send(inbox.inbox_id, to=to, subject="s", text="t", idempotency_key=key)
    again = sdk.inboxes.messages.send(inbox.inbox_id, to=to, subject="s", text="t", idempotency_key=key)
    assert (again.message_id, again.thread_id) == (first.message_id, first.thread_id)
    with pytest.raises(ConflictError):
        sdk.inboxes.messages.send(
            inbox.inbox_id,
            to=to,
            subject="s",
            text="other",
            idempotency_key=key,
            request_options={"max_retries": 0},
        )
    own_gateway.foreign.wait(to)
    time.sleep(0.5)
    assert len(own_gateway.foreign.to(to)) == 1


def test_threads(sdk: AgentMail, own_gateway: OwnGateway, inbox: Inbox) -> None:
    subject = token("Thread")
    root = new_mail(inbox.email, subject)
    deliver(own_gateway.smtp_port, root, inbox.email)
    first = arrived(sdk, inbox.inbox_id, subject)
    answer = new_mail(inbox.email, f"Re: {subject}", References=str(root["Message-ID"]))
    deliver(own_gateway.smtp_port, answer, inbox.email)
    until(
        lambda: sdk.inboxes.threads.get(inbox.email, first.thread_id).message_count == 2,
        why="both in the thread",
    )
    listed = sdk.inboxes.threads.list(inbox.inbox_id, subject=[subject]).threads
    assert [one.thread_id for one in listed] == [first.thread_id]
    assert listed[0].senders
    assert inbox.email in listed[0].recipients
    one = sdk.threads.get(first.thread_id)
    assert [item.subject for item in one.messages] == [subject, f"Re: {subject}"]
    assert one.last_message_id == one.messages[-1].message_id
    assert first.thread_id in [item.thread_id for item in sdk.threads.list(limit=5).threads]
    found = until(lambda: sdk.threads.search(q=subject).threads, why="thread search")
    assert found[0].thread_id == first.thread_id
    changed = sdk.threads.update(first.thread_id, add_labels=["vip"], remove_labels=["unread"])
    assert "vip" in changed.labels
    assert "unread" not in sdk.inboxes.threads.get(inbox.inbox_id, first.thread_id).labels
    hit = sdk.inboxes.messages.search(inbox.inbox_id, q=subject)
    assert {item.message_id for item in hit.messages} == {item.message_id for item in one.messages}
    ids = [item.message_id for item in one.messages]
    batch = sdk.inboxes.messages.batch_get(inbox.inbox_id, message_ids=ids)
    assert [item.message_id for item in batch.messages] == ids
    updates = sdk.inboxes.messages.batch_update(inbox.inbox_id, message_ids=ids, add_labels=["b"])
    assert updates.count == 2
    assert all("b" in item.labels for item in updates.updates)
    sdk.inboxes.threads.delete(inbox.inbox_id, first.thread_id)
    with pytest.raises(NotFoundError):
        sdk.threads.get(first.thread_id)


def test_drafts(sdk: AgentMail, own_gateway: OwnGateway, inbox: Inbox) -> None:
    to = f"{token('draft')}@abroad.test"
    made = sdk.inboxes.drafts.create(
        inbox.inbox_id, to=[to], subject="Draft", text="v1", labels=["hold"], client_id=token("d")
    )
    assert made.draft_id.startswith("dft_")
    updated = sdk.inboxes.drafts.update(inbox.inbox_id, made.draft_id, text="v2")
    assert updated.text == "v2"
    assert sdk.inboxes.drafts.get(inbox.inbox_id, made.draft_id).subject == "Draft"
    assert made.draft_id in [one.draft_id for one in sdk.drafts.list().drafts]
    assert sdk.drafts.get(made.draft_id).inbox_id == inbox.inbox_id
    sent = sdk.inboxes.drafts.send(inbox.inbox_id, made.draft_id, add_labels=["out"])
    (mail,) = own_gateway.foreign.wait(to)
    assert b"v2" in mail.data
    assert sent.message_id in mail.header("Message-ID")
    with pytest.raises(NotFoundError):
        sdk.inboxes.drafts.get(inbox.inbox_id, made.draft_id)

    later = f"{token('later')}@abroad.test"
    due = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=2)
    scheduled = sdk.inboxes.drafts.create(inbox.inbox_id, to=later, subject="Later", text="t", send_at=due)
    assert scheduled.send_status == "scheduled"
    assert not own_gateway.foreign.to(later)
    own_gateway.foreign.wait(later)
    assert dt.datetime.now(dt.UTC) >= due
    until(lambda: sdk.inboxes.drafts.list(inbox.inbox_id).count == 0, why="no draft left")
    thrown = sdk.inboxes.drafts.create(inbox.inbox_id, to=later, subject="No", text="t")
    sdk.inboxes.drafts.delete(inbox.inbox_id, thrown.draft_id)
    assert sdk.inboxes.drafts.list(inbox.inbox_id).drafts == []


def test_webhooks_and_their_payloads(sdk: AgentMail, own_gateway: OwnGateway, inbox: Inbox) -> None:
    with webhook_endpoint() as endpoint:
        made = sdk.webhooks.create(
            url=endpoint.url,
            event_types=["message.received", "message.sent", "message.delivered"],
            inbox_ids=[inbox.email],
            client_id=token("wh"),
            headers={"X-Mine": "yes"},
        )
        assert made.secret.startswith("whsec_")
        assert made.enabled
        assert made.webhook_id in [one.webhook_id for one in sdk.webhooks.list(limit=100).webhooks]
        assert sdk.webhooks.get(made.webhook_id).url == endpoint.url
        assert sdk.webhooks.get_headers(made.webhook_id).header_names == ["X-Mine"]
        subject = token("Hook")
        deliver(own_gateway.smtp_port, new_mail(inbox.email, subject), inbox.email)
        (post,) = endpoint.wait("message.received")
        assert post.headers["x-mine"] == "yes"
        payload = verified(post, made.secret)
        event = MessageReceivedEvent(**payload)
        assert event.message.subject == subject
        assert event.message.inbox_id == event.thread.inbox_id == inbox.email
        assert event.thread.thread_id == event.message.thread_id
        assert event.event_id == post.id
        assert event.message.text is not None
        sdk.inboxes.messages.send(inbox.inbox_id, to="hook@abroad.test", subject="s", text="t")
        (post,) = endpoint.wait("message.sent")
        payload = verified(post, made.secret)
        typed = agentmail.MessageSentEvent(**payload)
        assert typed.send.recipients == ["hook@abroad.test"]
        assert typed.send.inbox_id == inbox.email
        off = sdk.webhooks.update(made.webhook_id, enabled=False)
        assert off.enabled is False
        before = len(endpoint.posts)
        deliver(own_gateway.smtp_port, new_mail(inbox.email, subject + "2"), inbox.email)
        arrived(sdk, inbox.inbox_id, subject + "2")
        time.sleep(0.5)
        assert len(endpoint.of("message.received")) == len(endpoint.posts[:before]) - len(
            [one for one in endpoint.posts[:before] if one.type != "message.received"]
        )
        changed = sdk.webhooks.update(made.webhook_id, enabled=True, event_types=["message.sent"])
        assert changed.event_types == ["message.sent"]
        sdk.webhooks.delete(made.webhook_id)
        with pytest.raises(NotFoundError):
            sdk.webhooks.get(made.webhook_id)


def test_websocket(sdk: AgentMail, own_gateway: OwnGateway, inbox: Inbox) -> None:
    from agentmail.websockets.types import Subscribe, Subscribed

    with sdk.websockets.connect() as socket:
        socket.send_subscribe(
            Subscribe(inbox_ids=[inbox.email], event_types=["message.received", "message.sent"])
        )
        first = socket.recv()
        assert isinstance(first, Subscribed)
        subject = token("Socket")
        deliver(own_gateway.smtp_port, new_mail(inbox.email, subject), inbox.email)
        event = socket.recv()
        assert isinstance(event, MessageReceivedEvent)
        assert event.message.subject == subject
        sdk.inboxes.messages.send(inbox.inbox_id, to="ws@abroad.test", subject="s", text="t")
        event = socket.recv()
        assert isinstance(event, agentmail.MessageSentEvent)
        assert event.send.recipients == ["ws@abroad.test"]
        assert event.send.inbox_id == inbox.email


def test_websocket_refuses_a_wrong_key(connect: Connect) -> None:
    # the SDK lets the exception of newer websockets through
    with pytest.raises((ApiError, InvalidStatus)) as refused, connect("inai_wrong").websockets.connect():
        pass
    assert "401" in str(refused.value)


def test_domains(sdk: AgentMail) -> None:
    name = f"{token('d')}.example"
    made = sdk.domains.create(domain=name, feedback_enabled=True)
    assert made.domain == name
    assert {one.type for one in made.records} >= {"MX", "TXT"}
    assert name in [one.domain for one in sdk.domains.list(limit=100).domains]
    got = sdk.domains.get(made.domain_id)
    assert got.status in ("NOT_STARTED", "PENDING", "INVALID")
    sdk.domains.verify(made.domain_id)
    assert sdk.domains.get(made.domain_id).status != "VERIFIED"
    zone = b"".join(sdk.domains.get_zone_file(made.domain_id)).decode()
    assert "MX" in zone
    sdk.domains.delete(made.domain_id)
    with pytest.raises(NotFoundError):
        sdk.domains.get(made.domain_id)


def test_api_keys(sdk: AgentMail, connect: Connect, inbox: Inbox) -> None:
    made = sdk.api_keys.create(request=CreateBearerApiKeyRequest(name="second"))
    assert made.api_key.startswith(made.prefix)
    other = connect(made.api_key)
    assert other.auth.me().scope_type == "organization"
    assert other.organizations.get().organization_id == sdk.auth.me().organization_id
    assert made.api_key_id in [one.api_key_id for one in sdk.api_keys.list(limit=100).api_keys]
    sdk.api_keys.delete(made.api_key_id)
    with pytest.raises(ApiError) as gone:
        other.inboxes.list()
    assert gone.value.status_code == 401

    narrow = sdk.inboxes.api_keys.create(inbox.inbox_id, request=CreateBearerApiKeyRequest(name="one inbox"))
    one = connect(narrow.api_key)
    me = one.auth.me()
    assert (me.scope_type, me.inbox_id) == ("inbox", inbox.inbox_id)
    assert [item.inbox_id for item in one.inboxes.list().inboxes] == [inbox.inbox_id]
    with pytest.raises(ApiError) as refused:
        one.inboxes.create()
    assert refused.value.status_code == 403


def test_pods(sdk: AgentMail) -> None:
    pod = sdk.pods.create(name="Customer", client_id=token("p"))
    box = sdk.pods.inboxes.create(pod.pod_id)
    assert box.pod_id == pod.pod_id
    assert [one.inbox_id for one in sdk.pods.inboxes.list(pod.pod_id).inboxes] == [box.inbox_id]
    assert sdk.pods.threads.list(pod.pod_id).threads == []
    assert pod.pod_id in [one.pod_id for one in sdk.pods.list(limit=100).pods]
    assert sdk.pods.get(pod.pod_id).name == "Customer"
    sdk.pods.inboxes.delete(pod.pod_id, box.inbox_id)
    sdk.pods.delete(pod.pod_id)
    with pytest.raises(NotFoundError):
        sdk.pods.get(pod.pod_id)


def test_lists(sdk: AgentMail, own_gateway: OwnGateway, inbox: Inbox) -> None:
    made = sdk.inboxes.lists.create(inbox.inbox_id, "send", "block", entry="enemy@abroad.test", reason="no")
    assert (made.entry, made.entry_type, made.direction, made.list_type) == (
        "enemy@abroad.test",
        "email",
        "send",
        "block",
    )
    with pytest.raises(ApiError) as refused:
        sdk.inboxes.messages.send(inbox.inbox_id, to="enemy@abroad.test", subject="s", text="t")
    assert refused.value.status_code == 403
    assert refused.value.body.name == "MessageRejectedError"
    assert sdk.inboxes.lists.list(inbox.inbox_id, "send", "block").entries[0].entry == made.entry
    assert sdk.inboxes.lists.get(inbox.inbox_id, "send", "block", made.entry).reason == "no"
    sdk.inboxes.lists.delete(inbox.inbox_id, "send", "block", made.entry)
    sdk.inboxes.messages.send(inbox.inbox_id, to="enemy@abroad.test", subject="s", text="t")
    domain = f"{token('bad')}.test"
    assert sdk.lists.create("receive", "block", entry=domain).entry_type == "domain"
    deliver(
        own_gateway.smtp_port,
        new_mail(inbox.email, "blocked", sender=f"x@{domain}"),
        inbox.email,
        sender=f"x@{domain}",
    )
    until(
        lambda: sdk.inboxes.messages.list(inbox.inbox_id, include_blocked=True, subject=["blocked"]).messages,
        why="the blocked mail, asked for",
    )
    assert sdk.inboxes.messages.list(inbox.inbox_id, subject=["blocked"]).messages == []
    sdk.lists.delete("receive", "block", domain)


def test_metrics(sdk: AgentMail, own_gateway: OwnGateway, inbox: Inbox) -> None:
    deliver(own_gateway.smtp_port, new_mail(inbox.email, "counted"), inbox.email)
    arrived(sdk, inbox.inbox_id, "counted")
    sdk.inboxes.messages.send(inbox.inbox_id, to="m@abroad.test", subject="s", text="t")
    own_gateway.foreign.wait("m@abroad.test")
    counted = until(
        lambda: sdk.inboxes.metrics.query_events(
            inbox.inbox_id, event_types=["message.received", "message.sent"]
        ).get("message.sent"),
        why="message.sent counted",
    )
    assert sum(one.count for one in counted) == 1
    usage = sdk.metrics.query_usage(usage_types=["message_count", "inbox_count"])
    assert usage["message_count"][-1].value >= 2
    assert usage["inbox_count"][-1].value >= 1
    rates = sdk.metrics.query_rates(rate_types=["bounce"])
    assert "bounce" in rates


def test_errors_are_typed(sdk: AgentMail, connect: Connect, inbox: Inbox) -> None:
    with pytest.raises(NotFoundError) as missing:
        sdk.inboxes.messages.get(inbox.inbox_id, "msg_00000000000000000000000000")
    assert missing.value.body.name
    assert missing.value.body.message
    with pytest.raises(ApiError) as bad:
        sdk.inboxes.messages.send(inbox.inbox_id, to="not an address", subject="s", text="t")
    assert bad.value.status_code in (400, 422)
    with pytest.raises(ApiError) as header:
        sdk.inboxes.messages.send(inbox.inbox_id, to="a@b.test", subject="s\r\nBcc: x@y.test", text="t")
    assert header.value.status_code in (400, 422)
    with pytest.raises(ApiError) as nobody:
        connect("inai_wrong").inboxes.list()
    assert nobody.value.status_code == 401
