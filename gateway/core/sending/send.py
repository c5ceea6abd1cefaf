"""Sending: from a request to rows that are durable (DESIGN §1.4, §3 Out).

Validate, then compose, sign and read the result back in a worker (so the index holds what a reader of the mail
sees), then one transaction: message, thread, labels, outbox, idempotency.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from gateway.core.context import Core
from gateway.core.disk_room import check_room
from gateway.core.errors import Invalid, Rejected, TooLarge, Unavailable
from gateway.core.guard import loops
from gateway.core.guard.auto_submitted import auto_submitted
from gateway.core.idempotency import EXPIRY_US, Completion, complete
from gateway.core.lookup import require
from gateway.core.mail.relabel import check_labels
from gateway.core.sending import admission
from gateway.core.sending.decide import Held, Message, Terms
from gateway.core.sending.holding import hold
from gateway.core.sending.open_tracking import tracks, with_pixel
from gateway.core.sending.recipient_domains import check_domains
from gateway.core.sending.sandbox import Coming, coming_back, pretend
from gateway.core.sending.sent_before import Once, own_ulid, sent_before
from gateway.core.sending.unsubscribe import unsubscribe_headers
from gateway.core.sending.wallet_notice import notifying_owner
from gateway.core.sent import Sent
from gateway.events.merged_threads import announce_merged
from gateway.events.risks import note_risks
from gateway.mime.addresses import InvalidAddress, normalise, parse_user_address
from gateway.mime.dkim_sign import Signing, SigningError
from gateway.mime.header_rules import InvalidHeader, check_headers, check_subject
from gateway.mime.types import Address, OutgoingAttachment, OutgoingMessage, ParsedMessage
from gateway.mime.workers.jobs import ComposeFailed
from gateway.outbox.digest import digest_of
from gateway.outbox.queue import enqueue, recipient_tokens, return_path, token_of
from gateway.records.ids import MessageId, ThreadId, message_id_header, now_us, own_message_ulid
from gateway.records.inboxes import Inbox
from gateway.records.simulator import is_simulated
from gateway.settings import Settings
from gateway.smarthost.profiles import profile_of, relay_headers
from gateway.store import index, sent_aliases, threads
from gateway.store.dkim_keys import active_key
from gateway.store.labels import SYSTEM, to_keyword
from gateway.store.pending_flags import add_pending
from gateway.store.people import people_json
from gateway.store.queries.conversation import ConversationAsked
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

MAX_REPLY_TO = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class SendRequest:
    """What a caller wants sent. Addresses are text: ``a@b`` or ``Name <a@b>``; ids carry their ``< >``.

    ``attachment_bytes``: what all attachments may have together, instead of ``limits.attachment_bytes``.
    ``most_recipients``: how many recipients it may have, where that is fewer than ``limits.recipients``.
    ``about``: the message that is answered or forwarded.
    ``thread_id`` (a ULID) keeps the message in a thread that its References alone would not name.
    ``unsubscribe``: offer its one recipient the one-click way out (``core.sending.unsubscribe``). ``track_opens``: tell
    ``message.opened``, or not; None leaves it to the server (``core.sending.open_tracking``).
    """

    to: Sequence[str] = ()
    cc: Sequence[str] = ()
    bcc: Sequence[str] = ()
    reply_to: Sequence[str] = ()
    subject: str = ""
    text: str | None = None
    html: str | None = None
    labels: Sequence[str] = ()
    attachments: Sequence[OutgoingAttachment] = ()
    attachment_bytes: int | None = None
    most_recipients: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    in_reply_to: str | None = None
    references: Sequence[str] = ()
    about: MessageId | None = None
    thread_id: ThreadId | None = None
    unsubscribe: bool = False
    track_opens: bool | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """The values of a request, checked."""

    to: list[Address]
    cc: list[Address]
    bcc: list[Address]
    reply_to: list[Address]
    subject: str
    headers: dict[str, str]
    labels: list[str]

    def fields(self) -> list[tuple[str, str]]:
        """(JSON path, address) of every recipient."""
        return [
            (f"{name}[{number}]", one.email)
            for name, people in (("to", self.to), ("cc", self.cc), ("bcc", self.bcc))
            for number, one in enumerate(people)
        ]


@dataclass(frozen=True, slots=True)
class _Ready:
    """Composed, signed and read back: what the transaction writes. ``coming``: what comes back to a sandbox send."""

    message_id: MessageId
    at: int
    raw: bytes
    parsed: ParsedMessage
    checked: Checked
    coming: Sequence[Coming]


async def send(
    core: Core,
    scope: Scope,
    inbox: Inbox,
    request: SendRequest,
    idempotency: Completion | None = None,
    also: Callable[[Tx], None] | None = None,
    once: Once | None = None,
) -> Sent:
    """Accept a message; when this returns it is on disk and will go out.

    ``also`` runs in the same transaction (a draft goes when it is sent). ``once``: what must never be sent twice
    (default: what ``idempotency`` names). Raises Invalid, TooLarge, Rejected, TooMany, Unpaid, Forbidden,
    Unavailable, Conflict.
    """
    require(scope, "message_send")
    if inbox.status != "active":
        raise Rejected("sending is suspended for this inbox", code="inbox_suspended")
    if once is None and idempotency is not None:
        once = Once(idempotency.claim.work, now_us() - EXPIRY_US)
    if once is not None and not scope.test:
        before = await sent_before(core, inbox, once, idempotency, also)
        if before is not None:
            return before
    checked = check_request(core.settings, request)
    await check_room(core)
    at = now_us()
    message_id = own_ulid(at, once)
    if request.unsubscribe:
        checked.headers.update(
            unsubscribe_headers(core, inbox, message_id, checked.fields(), checked.headers)
        )
    tracked = tracks(core.settings, request.track_opens) and not scope.test
    if request.html is not None:
        request = replace(request, html=with_pixel(core, request.html, message_id, tracked=tracked))
    reply = request.in_reply_to is not None or request.thread_id is not None

    profile = profile_of(core.settings)

    def load(tx: Tx) -> tuple[Signing | None, SendRequest]:
        admission.check(tx, scope, inbox, _message(core, scope, request, checked), _terms(core), reply=reply)
        return profile.signing(active_key(tx, inbox.domain)), as_known_outside(tx, request)

    async with notifying_owner(core, inbox):
        signing, request = await core.store.read(load)
    await check_domains(core, checked.fields())
    raw, parsed = await composed(core, inbox, signing, request, checked, message_id, at)
    most = min(core.settings.mail.max_message, profile.max_message or len(raw))
    if len(raw) > most:
        raise TooLarge(
            f"the message is {len(raw)} octets; at most {most} can be sent",
            fix="send fewer or smaller attachments, or links to them",
        )
    coming: list[Coming] = []
    if scope.test:
        people = [address for _, address in checked.fields()]
        coming = await coming_back(core, inbox, message_id, raw, parsed.text or "", people, at)
    ready = _Ready(message_id, at, raw, parsed, checked, coming)
    accept = partial(_accept, core, scope, inbox, request, ready, idempotency, also)
    async with notifying_owner(core, inbox):
        sent = await core.store.write(accept)
    core.outbox_wake.set()
    return sent


def as_known_outside(tx: Tx, request: SendRequest) -> SendRequest:
    """``request`` naming what we sent as its recipients know it, where a relay gave it another Message-ID."""
    names = [*request.references, *([request.in_reply_to] if request.in_reply_to else [])]
    outside = {}
    for one in dict.fromkeys(names):
        ulid = own_message_ulid(one)
        if ulid is not None and (alias := sent_aliases.known_outside(tx, ulid)):
            outside[one] = alias
    if not outside:
        return request
    # ours stays beside it: recipients on this server, and the copy in Sent, have that one
    references = [name for one in request.references for name in (one, outside.get(one)) if name]
    in_reply_to = outside.get(request.in_reply_to or "", request.in_reply_to)
    return replace(request, in_reply_to=in_reply_to, references=references)


def check_request(settings: Settings, request: SendRequest) -> Checked:
    """Validate every value, naming the field that is wrong. Raises Invalid or TooLarge."""
    limits = settings.limits
    given = sum(len(people) for people in (request.to, request.cc, request.bcc))
    if not given:
        raise Invalid("at least one recipient is needed", field="to", fix="give to, cc or bcc")
    most = min(limits.recipients, request.most_recipients or limits.recipients)
    if given > most:
        raise Invalid(
            f"{given} recipients are too many: to, cc and bcc together take at most {most}",
            field="to",
            code="too_many_recipients",
            fix="send several messages",
        )
    if len(request.reply_to) > MAX_REPLY_TO:
        raise Invalid(f"reply_to takes at most {MAX_REPLY_TO} addresses", field="reply_to")
    seen: set[str] = set()
    people = {name: _people(getattr(request, name), name, seen) for name in ("to", "cc", "bcc")}
    try:
        subject = check_subject(request.subject)
    except InvalidHeader as error:
        raise Invalid(str(error), field="subject") from error
    try:
        headers = check_headers(dict(request.headers))
    except InvalidHeader as error:
        where = "headers" if error.field == "headers" else f"headers.{error.field}"
        raise Invalid(str(error), field=where) from error
    for name in ("text", "html"):
        value = getattr(request, name)
        if value is not None and "\x00" in value:
            raise Invalid(f"{name} holds a NUL character", field=name)
    _check_attachments(request, settings)
    labels = check_labels(request.labels, "labels")
    for number, label in enumerate(labels):
        if label in SYSTEM or label.startswith("folder:"):
            raise Invalid(
                f"the label {label!r} is a state of a message; it cannot be given with a send",
                field=f"labels[{number}]",
            )
    return Checked(
        to=people["to"],
        cc=people["cc"],
        bcc=people["bcc"],
        reply_to=_people(request.reply_to, "reply_to", set()),
        subject=subject,
        headers=headers,
        labels=labels,
    )


def _people(given: Sequence[str], name: str, seen: set[str]) -> list[Address]:
    """The addresses of one field; an address that an earlier field (or place) names already is left out."""
    people = []
    for number, text in enumerate(given):
        try:
            one = parse_user_address(text)
        except InvalidAddress as error:
            raise Invalid(
                f"{name}[{number}]: {error}",
                field=f"{name}[{number}]",
                fix="use name@example.com or Name <…>",
            ) from error
        key = normalise(one.email)
        if key not in seen:
            seen.add(key)
            people.append(one)
    return people


def _check_attachments(request: SendRequest, settings: Settings) -> None:
    limits = settings.limits
    if len(request.attachments) > limits.attachments:
        raise TooLarge(
            f"{len(request.attachments)} attachments are too many: at most {limits.attachments}",
            field="attachments",
        )
    octets = sum(len(one.content) for one in request.attachments)
    most = limits.attachment_bytes if request.attachment_bytes is None else request.attachment_bytes
    if octets > most:
        raise TooLarge(
            f"the attachments are {octets} octets; at most {most} can be sent",
            field="attachments",
            fix="send fewer or smaller attachments, or links to them",
        )
    if len(request.text or "") + len(request.html or "") > settings.mail.max_message:
        raise TooLarge("text and html are larger than a message may be", field="text")


async def composed(
    core: Core,
    inbox: Inbox,
    signing: Signing | None,
    request: SendRequest,
    checked: Checked,
    message_id: MessageId,
    at: int,
) -> tuple[bytes, ParsedMessage]:
    """The signed octets of a message, and what a reader sees of them. ``at``: its date, µs. Raises Invalid,
    Unavailable."""
    message = OutgoingMessage(
        message_id=message_id_header(message_id, inbox.domain),
        sender=Address(inbox.display_name or "", inbox.address),
        to=checked.to,
        cc=checked.cc,
        reply_to=checked.reply_to,
        subject=checked.subject,
        text=request.text,
        html=request.html,
        attachments=list(request.attachments),
        headers={
            **auto_submitted(
                core.settings.guard.auto_submitted, checked.headers, reply=request.in_reply_to is not None
            ),
            **checked.headers,
            **relay_headers(core.settings, message_id_header(message_id, inbox.domain)),
        },
        in_reply_to=request.in_reply_to,
        references=list(request.references),
        date=at,
    )
    try:
        return await core.parser.compose(message, signing)
    except InvalidHeader as error:
        raise Invalid(str(error), field=error.field) from error
    except SigningError as error:
        raise Unavailable(
            f"the message cannot be signed: {error}", fix="the operator must repair the domain's DKIM key"
        ) from error
    except ValueError as error:
        raise Invalid(str(error)) from error
    except ComposeFailed as error:
        raise Unavailable(f"the message cannot be written now: {error}", fix="try again") from error


def _accept(
    core: Core,
    scope: Scope,
    inbox: Inbox,
    request: SendRequest,
    ready: _Ready,
    completion: Completion | None,
    also: Callable[[Tx], None] | None,
    tx: Tx,
) -> Sent:
    """The one transaction (DESIGN §1.4)."""
    now = unscoped_inbox(tx, inbox.id)
    if now is None or now.status != "active":
        raise Rejected("the inbox was deleted or suspended just now", code="inbox_suspended")
    if also is not None:  # first: what may be sent once, by one of several callers, is taken here
        also(tx)
    decision = admission.accept(tx, scope, inbox, _message(core, scope, request, ready.checked), _terms(core))
    allowed = decision.allowed if isinstance(decision, Held) else decision
    rfc_id = message_id_header(ready.message_id, inbox.domain)
    if request.thread_id is not None:
        threads.keep_in(tx, inbox.id, rfc_id, request.thread_id)
    placed = index.insert_message(
        tx,
        inbox,
        ready.message_id,
        ready.parsed,
        direction="outbound",
        status="delivered" if scope.test else "queued",
        at=ready.at,
        bcc_json=people_json(ready.checked.bcc),
        test=scope.test,
        contacts=not isinstance(decision, Held),
    )
    labels, slowed = ready.checked.labels, None
    if not scope.test and not isinstance(decision, Held):  # (what is reviewed goes when a person says so)
        slowed = _slow_down(core, tx, inbox, ready, placed.thread_id)
        labels = list(dict.fromkeys([*labels, *([loops.LABEL] if slowed and slowed.rounds else [])]))
    if labels:  # a new row has none, and is seen and not hidden
        index.set_labels(tx, inbox, ready.message_id, labels)
        if not scope.test:  # its copy in Sent gets them
            keywords = [to_keyword(label) for label in labels]
            add_pending(tx, inbox.id, ready.message_id, add=keywords)
    threads.refresh(tx, placed.thread_id, now_us())
    announce_merged(tx, core.events, inbox, ready.message_id, placed, test=scope.test)
    token = token_of(core.secret, ready.message_id)
    people = [(address, name.partition("[")[0]) for name, address in ready.checked.fields()]
    mail_from = return_path(inbox.address, token)
    tokens = recipient_tokens(core.secret, ready.message_id, [address for address, _ in people])
    review_id = None
    if isinstance(decision, Held):
        digest = digest_of(mail_from, people, ready.raw)
        review_id = hold(tx, core, scope, inbox, ready.message_id, decision.reasons, digest)
    if allowed.risks:
        note_risks(tx, core.events, inbox, ready.message_id, allowed.risks)
    if not scope.test:
        people.append((core.mail.sent_address(inbox.address), "sent"))
    enqueue(
        tx,
        outbox_id=ready.message_id,
        organization_id=inbox.organization_id,
        inbox_id=inbox.id,
        mail_from=mail_from,
        message_id=rfc_id,
        token=token,
        mime=ready.raw,
        recipients=people,
        delivered=scope.test,
        held=review_id is not None,
        due=slowed.until if slowed else None,
        tokens=tokens,
        key_id=scope.key_id,
    )
    if scope.test:
        pretend(core, tx, inbox, ready.message_id, ready.coming)
    sent = Sent(
        ready.message_id,
        placed.thread_id,
        ready.at,
        ready.parsed,
        ready.checked.bcc,
        allowed.allowance,
        review_id,
    )
    if completion is not None:
        complete(tx, completion.claim, *completion.render(sent))
    return sent


def _slow_down(core: Core, tx: Tx, inbox: Inbox, ready: _Ready, thread_id: ThreadId) -> loops.Slowed | None:
    """Whether the message would be one more automatic round, and waits; noted as an event."""
    people, now = [address for _, address in ready.checked.fields()], now_us()
    held = loops.held_back(
        tx, core.settings.guard, inbox, ready.message_id, thread_id, ready.parsed, people, now
    )
    if held is not None and held.rounds:
        loops.announce(tx, core.events, inbox, ready.message_id, thread_id, people, held, now)
    return held


def _message(core: Core, scope: Scope, request: SendRequest, checked: Checked) -> Message:
    people = checked.fields()
    simulated = core.settings.simulator.enabled and all(is_simulated(address) for _, address in people)
    answered = threads.ref_of(request.in_reply_to) if request.in_reply_to else None
    return Message(
        people,
        len(request.attachments),
        test=scope.test,
        simulated=simulated,
        before=ConversationAsked(request.about, answered, request.thread_id),
    )


def _terms(core: Core) -> Terms:
    return Terms(core.settings.limits, core.settings.wallet)
