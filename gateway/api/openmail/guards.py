"""What the keys that are minted at ``/v1`` may do (contract §7), in the core's permission names.

Which kinds of key an endpoint is for is declared beside it (``core.access``); at ``/v1`` that holds whatever dialect a
key was made in. The other way round, a pod's or inbox's key made here carries ``POD_KEY`` or ``INBOX_KEY`` as its
permissions, so that it can do no more in another dialect either.
"""

from __future__ import annotations

INBOX_KEY = (
    "inbox_read",
    "message_read",
    "message_send",
    "message_update",
    "draft_read",
    "draft_create",
    "draft_update",
    "draft_delete",
    "draft_send",
    "metrics_read",
    "policy_read",
)
"""What an inbox's key may do (core's permission names): read, mark, send, and count what was sent and received."""

POD_KEY = (*INBOX_KEY, "inbox_create", "inbox_webhook", "inbox_update", "pod_read")
"""What a pod's key may do. ``inbox_webhook`` is a new inbox's URL; changing one takes ``webhook_update``."""
