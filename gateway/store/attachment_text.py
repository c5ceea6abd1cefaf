"""The text of attachments beside the messages: written with the message, read with it, gone with it.

An attachment's id is a digest of its whole message (``mime.attachments.attachment_id``), so what was once read
holds for ever: a message that is moved, or indexed anew, is not read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.extract.types import Extracted
from gateway.mime.types import Attachment
from gateway.store.engine import Row, Tx
from gateway.store.json_columns import load

Facts = dict[str, Any]
_MANY = 500


def save_texts(
    tx: Tx, inbox_id: str, message_id: str, attachments: Iterable[Attachment], found: Mapping[str, Extracted]
) -> None:
    """Keep what was found in the attachments of a message; what is kept already stays as it is."""
    for one in attachments:
        extracted = found.get(one.id)
        if extracted is not None:
            row = {"inbox_id": inbox_id, "message_id": message_id, "attachment_id": one.id}
            tx.insert(
                "attachment_text", {**row, "method": extracted.method, "text": extracted.text}, ignore=True
            )


def known_texts(tx: Tx, inbox_id: str, attachment_ids: Sequence[str]) -> dict[str, Extracted]:
    """What an inbox has of these attachments, in whichever of its messages."""
    known = {}
    for start in range(0, len(attachment_ids), _MANY):
        some = attachment_ids[start : start + _MANY]
        marks = ", ".join("?" * len(some))
        for row in tx.rows(
            f"SELECT attachment_id, method, text FROM attachment_text "  # noqa: S608
            f"WHERE inbox_id = ? AND attachment_id IN ({marks})",
            inbox_id,
            *some,
        ):
            known[row["attachment_id"]] = Extracted(row["method"], row["text"])
    return known


def add_attachments(tx: Tx, rows: Sequence[Row]) -> None:
    """Give each message row its ``attachments``: the entries of ``attachments_json``, those that were read with
    ``extraction_method``, and ``parsed_text`` where there is text."""
    by_id: dict[str, dict[str, Facts]] = {}
    for row in rows:
        row["attachments"] = load(row["attachments_json"]) if row["attachments_json"] != "[]" else []
        if row["attachments"]:
            by_id[row["id"]] = {one["id"]: one for one in row["attachments"]}
    if not by_id:
        return
    marks = ", ".join("?" * len(by_id))
    for found in tx.rows(
        f"SELECT message_id, attachment_id, method, text FROM attachment_text WHERE message_id IN ({marks})",  # noqa: S608
        *by_id,
    ):
        facts = by_id[found["message_id"]].get(found["attachment_id"])
        if facts is not None:
            facts["extraction_method"] = found["method"]
            if found["text"] is not None:
                facts["parsed_text"] = found["text"]
