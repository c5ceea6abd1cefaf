"""The schema, as peewee models. The same models make the tables on SQLite and PostgreSQL.

``DERIVED`` can be rebuilt from the mail server; the rest cannot. Ids are bare lower-case ULIDs (see ``ids``),
times are microseconds since the epoch, ``*_json`` columns hold compact JSON text.
"""

from __future__ import annotations

from typing import Any

from peewee import (
    SQL,
    AutoField,
    BigAutoField,
    BigIntegerField,
    BlobField,
    CharField,
    IntegerField,
    Model,
    TextField,
)


def _flag(default: int = 0) -> Any:
    return IntegerField(default=default, constraints=[SQL(f"DEFAULT {default}")])


def _text(default: str) -> Any:
    return TextField(default=default, constraints=[SQL(f"DEFAULT '{default}'")])


class Organization(Model):
    id = CharField(primary_key=True)
    name = TextField()
    owner_email = TextField(null=True)  # whom mail about the account goes to: see ``core.register``
    inbox_limit = IntegerField(null=True)
    domain_limit = IntegerField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()


class Registration(Model):
    """An organization that somebody made for himself lately: what ``core.register`` holds its limits against."""

    id = BigAutoField()
    network = CharField()  # whence: an IPv4 address or an IPv6 /64
    owner = CharField()  # the owner's address, case-folded
    organization_id = CharField()
    created_at = BigIntegerField(index=True)


class Pod(Model):
    """A group of inboxes; each organization has exactly one default pod."""

    id = CharField(primary_key=True)
    organization_id = CharField(index=True)
    name = TextField(null=True)
    client_id = TextField(null=True)
    is_default = _flag()
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        indexes = ((("organization_id", "client_id"), True),)


class ApiKey(Model):
    """A bearer key. ``hash`` is the hex SHA-256 of the whole key (256 bits of entropy, so no slow hash)."""

    id = CharField(primary_key=True)
    number = BigIntegerField(index=True)
    organization_id = CharField(index=True)
    pod_id = CharField(null=True, index=True)
    inbox_id = CharField(null=True, index=True)
    name = TextField(null=True)
    prefix = TextField()
    last4 = TextField()
    hash = CharField(unique=True)
    permissions_json = TextField(null=True)
    test = _flag()
    operator = _flag()  # of the gateway's machine: reaches what no organization may do for itself
    expires_at = BigIntegerField(null=True)
    used_at = BigIntegerField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        table_name = "api_key"


class RevokedKey(Model):
    """An account-wide key that was revoked, so that revoking it again is no error."""

    id = CharField(primary_key=True)
    organization_id = CharField()
    revoked_at = BigIntegerField()

    class Meta:
        table_name = "revoked_key"


class CliLogin(Model):
    """A program that waits to be given a key: see ``core.cli_login``. ``organization_id`` null: not approved."""

    id = CharField(primary_key=True)
    hash = CharField(unique=True)  # of what the program holds, hex SHA-256
    user_code = CharField(unique=True)
    origin = TextField()
    organization_id = CharField(null=True)
    permissions_json = TextField(null=True)  # of the key that approved, as its test flag
    test = _flag()
    created_at = BigIntegerField()
    expires_at = BigIntegerField(index=True)

    class Meta:
        table_name = "cli_login"


class Domain(Model):
    """A mail domain. ``organization_id`` null: the platform's own, usable by everyone."""

    name = CharField(primary_key=True)
    number = BigIntegerField(index=True)
    organization_id = CharField(null=True, index=True)
    pod_id = CharField(null=True)
    client_id = TextField(null=True)
    status = _text("PENDING")  # NOT_STARTED PENDING INVALID FAILED VERIFYING VERIFIED
    feedback_enabled = _flag(1)
    subdomains_enabled = _flag()
    dkim_selector = TextField()
    dkim_private = TextField()
    dkim_public = TextField()  # the DNS TXT value
    checked_json = TextField(null=True)  # last statuses by record name+type
    verified_at = BigIntegerField(null=True)
    ready_at = BigIntegerField(null=True)  # since when MX, SPF and DKIM are all there, DMARC or not
    created_at = BigIntegerField()
    updated_at = BigIntegerField()


class Inbox(Model):
    id = CharField(primary_key=True)
    number = BigIntegerField(index=True)
    organization_id = CharField(index=True)
    pod_id = CharField(index=True)
    address = CharField(unique=True)  # lower case
    username = TextField()
    domain = CharField(index=True)
    display_name = TextField(null=True)
    client_id = TextField(null=True)
    external_id = TextField(null=True)
    metadata_json = _text("{}")
    status = _text("active")  # creating active suspended deleting
    active_at = BigIntegerField()  # last mail in or out: who gets an IDLE connection
    created_at = BigIntegerField()
    updated_at = BigIntegerField()


class Webhook(Model):
    id = CharField(primary_key=True)
    number = BigIntegerField()
    organization_id = CharField()
    pod_id = CharField(null=True)  # made under /pods/{id}
    inbox_id = CharField(null=True, index=True)  # made under /inboxes/{id}
    dialect = _text("agentmail")
    name = TextField(null=True)
    url = TextField()
    event_types_json = _text("[]")  # [] = all the dialect sends by default
    inbox_ids_json = _text("[]")
    pod_ids_json = _text("[]")
    headers_json = _text("{}")
    enabled = _flag(1)
    client_id = TextField(null=True)
    secret = TextField()
    old_secret = TextField(null=True)
    old_secret_until = BigIntegerField(null=True)
    failing_since = BigIntegerField(null=True)
    succeeded_at = BigIntegerField(null=True)
    disabled_reason = TextField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        # each event looks for those of its inbox and those of no inbox; thousands of inboxes may have one
        indexes = ((("organization_id", "inbox_id"), False),)


class ListEntry(Model):
    """An allow or block rule: an address or a domain, for send, receive or reply; or a scope's mode."""

    id = CharField(primary_key=True)
    organization_id = CharField(index=True)
    pod_id = CharField(null=True)
    inbox_id = CharField(null=True)
    direction = CharField()  # send receive reply
    list_type = CharField()  # allow block, or mode: how the allow list is meant (store.lists)
    entry = CharField()  # lower case address or domain; of a mode: none allowlist
    entry_type = CharField()  # email domain mode
    reason = TextField(null=True)
    created_at = BigIntegerField()

    class Meta:
        table_name = "list_entry"


class Draft(Model):
    """A draft; its MIME stands in the mailbox's Drafts folder, ``content_json`` holds the API's fields."""

    id = CharField(primary_key=True)
    organization_id = CharField(index=True)
    inbox_id = CharField(index=True)
    client_id = TextField(null=True)
    content_json = TextField()
    attachments_json = _text("[]")
    labels_json = _text("[]")
    in_reply_to = TextField(null=True)  # bare message id (ULID) of the original
    forward_of = TextField(null=True)
    reply_all = _flag()
    send_at = BigIntegerField(null=True, index=True)
    send_status = TextField(null=True)  # scheduled sending failed
    test = _flag()  # scheduled with a sandbox key: what goes at ``send_at`` is never delivered
    uid = BigIntegerField(null=True)  # in the Drafts folder
    uidvalidity = BigIntegerField(null=True)
    origin = _text("api")  # api, or imap: a person's
    created_at = BigIntegerField()
    updated_at = BigIntegerField()


class DraftFile(Model):
    """The bytes of a draft's attachment until the draft is sent or deleted."""

    id = CharField(primary_key=True)
    draft_id = CharField(index=True)
    content = BlobField()

    class Meta:
        table_name = "draft_file"


class Outbox(Model):
    """An accepted message on its way out. ``id`` is the message's ULID."""

    id = CharField(primary_key=True)
    organization_id = CharField(index=True)
    inbox_id = CharField()
    mail_from = TextField()
    message_id = CharField(index=True)
    token = CharField(unique=True)  # in the return path and the ENVID
    mime = BlobField(null=True)  # dropped when every recipient is settled
    size = IntegerField()
    state = CharField()  # queued done
    next_at = BigIntegerField(index=True)
    attempts = _flag()
    claimed_until = BigIntegerField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        indexes = ((("inbox_id", "created_at"), False),)  # what an inbox sent lately: store.tally


class OutboxRecipient(Model):
    id = BigAutoField()
    outbox_id = CharField(index=True)
    address = TextField()
    role = CharField()  # to cc bcc sent
    state = CharField()  # queued attempting sent delivered bounced
    code = IntegerField(null=True)
    status = TextField(null=True)
    diagnostic = TextField(null=True)
    remote = TextField(null=True)
    attempts = _flag()
    updated_at = BigIntegerField()

    class Meta:
        table_name = "outbox_recipient"


class Suppression(Model):
    """An address that an organization must not write to any more: see ``store.suppressions``."""

    id = BigAutoField()
    organization_id = CharField()
    address = CharField(index=True)  # lower case
    type = CharField()  # bounce unsub complaint
    reason = TextField(null=True)
    message_id = CharField(null=True)  # bare ULID of the mail that led to it
    created_at = BigIntegerField()

    class Meta:
        indexes = (
            (("organization_id", "address"), True),
            (("organization_id", "created_at", "id"), False),
        )


class Reputation(Model):
    """Whether an inbox, or a whole pod, was suspended from sending; see ``store.suspension``."""

    subject = CharField(primary_key=True)  # ULID of the inbox or pod
    reason = TextField(null=True)  # null: it may send, and was reactivated at ``since``
    since = BigIntegerField()


class Wallet(Model):
    """What an organization may still spend, in mills: see ``core.wallet``."""

    organization_id = CharField(primary_key=True)
    balance = BigIntegerField()
    spent = BigIntegerField()
    told_at = BigIntegerField(
        null=True
    )  # when its owner was told that it is empty; null since it was topped up
    updated_at = BigIntegerField()


class Tally(Model):
    """How often something was done on a UTC day: what daily limits are held against (``store.tally``)."""

    id = BigAutoField()
    subject = CharField()  # ULID of the organization or inbox
    what = CharField()
    day = IntegerField(index=True)  # days since the epoch
    n = BigIntegerField()

    class Meta:
        indexes = ((("subject", "what", "day"), True),)


class Idempotency(Model):
    id = BigAutoField()
    realm = CharField()  # organization or key, as the dialect scopes it
    key = CharField()
    fingerprint = TextField()
    state = CharField()  # running done
    status = IntegerField(null=True)
    body = TextField(null=True)
    work = CharField()  # ULID; what the request makes can be known by it, should it have to run again
    created_at = BigIntegerField(index=True)

    class Meta:
        indexes = ((("realm", "key"), True),)


class Event(Model):
    """One thing that happened. ``payload_json`` is dialect-free; each dialect renders it."""

    seq = BigAutoField()
    id = CharField(unique=True)
    organization_id = CharField()
    pod_id = CharField(null=True)
    inbox_id = CharField(null=True, index=True)
    type = CharField()
    message_id = CharField(null=True)
    payload_json = TextField()
    test = _flag()
    created_at = BigIntegerField(index=True)

    class Meta:
        indexes = ((("organization_id", "seq"), False),)


class Delivery(Model):
    """One event on its way to one webhook. ``lane`` keeps the order per inbox."""

    id = BigAutoField()
    event_seq = BigIntegerField(index=True)
    webhook_id = CharField()
    inbox_id = CharField(null=True, index=True)
    lane = CharField()  # webhook id / inbox id
    state = CharField()  # pending done failed
    attempts = _flag()
    first_failed_at = BigIntegerField(null=True)
    next_at = BigIntegerField()
    created_at = BigIntegerField()

    class Meta:
        indexes = (
            (("state", "next_at"), False),
            (("lane", "state", "id"), False),
            (("webhook_id", "id"), False),
        )


class Attempt(Model):
    """One try to post an event, written with its outcome. ``delivery_id`` null: a test, which is tried once."""

    id = BigAutoField()
    delivery_id = BigIntegerField(null=True, index=True)
    event_id = CharField(index=True)  # the delivery may be withdrawn: a replay is another one
    webhook_id = CharField()
    number = IntegerField()
    url = TextField()
    status = IntegerField(null=True)
    response = TextField(null=True)
    error = TextField(null=True)
    duration_ms = IntegerField(null=True)
    created_at = BigIntegerField(index=True)

    class Meta:
        indexes = ((("webhook_id", "id"), False),)


class LabelChange(Model):
    """A label that was put on or taken off a message: the log behind GET /inboxes/{id}/events."""

    seq = BigAutoField()
    id = CharField(unique=True)
    inbox_id = CharField()
    message_id = CharField()
    label = TextField()
    added = _flag()
    created_at = BigIntegerField(index=True)

    class Meta:
        table_name = "label_change"
        indexes = ((("inbox_id", "seq"), False),)


class FlagsOwed(Model):
    """Flags that the index says of a message and its copies on the mail server do not bear yet."""

    message_id = CharField(primary_key=True)
    inbox_id = CharField(index=True)
    added = _text("")  # space separated
    removed = _text("")
    noted_at = BigIntegerField()

    class Meta:
        table_name = "flags_owed"


class ThreadTombstone(Model):
    """A deleted thread: mail that later names it makes a new one (``generation`` enters the new id)."""

    id = BigAutoField()
    inbox_id = CharField(index=True)
    root = CharField()  # hex digest of the root Message-ID
    generation = IntegerField()

    class Meta:
        table_name = "thread_tombstone"
        indexes = ((("inbox_id", "root"), True),)


# --- derived from the mail server ---------------------------------------------------------------------------


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
    senders_json = _text("[]")
    recipients_json = _text("[]")
    unread = _flag()  # 1 = a message of it that is not hidden is unread
    hidden = _flag()  # 1 = every message of it is hidden
    hidden_count = _flag()
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
    reply_to_json = _text("[]")
    to_json = _text("[]")
    cc_json = _text("[]")
    bcc_json = _text("[]")
    subject = TextField()
    preview = TextField()
    in_reply_to = TextField(null=True)
    references_json = _text("[]")
    headers_json = _text("{}")
    attachments_json = _text("[]")
    auth_json = TextField(null=True)
    defects_json = _text("[]")
    size = BigIntegerField()
    attachment_bytes = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])  # decoded octets, together
    timestamp = BigIntegerField()
    status = CharField()  # received queued sent delivered bounced rejected complained
    seen = _flag()
    hidden = _flag()  # 1 = spam, trash, blocked or unauthenticated: left out of lists by default
    truncated = _flag()
    auto_submitted = _flag()
    hidden_text = _flag()
    test = _flag()
    created_at = BigIntegerField()
    updated_at = BigIntegerField()

    class Meta:
        indexes = (
            (("inbox_id", "timestamp", "seq"), False),
            (("inbox_id", "seen", "hidden", "timestamp", "seq"), False),  # what is unread, and how many
            # with what core.metering adds up, so that it reads the index alone
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


# the messages of one direction, and how many; each row stands in one of the two. A condition reaches them with a
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


# who wrote to an inbox: whom a send is no cold outreach to (core.cold_outreach)
Message.add_index(
    Message.inbox_id, Message.from_email, where=(Message.direction == "inbound"), name="message_writer"
)


class MessageBody(Model):
    """Bounded text of a message, so that reading one needs no IMAP; the whole stands on the mail server."""

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
    """Where a message stands on the mail server; a copy stands in several places."""

    id = BigAutoField()
    folder_id = IntegerField()
    uid = BigIntegerField()
    message_id = CharField(index=True)
    inbox_id = CharField(index=True)
    flags = _text("")  # space separated, as the server gave them

    class Meta:
        indexes = ((("folder_id", "uid"), True),)


KEPT: list[type[Model]] = [
    Organization, Registration, Pod, ApiKey, RevokedKey, CliLogin, Domain, Inbox, Webhook, ListEntry, Draft, DraftFile,
    Outbox, OutboxRecipient,
    Suppression, Reputation, Wallet, Tally, Idempotency, Event, Delivery, Attempt, LabelChange, FlagsOwed,
    ThreadTombstone,
]  # fmt: skip
DERIVED: list[type[Model]] = [
    Folder, Thread, ThreadRef, Message, MessageBody, AttachmentText, Label, Location,
]  # fmt: skip
