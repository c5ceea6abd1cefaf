"""Event JSON: exactly AgentMail's keys, and the class that a user of the official Python SDK gets."""

from __future__ import annotations

import json
import shutil
import subprocess
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from msgspec.structs import replace

from gateway.api.agentmail.events_view import MAX_PAYLOAD, render
from gateway.events.log import EventLog
from gateway.events.merged_threads import announce_merged
from gateway.records.events import Event
from gateway.records.ids import MessageId, ThreadId
from gateway.records.mail import Placed
from gateway.store.json_columns import dump, load
from gateway.store.transaction import Tx
from tests.events.samples import sample_event
from tests.support.appended_events import domain_verified, event_rows, received, tell
from tests.support.filled_store import FilledStore, mail

agentmail = pytest.importorskip("agentmail", reason="the official SDK is not installed")

from agentmail.core.unchecked_base_model import construct_type  # noqa: E402

with warnings.catch_warnings():  # the SDK still imports the old names of websockets
    warnings.simplefilter("ignore", DeprecationWarning)
    from agentmail.websockets.socket_client import WebsocketsSocketClientResponse

pytestmark = pytest.mark.anyio

MESSAGE = {
    *("inbox_id", "thread_id", "message_id", "labels", "timestamp", "from", "reply_to", "to", "cc", "bcc"),
    *("subject", "preview", "text", "html", "extracted_text", "extracted_html", "attachments", "in_reply_to"),
    *("references", "headers", "size", "created_at", "updated_at"),
}
THREAD = {
    *("inbox_id", "thread_id", "labels", "timestamp", "received_timestamp", "sent_timestamp", "senders"),
    *("recipients", "subject", "preview", "attachments", "last_message_id", "message_count", "size"),
    *("created_at", "updated_at"),
}
REF = {"inbox_id", "thread_id", "message_id", "timestamp"}
SHAPES: dict[str, tuple[str, set[str], str]] = {
    "message.sent": ("send", REF | {"recipients"}, "MessageSentEvent"),
    "message.delivered": ("delivery", REF | {"recipients"}, "MessageDeliveredEvent"),
    "message.bounced": ("bounce", REF | {"recipients", "type", "sub_type"}, "MessageBouncedEvent"),
    "message.complained": ("complaint", REF | {"recipients", "type", "sub_type"}, "MessageComplainedEvent"),
    "message.rejected": ("reject", REF | {"reason"}, "MessageRejectedEvent"),
    "message.opened": ("open", REF, "MessageOpenedEvent"),
    "domain.verified": (
        "domain",
        {
            *("domain_id", "domain", "status", "feedback_enabled", "subdomains_enabled", "tracking_enabled"),
            *("records", "created_at", "updated_at"),
        },
        "DomainVerifiedEvent",
    ),
}

RICH = (
    b"Received: from far by us; Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: =?utf-8?b?w4Rubg==?= <ann@far.example>\r\n"
    b"To: Bot <bot@postern.test>\r\nCc: c@far.example\r\nReply-To: desk@far.example\r\nSubject: caf\xc3\xa9\r\n"
    b"Message-ID: <r@far.example>\r\nIn-Reply-To: <q@far.example>\r\nReferences: <p@far.example> <q@far.example>\r\n"
    b"17: x\r\n4: y\r\nX-Own: z\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hi\xe2\x80\xa8 \x7f \xf0\x9f\x98\x80</p>\r\n--b\r\n"
    b'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="a.pdf"\r\n\r\nPDF\r\n--b--\r\n'
)


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[FilledStore]:
    made = FilledStore(tmp_path)
    yield made
    made.close()


def official(event: dict[str, Any]) -> Any:
    """What the SDK's socket yields for a frame."""
    return construct_type(type_=WebsocketsSocketClientResponse, object_=json.loads(dump(event)))  # type: ignore[arg-type]


def shown(event: Event) -> dict[str, Any]:
    made = render(event)
    assert made is not None
    return made


@pytest.mark.parametrize(
    "kind",
    ["message.received", *(f"message.received.{one}" for one in ("spam", "blocked", "unauthenticated"))],
)
async def test_a_received_message(filled: FilledStore, kind: str) -> None:
    inbox = filled.inbox("bot@postern.test")
    ulid = received(filled, EventLog(), inbox, RICH, kind)
    row = event_rows(filled)[kind]
    event = shown(row)
    assert set(event) == {"type", "event_type", "event_id", "message", "thread"}
    assert set(event["message"]) == MESSAGE - {"bcc", "text", "extracted_text"} | (
        {"text", "extracted_text"} & set(event["message"])
    )
    assert set(event["thread"]) <= THREAD
    assert set(event["thread"]) >= THREAD - {"sent_timestamp", "attachments"}
    assert None not in event["message"].values()
    assert None not in event["thread"].values()
    parsed = official(event)
    assert type(parsed).__name__ == "MessageReceivedEvent"
    assert (parsed.event_id, parsed.event_type) == (row.public_id, kind)
    assert parsed.message.message_id == f"msg_{ulid}" == parsed.thread.last_message_id
    assert parsed.message.from_ == "Änn <ann@far.example>"
    assert (parsed.message.to, parsed.message.cc) == (["Bot <bot@postern.test>"], ["c@far.example"])
    assert parsed.message.in_reply_to == "<q@far.example>"
    assert parsed.message.references == ["<p@far.example>", "<q@far.example>"]
    attachment = parsed.message.attachments[0]
    assert (attachment.filename, attachment.size) == ("a.pdf", 3)
    assert attachment.attachment_id.startswith("att_")
    assert event["thread"]["message_count"] == 1
    # the documented way to read a webhook: full validation
    assert agentmail.MessageReceivedEvent(**json.loads(dump(event))).message.subject == "café"


async def test_an_empty_message_still_has_what_is_required(filled: FilledStore) -> None:
    received(filled, EventLog(), filled.inbox("bot@postern.test"), b"\r\n")
    event = shown(event_rows(filled)["message.received"])
    required = {"inbox_id", "thread_id", "message_id", "labels", "timestamp", "from", "to", "size"}
    assert required | {"created_at", "updated_at"} <= set(event["message"])
    assert official(event).message.to == []
    agentmail.MessageReceivedEvent(**event)


async def test_every_other_event(filled: FilledStore) -> None:
    events = EventLog()
    inbox = filled.inbox("bot@postern.test")
    tell(filled, events, inbox, filled.put(inbox, mail(1)).message_id)
    await domain_verified(filled, events)
    rows = event_rows(filled)
    assert set(rows) == set(SHAPES)
    for kind, (name, keys, wanted) in SHAPES.items():
        event = shown(rows[kind])
        assert set(event) == {"type", "event_type", "event_id", name}, kind
        assert set(event[name]) == keys, kind
        parsed = official(event)
        assert type(parsed).__name__ == wanted
        assert parsed.event_id == rows[kind].public_id
        getattr(agentmail, wanted)(**json.loads(dump(event)))
    assert shown(rows["message.sent"])["send"]["recipients"] == ["ann@far.example"]
    bounce = shown(rows["message.bounced"])["bounce"]
    assert bounce["recipients"] == [{"address": "bob@far.example", "status": "5.1.1"}]
    assert (bounce["type"], bounce["sub_type"]) == ("Permanent", "NoEmail")
    domain = shown(rows["domain.verified"])["domain"]
    assert domain["feedback_enabled"] is True
    assert domain["records"]
    assert all(set(one) - {"priority"} == {"type", "name", "value", "status"} for one in domain["records"])
    assert "private" not in dump(domain).lower()


async def test_what_agentmail_does_not_have_is_left_unsaid() -> None:
    assert render(sample_event("inbox.created", {})) is None


async def test_a_delay_is_shown_as_a_bounce_is() -> None:
    ref = {"message_id": "m", "inbox_id": "i", "thread_id": "t"}
    people = [{"address": "bob@far.example", "status": "4.2.2"}]
    facts = {"message_ref": ref, "timestamp": 0, "sub_type": "MailboxFull", "recipients": people}
    delay = shown(sample_event("message.delayed", facts))["delay"]
    assert set(delay) == REF | {"recipients", "sub_type"}
    assert (delay["sub_type"], delay["recipients"]) == ("MailboxFull", people)


async def test_a_huge_message_stays_under_the_cap(filled: FilledStore) -> None:
    # under a million characters, so the snapshot keeps it, but over a million octets
    received(filled, EventLog(), filled.inbox("bot@postern.test"), mail(1, text="é \n" * 200_000))
    kept = event_rows(filled)["message.received"]
    facts = load(kept.payload_json)
    facts["message"]["text"] = "é" * 600_000
    event = shown(replace(kept, payload_json=dump(facts)))
    assert len(msgspec.json.encode(event)) <= MAX_PAYLOAD
    assert "text" not in event["message"]
    assert event["message"]["subject"] == "mail 1"
    assert type(official(event)).__name__ == "MessageReceivedEvent"
    facts["message"]["text"] = "small enough"
    assert shown(replace(kept, payload_json=dump(facts)))["message"]["text"] == "small enough"


async def test_javascript_reads_back_the_same_octets(filled: FilledStore) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    received(filled, EventLog(), filled.inbox("bot@postern.test"), RICH)
    event = shown(event_rows(filled)["message.received"])
    assert list(event["message"]["headers"])[:2] == ["4", "17"]
    body = msgspec.json.encode(event)
    script = "process.stdout.write(JSON.stringify(JSON.parse(require('fs').readFileSync(0, 'utf8'))))"
    answer = subprocess.run([node, "-e", script], input=body, capture_output=True, check=True, timeout=30)  # noqa: ASYNC221
    assert answer.stdout == body


async def test_the_delivery_engine_posts_this_rendering(filled: FilledStore) -> None:
    from gateway.api.agentmail import agentmail_dialect
    from gateway.events.deliver import body_of
    from gateway.events.dialect_format import Try
    from gateway.settings import Settings

    received(filled, EventLog(), filled.inbox("bot@postern.test"), mail(1))
    kept = event_rows(filled)["message.received"]
    body = body_of(agentmail_dialect.wire(cast(Any, Settings())), kept, Try(1, 0))
    assert body == msgspec.json.encode(shown(kept))


async def test_threads_that_were_joined(filled: FilledStore) -> None:
    inbox = filled.inbox("bot@postern.test")
    kept, merged, message = (
        "01m7yg9xtyg8y98h3h2gc44hy8",
        "01m7yg9xtynnzxzp991s31da3f",
        "01m7yg9x9rvkb2fb4fv65jsdym",
    )
    placed = Placed(ThreadId(kept), (ThreadId(merged),))

    def write(tx: Tx) -> None:
        for _ in range(2):  # the same join is the same event
            announce_merged(tx, EventLog(), inbox, MessageId(message), placed)

    filled.store.write_now(write)
    event = shown(event_rows(filled)["thread.merged"])
    assert event["merge"] == {
        "inbox_id": "bot@postern.test",
        "thread_id": f"thr_{kept}",
        "merged_thread_id": f"thr_{merged}",
        "message_id": f"msg_{message}",
        "timestamp": event["merge"]["timestamp"],
    }
