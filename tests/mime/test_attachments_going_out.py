"""What an attachment is written as: its type with its parameters, a message inside the message, odd Content-IDs."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage

import dkim
import pytest

from gateway.mime.attachment_content import attachment_content
from gateway.mime.attachments import outgoing as sent_on
from gateway.mime.compose import compose
from gateway.mime.content_ids import clean_content_ids
from gateway.mime.dkim_sign import generate_key, sign
from gateway.mime.media_type import media_type
from gateway.mime.parse import parse
from gateway.mime.types import OutgoingAttachment
from tests.mime.test_compose import check_wire, outgoing

INNER = "From: i@x.test\r\nTo: j@x.test\r\nSubject: Inside\r\n\r\n"


def file(content: bytes, kind: str, name: str = "a", **more: object) -> OutgoingAttachment:
    return OutgoingAttachment(filename=name, content_type=kind, content=content, **more)  # type: ignore[arg-type]


def parts(raw: bytes) -> list[EmailMessage]:
    return list(message_from_bytes(raw, policy=policy.default).iter_attachments())


@pytest.mark.parametrize(
    "parameters",
    [
        {"method": "REQUEST", "charset": "utf-8"},
        {"charset": "iso-8859-1", "format": "flowed", "delsp": "yes"},
        {"x-note": 'says "a;b" \\ c', "x.y_z": "ü"},
        {},
    ],
)
def test_a_type_is_the_same_after_it_was_sent_and_sent_on(parameters: dict[str, str]) -> None:
    kind = media_type("text/calendar")._replace(parameters=parameters)
    assert media_type(str(kind)) == kind
    raw = compose(outgoing(attachments=[file(b"BEGIN", str(kind))]))
    for _ in range(3):
        [seen] = parse(raw).attachments
        assert (seen.content_type, seen.parameters) == (kind.name, parameters)
        content = attachment_content(raw, seen.id)
        assert content is not None
        raw = compose(outgoing(attachments=[sent_on(content.attachment, "a", content.data)]))


@pytest.mark.parametrize(
    "text",
    [
        "text/plain; x=a\r\nBcc: b@x.test",
        "text/plain; name=n; boundary=b",
        "text/plain; x=" + "a" * 400,
        "text/plain;;",
    ],
)
def test_parameters_that_describe_nothing_or_cannot_be_written_are_left_out(text: str) -> None:
    assert media_type(text) == ("text/plain", {})


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (INNER + "inside text\r\n", "7bit"),
        (INNER + "no line end", "7bit"),
        (INNER + "Grüße, 8 bit\r\n", "8bit"),
        (INNER.replace("\r\n", "\n") + "line ends of Unix\n", "7bit"),
    ],
)
def test_a_message_inside_stays_one_and_is_never_encoded(content: str, encoding: str) -> None:
    raw = compose(outgoing(attachments=[file(content.encode(), "message/rfc822", "mail.eml")]))
    [part] = parts(raw)
    assert part.get_content_type() == "message/rfc822"
    assert part["content-transfer-encoding"] == encoding
    outer = message_from_bytes(raw)
    assert outer["content-transfer-encoding"] == ("8bit" if encoding == "8bit" else None)  # RFC 2045 §6.4
    [seen] = parse(raw).attachments
    assert (seen.filename, seen.content_type) == ("mail.eml", "message/rfc822")
    found = attachment_content(raw, seen.id)
    assert found is not None
    assert found.data == content.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def test_a_message_with_messages_inside_is_signed_and_reads_the_same() -> None:
    inner = compose(outgoing(attachments=[file((INNER + "ü\r\n").encode(), "message/rfc822")]))
    raw = compose(
        outgoing(html="<p>x</p>", attachments=[file(inner, "message/rfc822; x=y"), file(b"%", "a/b")])
    )
    private_key, record = generate_key()
    signed = sign(raw, domain="h.test", selector="s", private_key=private_key)
    assert dkim.verify(signed, dnsfunc=lambda name, timeout=5: record.encode())
    first, second = parse(signed).attachments
    assert [first.content_type, second.content_type] == ["message/rfc822", "a/b"]
    found = attachment_content(signed, first.id)
    assert found is not None
    assert found.data == inner


@pytest.mark.parametrize(
    "content",
    [b"", b"a\0b", b"lone \r return", b"x" * 999, INNER.encode() + b"\xe4" * 999],
    ids=["nothing", "nul", "cr", "long", "long 8bit"],
)
def test_octets_that_mail_cannot_carry_as_they_are_arrive_unharmed_under_another_type(content: bytes) -> None:
    raw = compose(outgoing(attachments=[file(content, "message/rfc822", "mail.eml")]))
    check_wire(raw)
    [seen] = parse(raw).attachments
    assert (seen.filename, seen.content_type) == ("mail.eml", "application/octet-stream")
    found = attachment_content(raw, seen.id)
    assert found is not None
    assert found.data == content


def test_a_report_inside_is_not_encoded_either_and_a_multipart_only_keeps_its_octets() -> None:
    report = b"Reporting-MTA: dns; x.test\r\n\r\nFinal-Recipient: rfc822; a@x.test\r\n"
    raw = compose(
        outgoing(
            attachments=[file(report, "message/delivery-status"), file(b"--b", "multipart/mixed; boundary=b")]
        )
    )
    assert report in raw
    assert [one.get_content_type() for one in parts(raw)] == [
        "message/delivery-status",
        "application/octet-stream",
    ]


@pytest.mark.parametrize(
    ("odd", "written"),
    [
        ("image 1.png@01D8", "cid:image%201.png@01D8"),
        ("image 1.png@01D8", "cid:image 1.png@01D8"),
        ("ü@x", "cid:ü@x"),
        ("ü@x", "CID:%C3%BC@x"),
        ("a<b", "cid:a&lt;b"),
    ],
)
def test_an_odd_content_id_gets_another_and_the_html_shows_its_picture_still(odd: str, written: str) -> None:
    html = f"<img src=\"{written}\"><img src='cid:good@x'><p>cid:unknown</p>"
    items = [
        file(b"1", "image/png", content_id=odd, inline=True),
        file(b"2", "image/png", content_id="good@x", inline=True),
    ]
    seen = parse(compose(outgoing(html=html, attachments=items)))
    [new, good] = [one.content_id for one in seen.attachments]
    assert good == "good@x"
    assert new is not None
    assert new != odd
    assert seen.html is not None
    assert seen.html.strip() == html.replace(written, f"{written[:4]}{new}")


def test_an_attribute_without_quotation_marks_is_changed_too() -> None:
    _, html = clean_content_ids([file(b"", "image/png", content_id="ü@x")], "<img src=cid:ü@x width=5>")
    assert html == "<img src=cid:@x width=5>"


def test_ids_that_become_the_same_are_told_apart_and_what_holds_nothing_goes() -> None:
    items = [file(b"", "a/b", content_id=one) for one in ("a b", "a_b", "a  b", "<a\tb>", "<>", "ü", "<x@y>")]
    kept, html = clean_content_ids(items, None)
    assert [one.content_id for one in kept] == ["2.a_b", "a_b", "3.a_b", "4.a_b", None, None, "x@y"]
    assert html is None


def test_hostile_html_is_changed_in_linear_time() -> None:
    html = "cid:" * 500_000
    items = [file(b"", "a/b", content_id=f"ü {n}") for n in range(250)]
    assert clean_content_ids(items, html)[1] == html
