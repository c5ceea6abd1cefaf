"""The content of one attachment of a message."""

from __future__ import annotations

from typing import NamedTuple

from gateway.mime.attachments import attachment_id, describe
from gateway.mime.bodies import sort_leaves
from gateway.mime.headers import split_head
from gateway.mime.identity import message_identity
from gateway.mime.limits import DEFAULT_LIMITS, Limits
from gateway.mime.structure import read_tree
from gateway.mime.types import Attachment


class Content(NamedTuple):
    """Decoded octets of an attachment, and what they are."""

    data: bytes
    attachment: Attachment


def attachment_content(raw: bytes, wanted: str, limits: Limits = DEFAULT_LIMITS) -> Content | None:
    """Content of the attachment with id or IMAP section ``wanted`` in the whole message ``raw``; None if absent."""
    head = split_head(raw, limits)
    identity = message_identity(raw, head)
    for leaf in sort_leaves(read_tree(raw, head, limits).leaves).attached[: limits.attachments]:
        if wanted in (leaf.section, attachment_id(identity, leaf.section)):
            return Content(leaf.content(), describe(leaf, identity))
    return None
