"""What kind of mail a message is, from its header block and the report that it may hold."""

from __future__ import annotations

from gateway.mime.automatic import is_automatic, is_programs_address
from gateway.mime.headers import Head
from gateway.mime.types import Category, Report

_MARKETING = frozenset({"list-unsubscribe", "list-unsubscribe-post", "list-id"})


def category_of(head: Head, sender: str | None, report: Report | None) -> Category:
    """The category of a message from ``sender``.

    ``bounce``: a delivery failed or is late. ``list``: from a mailing list that can be written to (RFC 2369 §3.4).
    ``marketing``: a mailing that one can be taken off. ``automated``: a program wrote it. ``personal``: the rest.
    """
    if report is not None and report.kind == "dsn":
        failed = any(one.action in ("failed", "delayed") for one in report.recipients)
        return "bounce" if failed else "automated"
    local = (sender or "").rpartition("@")[0].lower()
    if local == "mailer-daemon" and is_automatic(head):
        return "bounce"
    names = {name.lower() for name, _ in head.fields}
    if "list-post" in names and head.text("list-post").strip().lower() != "no":
        return "list"
    if not names.isdisjoint(_MARKETING):
        return "marketing"
    if report is not None or is_automatic(head) or is_programs_address(sender or ""):
        return "automated"
    return "personal"
