"""The records that cannot be made again from the mail server: a backup copies exactly these. See ``models``."""

from __future__ import annotations

from peewee import SQL, BigAutoField, BigIntegerField, BlobField, CharField, IntegerField, Model, TextField

from gateway.store.columns import flag, text
from gateway.store.process_models import PASSING


class Organization(Model):
    id = CharField(primary_key=True)
    name = TextField()
    owner_email = TextField(null=True)  # whom mail about the account goes to: see ``core.accounts.register``
    inbox_limit = IntegerField(null=True)
    domain_limit = IntegerField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()


class Registration(Model):
    """An organization made by its own user lately: ``core.accounts.register`` holds its limits against it."""

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
    is_default = flag()
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
    test = flag()
    operator = flag()  # of the gateway's machine: reaches what no organization may do for itself
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
    """A program that waits for a key: see ``core.accounts.cli_login``. ``organization_id`` null: not approved."""

    id = CharField(primary_key=True)
    hash = CharField(unique=True)  # of what the program holds, hex SHA-256
    user_code = CharField(unique=True)
    origin = TextField()
    organization_id = CharField(null=True)
    permissions_json = TextField(null=True)  # of the key that approved, as its test flag
    test = flag()
    created_at = BigIntegerField()
    expires_at = BigIntegerField(index=True)
    network = text("")  # the address that asked (IPv6: its /64), which has a share of those that wait

    class Meta:
        table_name = "cli_login"


class Domain(Model):
    """A mail domain. ``organization_id`` null: the platform's own, usable by everyone."""

    name = CharField(primary_key=True)
    number = BigIntegerField(index=True)
    organization_id = CharField(null=True, index=True)
    pod_id = CharField(null=True)
    client_id = TextField(null=True)
    status = text("PENDING")  # NOT_STARTED PENDING INVALID FAILED VERIFYING VERIFIED
    feedback_enabled = flag(1)
    subdomains_enabled = flag()
    dkim_selector = TextField()
    dkim_private = TextField()
    dkim_public = TextField()  # the DNS TXT value
    checked_json = TextField(null=True)  # last statuses by record name+type
    verified_at = BigIntegerField(null=True)
    ready_at = BigIntegerField(null=True)  # since when MX, SPF and DKIM are all there, DMARC or not
    proven_at = BigIntegerField(null=True)  # since when mail for it is ours: see ``core.domains.proof``
    mta_sts = text("testing")  # enforce none
    checked_at = BigIntegerField(null=True)
    changed_at = BigIntegerField(null=True)  # when DNS last answered otherwise than before
    created_at = BigIntegerField()
    updated_at = BigIntegerField()


class DkimKey(Model):
    """A key of a domain beside the one that signs: see ``store.dkim_keys``."""

    id = BigAutoField()
    domain = CharField()
    selector = TextField()
    private = TextField()  # empty once retired
    public = TextField()  # the DNS TXT value
    state = CharField()  # next retired
    since = BigIntegerField()

    class Meta:
        table_name = "dkim_key"
        indexes = ((("domain", "selector"), True),)


class Inbox(Model):
    id = CharField(primary_key=True)
    number = BigIntegerField(index=True)
    organization_id = CharField()
    pod_id = CharField()
    address = CharField(unique=True)  # lower case
    username = TextField()
    domain = CharField(index=True)
    display_name = TextField(null=True)
    client_id = TextField(null=True)
    external_id = TextField(null=True)
    metadata_json = text("{}")
    status = text("active")  # creating active suspended deleting
    active_at = BigIntegerField()  # last mail in or out: who gets an IDLE connection
    created_at = BigIntegerField()
    updated_at = BigIntegerField()
    quota = BigIntegerField(null=True)  # octets, 0 for no limit; null: the mail server's default
    # µs: what it received since then is recognised by fingerprints, older mail keeps its ids (``store.index``)
    fingerprints_since = BigIntegerField(default=0, constraints=[SQL("DEFAULT 0")])

    class Meta:
        indexes = (
            # lists of ten thousand, and how many there are, read off the index
            (("organization_id", "created_at", "id", "status"), False),
            (("pod_id", "created_at", "id", "status"), False),
        )


Inbox.add_index(
    Inbox.organization_id, Inbox.client_id, where=Inbox.client_id.is_null(False), name="inbox_client"
)


class Alias(Model):
    """An address besides the inboxes' own; ``@domain`` is a catch-all. See ``store.queries.aliases``."""

    id = CharField(primary_key=True)
    organization_id = CharField(index=True)
    address = CharField(unique=True)  # lower case
    domain = CharField(index=True)
    refused = flag()  # takes no mail, and has no targets
    created_at = BigIntegerField()
    updated_at = BigIntegerField()


class AliasTarget(Model):
    """An inbox that gets an alias's mail."""

    id = BigAutoField()
    alias_id = CharField()
    inbox_id = CharField(index=True)

    class Meta:
        table_name = "alias_target"
        indexes = ((("alias_id", "inbox_id"), True),)


class Webhook(Model):
    id = CharField(primary_key=True)
    number = BigIntegerField()
    organization_id = CharField()
    pod_id = CharField(null=True)  # made under /pods/{id}
    inbox_id = CharField(null=True, index=True)  # made under /inboxes/{id}
    dialect = text("agentmail")
    name = TextField(null=True)
    url = TextField()
    event_types_json = text("[]")  # [] = all the dialect sends by default
    inbox_ids_json = text("[]")
    pod_ids_json = text("[]")
    headers_json = text("{}")
    enabled = flag(1)
    client_id = TextField(null=True)
    secret = TextField()
    old_secret = TextField(null=True)
    old_secret_until = BigIntegerField(null=True)
    failing_since = BigIntegerField(null=True)
    succeeded_at = BigIntegerField(null=True)
    # why the gateway switched it off: what happens meanwhile waits for it
    disabled_reason = TextField(null=True)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()
    off_mailed_at = BigIntegerField(null=True)  # when somebody was written to that it is switched off
    key_id = CharField(null=True, index=True)  # who answers for it (events.reach); null: the organization
    test = flag()  # made by a sandbox key: it carries test events only

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
    list_type = CharField()  # allow block, or mode: how the allow list is meant (store.allow_block_lists)
    entry = CharField()  # lower case address or domain; of a mode: none allowlist
    entry_type = CharField()  # email domain mode
    reason = TextField(null=True)
    created_at = BigIntegerField()

    class Meta:
        table_name = "list_entry"


class Policy(Model):
    """A version of the rule of an organization, pod or inbox; the highest one holds. See ``store.queries.policies``."""

    id = CharField(primary_key=True)
    organization_id = CharField(index=True)
    pod_id = CharField(null=True)
    inbox_id = CharField(null=True)
    subject = CharField()  # ULID of the inbox, else the pod, else the organization
    version = IntegerField()
    rule_json = TextField()
    key_id = CharField(null=True)
    created_at = BigIntegerField()

    class Meta:
        indexes = ((("subject", "version"), True),)


class Draft(Model):
    """A draft; its MIME is in the mailbox's Drafts folder, ``content_json`` holds the API's fields."""

    id = CharField(primary_key=True)
    organization_id = CharField(index=True)
    inbox_id = CharField(index=True)
    client_id = TextField(null=True)
    content_json = TextField()
    attachments_json = text("[]")
    labels_json = text("[]")
    in_reply_to = TextField(null=True)  # bare message id (ULID) of the original
    forward_of = TextField(null=True)
    reply_all = flag()
    send_at = BigIntegerField(null=True, index=True)
    # scheduled, sending, failed; hidden (``store.queries.drafts``): sent, gone from the folder
    send_status = TextField(null=True)
    test = flag()  # scheduled with a sandbox key: what goes at ``send_at`` is never delivered
    uid = BigIntegerField(null=True)  # in the Drafts folder
    uidvalidity = BigIntegerField(null=True)
    origin = text("api")  # api, or imap: a person's
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
    state = CharField()  # queued held done
    next_at = BigIntegerField(index=True)
    attempts = flag()
    claimed_until = BigIntegerField(null=True)
    claimed_by = CharField(null=True)  # the process, where there are several (store.leases)
    created_at = BigIntegerField()
    updated_at = BigIntegerField()
    key_id = CharField(null=True)  # the API key that asked for it
    queued_at = BigIntegerField(null=True)  # since when it may leave, where it was held

    class Meta:
        indexes = ((("inbox_id", "created_at"), False),)  # what an inbox sent lately: store.daily_counts


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
    attempts = flag()
    updated_at = BigIntegerField()
    token = CharField(null=True)  # of a return path of its own; unique (migration 0004)

    class Meta:
        table_name = "outbox_recipient"


OutboxRecipient.add_index(
    OutboxRecipient.token,
    unique=True,
    where=OutboxRecipient.token.is_null(False),
    name="outboxrecipient_token",
)


class OutboxReply(Model):
    """What was said of a recipient: a server's reply to an attempt, a report that came later. Never changed but for
    ``next_at``; it goes with its message (``outbox.keep_days``)."""

    id = BigAutoField()
    outbox_id = CharField(index=True)
    address = TextField()
    source = CharField()  # attempt report operator
    state = CharField()  # what it led to, as of outbox_recipient
    number = IntegerField()  # of the message's attempts
    code = IntegerField(null=True)
    status = TextField(null=True)
    said = TextField(null=True)
    remote = TextField(null=True)
    at = BigIntegerField()
    next_at = BigIntegerField(null=True)  # when it was put off until

    class Meta:
        table_name = "outbox_reply"


class SentAlias(Model):
    """Another Message-ID of what we sent, that a relay gave it: see ``store.sent_aliases``."""

    id = BigAutoField()
    outbox_id = CharField(index=True)
    inbox_id = CharField()
    message_id = TextField()  # ours, which outlives the outbox row
    ref = CharField(index=True)  # digest of the alias
    other_id = TextField()  # as the relay named it
    created_at = BigIntegerField()

    class Meta:
        table_name = "sent_alias"
        indexes = ((("inbox_id", "ref"), True),)


class Review(Model):
    """The decision of a person about a held message: see ``records.reviews`` and ``store.queries.reviews``."""

    id = CharField(primary_key=True)
    organization_id = CharField()
    inbox_id = CharField(index=True)
    message_id = CharField(unique=True)
    direction = CharField()  # outbound
    reasons_json = TextField()
    digest = TextField()
    state = CharField()  # pending approved rejected expired
    asked_by = CharField(null=True)
    decided_by = TextField(null=True)
    decided_at = BigIntegerField(null=True)
    reason = TextField(null=True)
    expires_at = BigIntegerField()
    created_at = BigIntegerField()
    updated_at = BigIntegerField()
    notified_at = BigIntegerField(null=True)  # when its reviewers were written to
    edits_json = text("[]")  # what was changed while it was held

    class Meta:
        indexes = (
            (("organization_id", "created_at", "id"), False),
            (("state", "expires_at"), False),
        )


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
    """Whether an inbox, or a whole pod, was suspended from sending; see ``store.queries.reputation``."""

    subject = CharField(primary_key=True)  # ULID of the inbox or pod
    reason = TextField(null=True)  # null: it may send, and was reactivated at ``since``
    since = BigIntegerField()


class Pause(Model):
    """What may not leave, and since when; kept after its end: see ``store.queries.pauses``."""

    id = CharField(primary_key=True)
    level = CharField()  # inbox pod organization server
    subject = CharField(index=True)  # ULID of what is paused, or server
    organization_id = CharField(null=True, index=True)
    reason = TextField(null=True)
    paused_by = TextField()
    authority = CharField()  # inbox pod organization operator: what kind of key paused
    since = BigIntegerField()
    ended_at = BigIntegerField(null=True, index=True)  # null: it holds
    ended_by = TextField(null=True)
    unparked_to = BigIntegerField(null=True)  # while what waited for its end is made due again


Pause.add_index(Pause.subject, unique=True, where=Pause.ended_at.is_null(), name="pause_holds")
Pause.add_index(Pause.unparked_to, where=Pause.unparked_to.is_null(False), name="pause_unparks")


class Wallet(Model):
    """What an organization may still spend, in mills: see ``core.sending.wallet``."""

    organization_id = CharField(primary_key=True)
    balance = BigIntegerField()
    spent = BigIntegerField()
    told_at = BigIntegerField(
        null=True
    )  # when its owner was notified that it is empty; null since it was topped up
    updated_at = BigIntegerField()


class Tally(Model):
    """How often something was done on a UTC day: what daily limits are held against (``store.daily_counts``)."""

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
    claimed_by = CharField(null=True)  # the process, where there are several (store.leases)
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
    message_id = CharField(null=True, index=True)
    payload_json = TextField()
    test = flag()
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
    attempts = flag()
    first_failed_at = BigIntegerField(null=True)
    next_at = BigIntegerField()
    created_at = BigIntegerField()
    organization_id = text("")  # the webhook's: whose share of the posts it takes
    tried_at = BigIntegerField(null=True)  # the last try
    planned_at = BigIntegerField(null=True)  # when the schedule tries it again; ``next_at`` may be earlier

    class Meta:
        indexes = (
            (("state", "next_at"), False),
            (("lane", "state", "id"), False),
            (("webhook_id", "id"), False),
            (("state", "organization_id", "next_at"), False),
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


class AuditEntry(Model):
    """A management action on one thing: see ``store.audited_sql``. Rows are added and swept, never changed."""

    id = CharField(primary_key=True)
    organization_id = CharField()  # whose thing it is; empty: the server's own
    created_at = BigIntegerField(index=True)
    actor = CharField()  # key operator registration reviewer
    key_id = CharField(null=True)
    via = CharField()
    operation = CharField()
    ip = CharField(null=True)
    request_id = CharField(null=True)
    action = CharField()
    object_type = CharField()
    object_id = CharField()
    object_name = TextField(null=True)
    before_json = TextField(null=True)
    after_json = TextField(null=True)

    class Meta:
        table_name = "audit_entry"
        indexes = ((("organization_id", "created_at", "id"), False),)


class LabelChange(Model):
    """A label that was put on or taken off a message: the log behind GET /inboxes/{id}/events."""

    seq = BigAutoField()
    id = CharField(unique=True)
    inbox_id = CharField()
    message_id = CharField(index=True)
    label = TextField()
    added = flag()
    created_at = BigIntegerField(index=True)

    class Meta:
        table_name = "label_change"
        indexes = ((("inbox_id", "seq"), False),)


class FlagsOwed(Model):
    """Flags that the index says of a message and its copies on the mail server do not bear yet."""

    message_id = CharField(primary_key=True)
    inbox_id = CharField(index=True)
    added = text("")  # space separated
    removed = text("")
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


class ThreadRoot(Model):
    """A root Message-ID of a thread that has several, and the id it gives a thread: see ``store.thread_joins``."""

    thread_id = CharField(primary_key=True)  # the id of a thread with this root
    inbox_id = CharField(index=True)
    number = BigIntegerField(index=True)
    root = CharField()  # hex digest of the root Message-ID
    since = BigIntegerField()  # µs: the oldest message with this root
    current_id = CharField(index=True)  # the id of the thread that it is part of now

    class Meta:
        table_name = "thread_root"


class ListingTime(Model):
    """What a message is listed under, where that is not the second it names itself: see ``store.arrival_time``."""

    message_id = CharField(primary_key=True)
    inbox_id = CharField(index=True)
    at = BigIntegerField()  # µs

    class Meta:
        table_name = "listing_time"


class Contact(Model):
    """With whom an inbox has exchanged mail, and since when: see ``store.contacts``. One row a key."""

    id = BigAutoField()
    organization_id = CharField()
    inbox_id = CharField()
    value = TextField()  # the key (store.contact_keys)
    about = TextField()  # the address or domain that it finds
    since = BigIntegerField()  # µs

    class Meta:
        indexes = (
            (("organization_id", "value", "since"), False),
            (("inbox_id", "value", "about"), True),
        )


KEPT: list[type[Model]] = [
    Organization, Registration, Pod, ApiKey, RevokedKey, CliLogin, Domain, DkimKey, Inbox, Alias, AliasTarget,
    Webhook, ListEntry, Policy, Draft, DraftFile,
    Outbox, OutboxRecipient, OutboxReply, SentAlias, Review,
    Suppression, Reputation, Pause, Wallet, Tally, Idempotency, Event, Delivery, Attempt, AuditEntry,
    LabelChange, FlagsOwed, ThreadTombstone, ThreadRoot, ListingTime, Contact,
    *PASSING,
]  # fmt: skip
