"""What kind of mail a message is and whether an agent may answer it by itself, as OpenMail's clients ask it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

from gateway.mime.types import Category
from gateway.records.event_types import MessageFacts
from gateway.records.mail import MessageItem

Verdict = Literal["clean", "suspicious", "spam", "malicious"]


class Classification(NamedTuple):
    """All None for what the inbox itself sent; ``spam_score`` also where no filter wrote one."""

    auto_replyable: bool | None = None
    category: Category | None = None
    verdict: Verdict | None = None
    spam_score: float | None = None


def classify(message: MessageItem | MessageFacts, labels: Collection[str], own: str) -> Classification:
    """The classification of a message with these labels, in the inbox whose address is ``own``.

    An agent may answer by itself what a person wrote to it and nothing speaks against: not a program, a list, a bounce
    or itself (RFC 3834 §2).
    """
    if message.direction != "inbound":
        return Classification()
    category, verdict = _category(message), _verdict(message, labels)
    sender = (
        message.from_.email if isinstance(message, MessageFacts) and message.from_ else message.from_email
    )
    answerable = category == "personal" and verdict == "clean" and (sender or own).lower() != own.lower()
    return Classification(answerable, category, verdict, message.traits.spam_score)


def _category(message: MessageItem | MessageFacts) -> Category:
    traits = message.traits
    if traits.category != "personal":
        return traits.category
    # what was indexed before there were categories
    return "marketing" if traits.bulk else "automated" if message.auto_submitted else "personal"


def _verdict(message: MessageItem | MessageFacts, labels: Collection[str]) -> Verdict:
    if message.traits.malware:
        return "malicious"
    if message.traits.spam or "spam" in labels:
        return "spam"
    return "suspicious" if "unauthenticated" in labels else "clean"
