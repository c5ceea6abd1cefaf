"""What a message is beside its text: list and bulk mail, more attachments than are listed."""

from __future__ import annotations

import pytest

from gateway.mime.limits import DEFAULT_LIMITS
from gateway.mime.parse import minimal, parse
from gateway.mime.types import Traits


def _mail(*fields: str, body: str = "Hello\r\n") -> bytes:
    return "\r\n".join(["From: a@b.c", "Subject: x", *fields, "", body]).encode()


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("X-Nothing: list", Traits()),
        ("Precedence: first-class", Traits()),
        ("Precedence: Bulk", Traits(bulk=True, category="automated")),
        ("precedence: list ", Traits(bulk=True, category="automated")),
        ("List-Unsubscribe: <https://x.test/u>", Traits(bulk=True, category="marketing")),
        ("List-Post: <mailto:dev@x.test>", Traits(bulk=True, category="list")),
        ("List-Id: Developers <dev.x.test>", Traits(bulk=True, list_id="dev.x.test", category="marketing")),
        (
            "List-Id: =?utf-8?q?F=C3=BCr_alle?= <alle.x.test>",
            Traits(bulk=True, list_id="alle.x.test", category="marketing"),
        ),
        (
            'List-Id: "a <b> c" <dev.x.test> (a comment)',
            Traits(bulk=True, list_id="dev.x.test", category="marketing"),
        ),
        ("list-id: dev.x.test", Traits(bulk=True, list_id="dev.x.test", category="marketing")),
        ("List-Id: <>", Traits(bulk=True, category="marketing")),
        (f"List-Id: <{'x' * 300}>", Traits(bulk=True, category="marketing")),
    ],
)
def test_list_and_bulk_mail(field: str, expected: Traits) -> None:
    raw = _mail(field)
    assert parse(raw).traits == expected
    assert minimal(raw, DEFAULT_LIMITS, "no process lived").traits == expected


@pytest.mark.parametrize(("count", "unlisted"), [(250, 0), (253, 3)])
def test_attachments_that_are_not_listed_are_counted(count: int, unlisted: int) -> None:
    part = "--b\r\nContent-Type: image/png\r\n\r\nx\r\n"
    got = parse(_mail("Content-Type: multipart/mixed; boundary=b", body=part * count + "--b--\r\n"))
    assert (len(got.attachments), got.traits.unlisted_attachments) == (250, unlisted)
    assert bool(got.defects) == bool(unlisted)
