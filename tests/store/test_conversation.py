"""What came before a message that is to be sent: contacts, the mail that it answers, who takes part in the thread."""

from __future__ import annotations

from msgspec.structs import replace

from gateway.mime.parse import parse
from gateway.mime.types import Address, AuthVerdict, Risk
from gateway.records.ids import MESSAGE_ID, MessageId, now_us
from gateway.records.inboxes import Inbox
from gateway.store.contacts import note_recipients
from gateway.store.engine import Store
from gateway.store.index import insert_message
from gateway.store.queries.conversation import Conversation, ConversationAsked, conversation
from gateway.store.sql import sql
from gateway.store.threads import ref_of
from tests.store.conftest import make_inbox

NO_RISK = Risk()
PASSED = AuthVerdict(dmarc="pass", author="far.test")


def add(
    store: Store,
    inbox: Inbox,
    head: str,
    auth: AuthVerdict | None = None,
    direction: str = "inbound",
    status: str = "received",
    risk: Risk = NO_RISK,
) -> MessageId:
    parsed = parse(f"{head}\r\nSubject: x\r\n\r\nx\r\n".encode())
    made = MESSAGE_ID.new()
    store.write_now(
        lambda tx: insert_message(
            tx,
            inbox,
            made,
            replace(parsed, auth=auth or AuthVerdict(), traits=replace(parsed.traits, risk=risk)),
            direction=direction,
            status=status,
            at=now_us(),
            contacts=False,
        )
    )
    return made


def before(store: Store, inbox: Inbox, asked: ConversationAsked, *people: str) -> Conversation:
    return store.read_now(lambda tx: conversation(tx, inbox, people, asked))


def test_who_was_written_to_is_known_and_the_organizations_inboxes_are_its_own(
    store: Store, inbox: Inbox
) -> None:
    asked = ConversationAsked()
    people = ("Ann@FAR.test", "bo@bücher.test", "odd", inbox.address)
    found = before(store, inbox, asked, *people)
    assert found.unknown == {"ann@far.test", "bo@bücher.test", "odd", inbox.address}
    assert found.own == {inbox.address}
    assert (found.source, found.thread) == (None, None)
    written_to = [Address("", "ann@far.test"), Address("", "bo@xn--bcher-kva.test")]
    store.write_now(lambda tx: note_recipients(tx, inbox, written_to, now_us(), again=False))
    assert before(store, inbox, asked, *people[:3]).unknown == {"odd"}


def test_the_mail_that_is_answered_says_whether_it_is_proven_and_whom_it_names(
    store: Store, inbox: Inbox
) -> None:
    head = "From: Ann@far.test\r\nTo: me@x.test\r\nCc: bo@far.test\r\nReply-To: eve@evil.test\r\n"
    head += "Message-ID: <{}@far.test>"
    forged, proven = add(store, inbox, head.format(1)), add(store, inbox, head.format(2), PASSED)
    people = {"ann@far.test", "me@x.test", "bo@far.test"}
    for asked, holds in (
        (ConversationAsked(about=forged), False),
        (ConversationAsked(about=proven), True),
        (ConversationAsked(in_reply_to=ref_of("<1@far.test>")), False),
        (ConversationAsked(in_reply_to=ref_of("<2@far.test>")), True),
    ):
        source = before(store, inbox, asked).source
        assert source is not None
        assert (source.proven, {*source.people}) == (holds, people)
        assert not before(store, inbox, asked).suspicious
    risky = add(store, inbox, head.format(3), risk=Risk(level="medium"))
    assert before(store, inbox, ConversationAsked(about=risky)).suspicious
    other = make_inbox(store, "other@x.test")
    assert before(store, other, ConversationAsked(about=proven)).source is None


def test_a_thread_has_who_wrote_in_it_and_whom_its_proven_messages_name(store: Store, inbox: Inbox) -> None:
    head = "From: {}\r\nTo: {}\r\nMessage-ID: <{}@far.test>\r\nReferences: <1@far.test>"
    first = add(store, inbox, head.format("ann@far.test", "carl@far.test", 1), PASSED)
    add(store, inbox, head.format("eve@evil.test", "mallory@evil.test", 2))
    add(store, inbox, head.format(inbox.address, "dan@far.test", 3), None, "outbound", "sent")
    add(store, inbox, head.format(inbox.address, "given-up@far.test", 4), None, "outbound", "rejected")
    held = add(store, inbox, head.format(inbox.address, "held@far.test", 5), None, "outbound", "queued")
    row: dict[str, object] = {"id": held, "organization_id": inbox.organization_id, "inbox_id": inbox.id}
    row |= {"mail_from": "", "message_id": "<5>", "token": "t", "size": 1, "state": "held"}
    row |= dict.fromkeys(("next_at", "created_at", "updated_at", "attempts"), 0)
    store.write_now(lambda tx: sql(tx).insert("outbox", row))
    thread = store.read_now(lambda tx: sql(tx).value("SELECT thread_id FROM message WHERE id = ?", first))
    found = before(store, inbox, ConversationAsked(thread=thread)).thread
    assert found is not None
    assert {*found} == {"ann@far.test", "carl@far.test", "eve@evil.test", inbox.address, "dan@far.test"}
