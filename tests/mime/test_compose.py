from __future__ import annotations

from email import message_from_bytes
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mime.attachment_content import attachment_content
from gateway.mime.compose import compose
from gateway.mime.header_rules import InvalidHeader, check_headers, check_subject
from gateway.mime.parse import parse
from gateway.mime.types import Address, OutgoingAttachment, OutgoingMessage


def outgoing(**changes: object) -> OutgoingMessage:
    fields: dict[str, Any] = {
        "message_id": "<msg_1@h.test>",
        "sender": Address("Agent", "agent@h.test"),
        "to": [Address("", "b@x.test")],
        "cc": [],
        "reply_to": [],
        "subject": "Hi",
        "text": "hello",
        "html": None,
        "attachments": [],
        "headers": {},
        "in_reply_to": None,
        "references": [],
        "date": 1795235881 * 1_000_000,
    }
    return OutgoingMessage(**{**fields, **changes})


def check_wire(raw: bytes) -> None:
    assert raw.isascii()
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Cf", "Cn"]), max_size=40)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)


@settings(max_examples=150, deadline=None)
@given(subject=NAMES, name=NAMES, text=TEXTS, filename=NAMES, data=st.binary(max_size=300))
def test_round_trip_in_any_script(subject: str, name: str, text: str, filename: str, data: bytes) -> None:
    item = OutgoingAttachment(filename=filename, content_type="application/x-y", content=data)
    ids = [f"<{'r' * 90}{i}@h.test>" for i in range(12)]
    raw = compose(
        outgoing(
            subject=subject,
            sender=Address(name, "agent@h.test"),
            text=text,
            attachments=[item],
            in_reply_to=ids[-1],
            references=ids,
        )
    )
    check_wire(raw)
    got = parse(raw)
    assert got.defects == []
    assert (got.message_id, got.in_reply_to, got.references) == ("<msg_1@h.test>", [ids[-1]], ids)
    assert got.sender is not None
    assert got.sender.email == "agent@h.test"
    assert got.date == 1795235881 * 1_000_000
    if "=?" not in subject:
        assert got.subject.split() == subject.split()
    [attachment] = got.attachments
    found = attachment_content(raw, attachment.id)
    assert found is not None
    assert found.data == data


@settings(max_examples=200, deadline=None)
@given(
    value=st.text(max_size=60),
    place=st.sampled_from(["subject", "name", "email", "header", "id", "cid", "filename"]),
)
def test_no_value_can_add_a_header(value: str, place: str) -> None:
    evil = f"x{value}\r\nBcc: evil@z.test\r\n\r\nbody"
    item = OutgoingAttachment(
        filename="a", content_type="a/b", content=b"x", content_id=evil if place == "cid" else None
    )
    changes: dict[str, dict[str, object]] = {
        "subject": {"subject": evil},
        "name": {"sender": Address(evil, "agent@h.test")},
        "email": {"to": [Address("", f"a@b.c{evil}")]},
        "header": {"headers": {"X-A": evil}},
        "id": {"references": [f"<{evil}>"]},
        "cid": {"attachments": [item]},
        "filename": {"attachments": [OutgoingAttachment(filename=evil, content_type=evil, content=b"x")]},
    }
    try:
        raw = compose(outgoing(**changes[place]))
    except ValueError:
        return
    check_wire(raw)
    mail = message_from_bytes(raw)
    assert "bcc" not in {name.lower() for part in mail.walk() for name in part}


def test_html_gets_a_text_part_and_inline_images_are_related() -> None:
    image = OutgoingAttachment(
        filename="i.png", content_type="image/png", content=b"png", content_id="<i1>", inline=True
    )
    raw = compose(outgoing(text=None, html="<p>Hello <b>you</b><img src='cid:i1'></p>", attachments=[image]))
    mail = message_from_bytes(raw)
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "multipart/related", "text/html", "image/png"]
    got = parse(raw)
    assert got.text is not None
    assert "Hello you" in got.text
    assert [(a.part, a.content_id, a.content_disposition) for a in got.attachments] == [
        ("2.2", "i1", "inline")
    ]


def test_attachments_come_after_the_alternative() -> None:
    item = OutgoingAttachment(filename="日本 ü.pdf", content_type="application/pdf", content=b"%PDF")
    got = parse(compose(outgoing(html="<p>x", attachments=[item, item])))
    assert [(a.part, a.filename) for a in got.attachments] == [("2", "日本 ü.pdf"), ("3", "日本 ü.pdf")]
    assert got.attachments[0].id != got.attachments[1].id


def test_idn_domain_becomes_a_labels_and_nobody_is_undisclosed() -> None:
    assert b"To: b@xn--bcher-kva.de\r\n" in compose(outgoing(to=[Address("", "b@bücher.de")]))
    assert b"undisclosed-recipients:;" in compose(outgoing(to=[]))


def test_a_local_part_that_is_no_dot_atom_goes_out_in_quotes() -> None:
    people = [Address("Eva", "eva..s.@x.test"), Address("", '"eva s"@x.test'), Address("", "eva.s@x.test")]
    raw = compose(outgoing(to=people))
    assert b'To: Eva <"eva..s."@x.test>, "eva s"@x.test, eva.s@x.test\r\n' in raw
    assert parse(raw).to == people


def test_identifiers_are_never_encoded() -> None:
    long = f"<{'a' * 300}@{'b' * 60}.test>"
    raw = compose(
        outgoing(
            message_id=long,
            in_reply_to=long,
            references=[long] * 30,
            headers={"List-Unsubscribe": f"<https://h.test/{'u' * 200}>"},
        )
    )
    check_wire(raw)
    assert b"=?" not in raw
    assert raw.count(long.encode()) == 32


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("From", "a@b.c"), ("bcc", "x@y.z"), ("Content-Type", "text/html"), ("DKIM-Signature", "x"), ("Received", "x"),
        ("Resent-To", "x"), ("Sender", "x@y.z"), ("X Y", "v"), ("X:Y", "v"), ("X-Ä", "v"), ("", "v"), ("X-A\r\nBcc", "v"),  # noqa: E501
        ("X-A", "v\r\nBcc: x"), ("X-A", "v\n"), ("X-A", "v\0"), ("X-A", "v\u2028"), ("X-A", "v" * 3000), ("X-A", " "),
        ("Authentication-Results", "x"), ("Return-Path", "<>"), ("MIME-Version", "2.0"), ("Message-ID", "<a@b>"),
    ],
)  # fmt: skip
def test_headers_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidHeader) as caught:
        check_headers({name: value})
    assert caught.value.field
    with pytest.raises(InvalidHeader):
        compose(outgoing(headers={name: value}))


def test_headers_allowed() -> None:
    given = {
        "X-Tag": "ä b",
        "List-Unsubscribe": "<https://h.test/u>",
        "Auto-Submitted": "auto-replied",
        "Precedence": "bulk",
    }
    raw = compose(outgoing(headers=given))
    got = parse(raw)
    assert {name: got.headers[name] for name in given} == given
    with pytest.raises(InvalidHeader, match="twice"):
        check_headers({"X-A": "1", "x-a": "2"})
    with pytest.raises(InvalidHeader, match="subject"):
        check_subject("a\nb")
