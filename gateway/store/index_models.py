"""The index of what is on the mail server: ``postern rebuild`` makes it again from nothing. See ``models``."""

from __future__ import annotations

from peewee import (
    SQL,
    AutoField,
    BigAutoField,
    BigIntegerField,
    CharField,
    IntegerField,
    Model,
    TextField,
    fn,
)

from gateway.records.ids import ULID_TIME
from gateway.store.columns import flag, text


class Folder(Model):
    """A mailbox folder and how far it has been read: the restartable cursor."""

    id = AutoField()
    inbox_id = CharField(index=True)
    name = TextField()
    role = CharField()  # inbox sent drafts junk trash archive other
    uidvalidity = BigIntegerField()
    uidnext = BigIntegerField()  # first UID not yet indexed
    highestmodseq = BigIntegerField()
    synced_at = BigIntegerField()

    class Meta:
        indexes = ((("inbox_id", "name"), True),)


class Thread(Model):
    id = CharField(primary_key=True)
    number = BigIntegerField()
    organization_id = CharField()
    inbox_id = CharField()
    root = CharField()
    subject = TextField()
    preview = TextField()
    last_message_id = CharField()
    message_count = IntegerField()
    size = BigIntegerField()
    timestamp = BigIntegerField()
    last_seq = BigIntegerField()  # of the last message: the order of threads active in the same second
    received_at = BigIntegerField(null=True)
    sent_at = BigIntegerField(null=True)
    senders_json = text("[]")
    recipients_json = text("[]")
    unread = flag()  # 1 = a message of it that is not hidden is unread
    hidden = flag()  # 1 = every message of it is hidden
    hidden_count = flag()
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        indexes = (
            (("inbox_id", "timestamp", "last_seq"), False),
            (("organization_id", "timestamp", "last_seq"), False),
        )


# the threads that wait for their reader: few, among many that do not
Thread.add_index(
    Thread.inbox_id,
    Thread.timestamp,
    Thread.last_seq,
    Thread.hidden,
    where=(Thread.unread == 1),
    name="thread_unread",
)


class ThreadRef(Model):
    """Which thread of an inbox a Message-ID belongs to (``ref`` is its hex digest)."""

    id = BigAutoField()
    inbox_id = CharField()
    ref = CharField()
    thread_id = CharField(index=True)

    class Meta:
        table_name = "thread_ref"
        indexes = ((("inbox_id", "ref"), True),)


class Message(Model):
    seq = BigAutoField()
    id = CharField(unique=True)
    number = BigIntegerField(index=True)
    organization_id = CharField()
    inbox_id = CharField()
    thread_id = CharField(index=True)
    direction = CharField()  # inbound outbound
    rfc_message_id = TextField(null=True)
    rfc_ref = CharField(null=True)  # hex digest of rfc_message_id, for look-ups
    from_json = TextField(null=True)  # [name, email]
    from_email = CharField(null=True)
    reply_to_json = text("[]")
    to_json = text("[]")
    cc_json = text("[]")
    bcc_json = text("[]")
    subject = TextField()
    preview = TextField()
    in_reply_to = TextField(null=True)
    references_json = text("[]")
    headers_json = text("{}")
    attachments_json = text("[]")
    auth_json = TextField(null=True)
    defects_json = text("[]")
    size = BigIntegerField()
    attachment_bytes = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])  # decoded octets, together
    timestamp = BigIntegerField()
    status = CharField()  # received queued sent delivered bounced rejected complained
    seen = flag()
    hidden = flag()  # 1 = spam, trash, blocked or unauthenticated: left out of lists by default
    truncated = flag()
    auto_submitted = flag()
    hidden_text = flag()
    test = flag()
    created_at = BigIntegerField()
    updated_at = BigIntegerField()
    traits_json = text("{}")  # mime.types.Traits

    class Meta:
        indexes = (
            (("inbox_id", "timestamp", "seq"), False),
            (("inbox_id", "seen", "hidden", "timestamp", "seq"), False),  # what is unread, and how many
            # with what core.accounts.metering adds up, so that it reads the index alone
            (
                (
                    "organization_id",
                    "timestamp",
                    "seq",
                    "inbox_id",
                    "direction",
                    "attachment_bytes",
                    "size",
                    "hidden",
                ),
                False,
            ),
            (("inbox_id", "rfc_ref"), False),
            (("thread_id", "timestamp", "seq"), False),
        )


# the messages of one direction, and how many; each row is in one of the two. A condition reaches them with a
# literal, not a parameter (SQLite, "Partial Indexes", §3)
for _way in ("inbound", "outbound"):
    Message.add_index(
        Message.inbox_id,
        Message.timestamp,
        Message.seq,
        Message.hidden,
        where=(Message.direction == _way),
        name=f"message_{_way}",
    )


# who wrote to an inbox: whom a send is no cold outreach to (core.sending.cold_outreach)
# and what it wrote lately (store.queries.exchanges)
Message.add_index(
    Message.inbox_id,
    Message.from_email,
    Message.timestamp,
    where=(Message.direction == "inbound"),
    name="message_writer",
)


# what was sent under an identity: the random part of its id (core.sending.sent_before)
Message.add_index(
    Message.inbox_id,
    fn.substr(Message.id, SQL(str(ULID_TIME + 1))),
    Message.timestamp,
    where=(Message.direction == "outbound"),
    name="message_identity",
)


class MessageBody(Model):
    """Bounded text of a message, so that reading one needs no IMAP; the whole is on the mail server."""

    message_id = CharField(primary_key=True)
    text = TextField(null=True)
    html = TextField(null=True)
    extracted_text = TextField(null=True)
    extracted_html = TextField(null=True)
    one_time_code = TextField(null=True)
    one_time_link = TextField(null=True)

    class Meta:
        table_name = "message_body"


class AttachmentText(Model):
    """What was read in an attachment of a message: ``method`` and text, or a reason and none (gateway.extract)."""

    id = BigAutoField()
    inbox_id = CharField()
    message_id = CharField()
    attachment_id = CharField()
    method = CharField()
    text = TextField(null=True)

    class Meta:
        table_name = "attachment_text"
        indexes = ((("message_id", "attachment_id"), True), (("inbox_id", "attachment_id"), False))


class Label(Model):
    id = BigAutoField()
    message_id = CharField()
    inbox_id = CharField()
    label = CharField()

    class Meta:
        indexes = ((("message_id", "label"), True), (("inbox_id", "label"), False))


class Location(Model):
    """Where a message is on the mail server: one row a copy.

    With ``message_id`` '' it was there until we took it away (``records.folders.REMOVED``).
    """

    id = BigAutoField()
    folder_id = IntegerField()
    uid = BigIntegerField()
    message_id = CharField(index=True)
    inbox_id = CharField(index=True)
    flags = text("")  # space separated, as the server gave them
    repeat = flag()  # 1 = the sender sent it once more: it does not say where the message is

    class Meta:
        indexes = ((("folder_id", "uid"), True),)


class Reread(Model):
    """A message that was indexed without having been read: see ``store.reread``."""

    message_id = CharField(primary_key=True)
    inbox_id = CharField()
    due_at = BigIntegerField()
    tries = flag()

    class Meta:
        indexes = ((("inbox_id", "due_at"), False),)


DERIVED: list[type[Model]] = [
    Folder, Thread, ThreadRef, Message, MessageBody, AttachmentText, Label, Location, Reread,
]  # fmt: skip
