"""Any text in any field: what is written reads back as that text, in exactly the fields that were set."""

from __future__ import annotations

import re
from email import message_from_bytes
from email.header import decode_header
from email.message import Message
from email.policy import compat32
from typing import Any, cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.mime.addresses import InvalidAddress
from gateway.mime.attachments import safe_filename
from gateway.mime.compose import bcc_field, compose
from gateway.mime.entity import check_entity, entity
from gateway.mime.header_rules import InvalidHeader
from gateway.mime.header_writer import Field, text_field
from gateway.mime.parse import parse
from gateway.mime.types import Address, OutgoingAttachment
from tests.mime.test_compose import check_wire, outgoing

WORD = "=?utf-8?q?=0d=0aX-Injected:_yes=0d=0a=0d=0aBODY?="
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=120)
PIECES = st.sampled_from(
    [
        "=?", "?=", "=?utf-8?q?", "=?utf-8?b?",
        "=0d=0a", "=0D=0AX-Injected:_yes", "DQpYOiB5", "?", "=", " ", "  ", "\t",
        WORD, "ü", "漢字", "😀", '"', "\\", "<", ">", ",", ";", ":", "(", ")", "@", ".", "'", "a",
        "x" * 90, "X-Injected: y",
    ]
)  # fmt: skip
HOSTILE = st.lists(PIECES, max_size=14).map("".join)
TEXT = st.one_of(ANY, HOSTILE)
FIELDS = ["Message-ID", "Date", "From", "To", "Cc", "Reply-To", "Subject", "In-Reply-To", "References"]


def read(value: str) -> str:
    """By the standard library's decoder of encoded words, which takes nothing apart that it has decoded."""
    return "".join(
        octets if isinstance(octets, str) else octets.decode(charset or "ascii")
        for octets, charset in decode_header(re.sub(r"\r\n(?=[ \t])", "", value))
    )


def same(found: str, given_text: str) -> bool:
    return found.split() == given_text.split()


def usable(text: str) -> bool:
    return not re.search(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]", text) and bool(text.strip())


@settings(max_examples=400, deadline=None)
@given(subject=TEXT, name=TEXT, value=TEXT, filename=TEXT, number=st.integers(0, 3))
@example(subject="?= =?", name="?= =?", value="?= =?", filename="?= =?", number=0)
@example(subject="0\t 0", name="0\t 0", value="0", filename="0\t 0", number=0)
@example(subject=WORD, name=WORD, value=WORD, filename=WORD, number=0)
@example(
    subject="x" * 80 + " " + WORD, name="a " + WORD, value="ü " + WORD + " ü", filename="ü" + WORD, number=1
)
def test_any_text_reads_back_in_exactly_the_fields_that_were_set(
    subject: str, name: str, value: str, filename: str, number: int
) -> None:
    subject = subject if usable(subject) else "s"
    value = value if usable(value) else "v"
    header = ["X-A", "X-" + "n" * 70, "Precedence", "Feedback-ID"][number]
    item = OutgoingAttachment(filename=filename, content_type="text/csv", content=b"a,b")
    raw = compose(
        outgoing(
            subject=subject,
            sender=Address(name, "agent@h.test"),
            to=[Address(name, "b@x.test"), Address("", "c@x.test"), Address(name, "d@x.test")],
            cc=[Address(name, "e@x.test")],
            reply_to=[Address(name, "f@x.test")],
            headers={header: value},
            in_reply_to="<a@b>",
            references=["<a@b>"],
            attachments=[item],
        )
    )
    check_wire(raw)
    mail: Message = message_from_bytes(raw, policy=compat32)
    assert list(mail.keys()) == [*FIELDS, header, "MIME-Version", "Content-Type"]
    assert mail.defects == []
    shown = " ".join(re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", name).split())
    assert same(read(mail["subject"]), subject)
    assert same(read(mail[header]), " ".join(value.split()))
    got = parse(raw)
    assert [one.email for one in (*got.to, *got.cc, *got.reply_to)] == [f"{one}@x.test" for one in "bcdef"]
    quoted = read(mail["from"]).removesuffix("<agent@h.test>" if shown else "agent@h.test").strip()
    if quoted[:1] == '"' and "=?utf-8?" not in mail["from"]:
        quoted = re.sub(r"\\(.)", r"\1", quoted[1:-1])
    assert same(quoted, shown)
    text, attached = cast(Any, mail.get_payload())
    assert list(text.keys()) == ["Content-Type", "Content-Transfer-Encoding"]
    assert list(attached.keys()) == ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"]
    [found] = got.attachments
    assert found.filename == (safe_filename(filename) or "attachment.csv")
    assert (got.text or "").strip() == "hello"


@settings(max_examples=200, deadline=None)
@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=300),
    st.sampled_from(["S", "Subject", "X" * 76]),
)
def test_encoded_words_and_lines_keep_their_lengths(text: str, name: str) -> None:
    octets = text_field(name, text + "ü").octets()
    for line in octets.split(b"\r\n"):
        assert len(line) <= 78 or b"=?" not in line
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?[bq]\?[^?]*\?=", octets))


@pytest.mark.parametrize("emoji", ["😀漢字" * 40, "Größe " * 40])
def test_no_encoded_word_is_longer_than_75(emoji: str) -> None:
    raw = compose(outgoing(subject=emoji, to=[Address(emoji.strip(), "b@x.test")]))
    words = re.findall(rb"=\?utf-8\?[bq]\?[^?]*\?=", raw)
    assert max(map(len, words)) <= 75
    assert parse(raw).subject == emoji.strip()
    assert parse(raw).to == [Address(emoji.strip(), "b@x.test")]


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"A: b\r\nX: y\r\n\r\nbody", "2 header fields instead of 1"),
        (b"X: y\r\nA: b\r\n\r\nbody", "X is in its place"),
        (b"A: b\nX: y\r\n\r\nbody", "control character"),
        (b"A: b\rX: y\r\n\r\nbody", "control character"),
        (b"A: b\r\n\r\nX: y\r\n\r\nbody", "body"),
        (b"A: b\r\n \r\n\r\nbody", "nothing to continue"),
        (b" A: b\r\n\r\nbody", "nothing to continue"),
        (b"A b\r\n\r\nbody", "no header field"),
        (b"A: c\r\n\r\nbody", "read as it was given"),
        (b"A: b" + b"x" * 998 + b"\r\n\r\nbody", "998"),
        (b"A: b\r\n\r\nbodx", "body"),
        (b"A: b\r\nbody", "no header field"),
        (b"A: \xc3\xbc\r\n\r\nbody", "control character"),
    ],
)
def test_what_is_not_as_it_was_set_is_refused(octets: bytes, words: str) -> None:
    fields = [Field("A", [" b"], "b")]
    check_entity(b"A: b\r\n\r\nbody", fields, b"body")
    with pytest.raises(InvalidHeader, match=words) as caught:
        check_entity(octets, fields, b"body")
    assert caught.value.field == "a"
    assert "nothing was sent" in caught.value.problem


def test_a_field_whose_pieces_break_out_is_not_written() -> None:
    with pytest.raises(InvalidHeader, match="subject"):
        entity([Field("Subject", [" a\r\nX-Injected: yes"], "a")], b"")


@pytest.mark.parametrize("local", [WORD.replace("_", "-").replace(":", ""), "=?utf-8?q?a?="])
def test_an_address_that_reads_as_an_encoded_word_is_refused(local: str) -> None:
    with pytest.raises(InvalidAddress, match="encoded word"):
        compose(outgoing(to=[Address("", f"{local}@x.test")]))


def test_a_url_without_room_on_a_line_is_refused_and_one_that_looks_encoded_is_encoded() -> None:
    with pytest.raises(InvalidHeader, match="900"):
        compose(outgoing(headers={"List-Unsubscribe": f"<https://h.test/{'u' * 950}>"}))
    raw = compose(outgoing(headers={"List-Unsubscribe": f"<https://h.test/{WORD}>"}))
    assert WORD.encode() not in raw
    assert parse(raw).headers["List-Unsubscribe"] == f"<https://h.test/{WORD}>"


def test_parameters_of_an_invitation_go_out_as_given() -> None:
    given_type = (
        'text/calendar; charset=utf-8; method=REQUEST; name="=?utf-8?q?=0d=0aX:_y?="; x-ü=1; boundary=b'
    )
    item = OutgoingAttachment(filename="invite.ics", content_type=given_type, content=b"BEGIN:VCALENDAR")
    mail = message_from_bytes(compose(outgoing(attachments=[item])))
    part = mail.get_payload()[1]  # type: ignore[index]
    assert part.get_params() == [("text/calendar", ""), ("charset", "utf-8"), ("method", "REQUEST")]


def test_a_parameter_that_looks_encoded_is_written_by_percent_signs() -> None:
    item = OutgoingAttachment(filename="a", content_type=f'text/csv; header="{WORD}"', content=b"a")
    raw = compose(outgoing(attachments=[item]))
    assert WORD.encode() not in raw
    assert b"header*0*=utf-8''%3D%3F" in raw


def test_bcc_is_written_with_names_and_in_an_emergency_without() -> None:
    people = [Address("Jürgen, Büro", "a@x.test"), Address('a"; b', "b@x.test"), Address("", "c@x.test")]
    raw = bcc_field(people) + compose(outgoing())
    assert parse(raw).bcc == people
    assert bcc_field([]) == b""
    many = [Address("ü" * 200, f"person{number}@x.test") for number in range(1000)]
    written = bcc_field(many)
    assert len(written) < 64 * 1024
    assert parse(written + b"\r\n").bcc == [Address("", one.email) for one in many]
    with pytest.raises(InvalidAddress):
        bcc_field([Address("", "a@x.test>\r\nX-Injected: yes")])


def test_a_long_token_of_plain_ascii_stays_as_it_is() -> None:
    token = "https://h.test/?" + "t" * 500
    names = ["n" * 300, f'"{"q" * 400}" (x)']
    raw = compose(
        outgoing(
            subject=f"Grüße {token}",
            to=[Address(name, "b@x.test") for name in names],
            headers={"X-Link": token},
        )
    )
    check_wire(raw)
    assert raw.count(token.encode()) == 2
    assert raw.count(b"=?utf-8?") == 1
    assert [one.name for one in parse(raw).to] == names
    assert parse(raw).subject == f"Grüße {token}"
