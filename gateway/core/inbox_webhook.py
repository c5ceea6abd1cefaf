"""An inbox's own webhook URL: it takes the inbox's events in place of the account's (contract §8).

Clearing it (None or "") lets the account's webhook have them again and drops what waited for the old URL. The secret
is made with the first URL ever and stays through changing, clearing and setting the URL again; see
``single_webhook``.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core import single_webhook
from gateway.core.context import Core
from gateway.core.single_webhook import DIALECT, Owner, checked_url
from gateway.store.engine import Row, Tx

__all__ = ["checked_url", "owner_of", "set_url", "url_of", "urls_of"]

_MARKS = 500


def owner_of(inbox: Row) -> Owner:
    """The owner of an inbox row's webhook."""
    return Owner(inbox["organization_id"], inbox["id"], inbox["created_at"])


def set_url(tx: Tx, core: Core, inbox: Row, url: str | None) -> str | None:
    """Set or clear (None or "") the URL of an inbox row; answers the secret when one was made, to be shown now or
    never.

    Raises Invalid ``invalid_webhook_url``. Call :func:`checked_url` before the transaction too: it also refuses
    names that lead to forbidden addresses.
    """
    return single_webhook.put(tx, core, owner_of(inbox), url)


def url_of(tx: Tx, inbox_id: str) -> str | None:
    """The inbox's own URL, or None."""
    return urls_of(tx, [inbox_id]).get(inbox_id)


def urls_of(tx: Tx, inbox_ids: Iterable[str]) -> dict[str, str]:
    """The own URLs of those of ``inbox_ids`` (ULIDs) that have one."""
    ids, urls = list(inbox_ids), dict[str, str]()
    for at in range(0, len(ids), _MARKS):
        some = ids[at : at + _MARKS]
        marks = ", ".join("?" * len(some))
        for row in tx.rows(
            f"SELECT inbox_id, url FROM webhook WHERE dialect = ? AND enabled = 1 AND inbox_id IN ({marks})",  # noqa: S608
            DIALECT,
            *some,
        ):
            urls[row["inbox_id"]] = row["url"]
    return urls
