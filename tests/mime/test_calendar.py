"""Invitations: their events as values, and the answer to them."""

from __future__ import annotations

from email import message_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mime.calendar.answer import answer_calendar
from gateway.mime.calendar.events import CalendarText, read_calendars
from gateway.mime.compose import compose
from gateway.mime.parse import parse
from gateway.mime.types import Address, Attendee, CalendarEvent, OutgoingAttachment, OutgoingMessage

BERLIN = """BEGIN:VTIMEZONE
TZID:Our zone
BEGIN:DAYLIGHT
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
END:VTIMEZONE
"""


def _calendar(*lines: str, method: str = "METHOD:REQUEST\n", before: str = "") -> str:
    inner = "\n".join(lines)
    return (
        f"BEGIN:VCALENDAR\n{method}{before}BEGIN:VEVENT\nUID:u@x.test\n{inner}\nEND:VEVENT\nEND:VCALENDAR\n"
    )


def _read(*lines: str, before: str = "") -> CalendarEvent:
    [event] = read_calendars([CalendarText("1", _calendar(*lines, before=before), None)]).events
    return event


def _mail(calendar: str, kind: str = "text/calendar; method=REQUEST; charset=utf-8") -> bytes:
    part = (
        f"--b\r\nContent-Type: text/plain\r\n\r\nCome.\r\n--b\r\nContent-Type: {kind}\r\n\r\n{calendar}\r\n"
    )
    head = "From: a@b.c\r\nSubject: x\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
    return (head + part + "--b--\r\n").encode()


def test_an_invitation_is_read_from_a_mail() -> None:
    calendar = _calendar(
        "SEQUENCE:2",
        "DTSTART;TZID=Our zone:20260203T100000",
        "DTEND;TZID=Our zone:20260203T113000",
        "SUMMARY:Plans\\, and more",
        "LOCATION:Room 1\\nfirst floor",
        "DESCRIPTION:A line that is",
        "  folded\\nand another",
        "STATUS:CONFIRMED",
        "RRULE:FREQ=WEEKLY;COUNT=3",
        'ORGANIZER;CN="Ann, of Acme":mailto:ann@x.test',
        "ATTENDEE;ROLE=OPT-PARTICIPANT;PARTSTAT=ACCEPTED;CN=Bob:MAILTO:bob@x.test",
        "ATTENDEE;RSVP=TRUE:mailto:eve%2Btag@x.test",
        before=BERLIN,
    )
    got = parse(_mail(calendar))
    assert (got.defects, got.text, len(got.attachments)) == ([], "Come.", 1)
    assert got.traits.calendar == [
        CalendarEvent(
            part="2",
            method="request",
            uid="u@x.test",
            sequence=2,
            start="2026-02-03T09:00:00Z",
            end="2026-02-03T10:30:00Z",
            timezone="Our zone",
            recurrence="FREQ=WEEKLY;COUNT=3",
            summary="Plans, and more",
            location="Room 1 first floor",
            description="A line that is folded\nand another",
            status="confirmed",
            organizer=Address("Ann, of Acme", "ann@x.test"),
            attendees=[
                Attendee(
                    name="Bob", email="bob@x.test", role="opt-participant", status="accepted", rsvp=False
                ),
                Attendee(
                    name="", email="eve+tag@x.test", role="req-participant", status="needs-action", rsvp=True
                ),
            ],
        )
    ]


@pytest.mark.parametrize(
    ("lines", "start", "end"),
    [
        (["DTSTART:20260203T100000Z", "DTEND:20260203T110000Z"], "2026-02-03T10:00:00Z", "2026-02-03T11:00:00Z"),
        (["DTSTART;VALUE=DATE:20260203"], "2026-02-03", "2026-02-04"),
        (["DTSTART;VALUE=DATE:20260203", "DURATION:P2D"], "2026-02-03", "2026-02-05"),
        (["DTSTART:20260203T100000", "DURATION:PT1H30M"], "2026-02-03T10:00:00", "2026-02-03T11:30:00"),
        (["DTSTART:20260203T100000Z"], "2026-02-03T10:00:00Z", "2026-02-03T10:00:00Z"),
        (["DTSTART;TZID=Europe/Berlin:20260703T100000"], "2026-07-03T08:00:00Z", "2026-07-03T08:00:00Z"),
        (["DTSTART;TZID=/a.test/2/Europe/Berlin:20260103T100000"], "2026-01-03T09:00:00Z", "2026-01-03T09:00:00Z"),
        (["DTSTART;TZID=Our zone:20260703T100000"], "2026-07-03T08:00:00Z", "2026-07-03T08:00:00Z"),
        # a day over the beginning of summer time has 23 hours; 24 hours are 24 hours
        (
            ["DTSTART;TZID=Our zone:20260328T120000", "DURATION:P1D"],
            "2026-03-28T11:00:00Z",
            "2026-03-29T10:00:00Z",
        ),
        (
            ["DTSTART;TZID=Our zone:20260328T120000", "DURATION:PT24H"],
            "2026-03-28T11:00:00Z",
            "2026-03-29T11:00:00Z",
        ),
        # the hour that is left out, and the one that comes twice (RFC 5545 §3.3.5)
        (["DTSTART;TZID=Our zone:20260329T023000"], "2026-03-29T01:30:00Z", "2026-03-29T01:30:00Z"),
        (["DTSTART;TZID=Our zone:20261025T023000"], "2026-10-25T00:30:00Z", "2026-10-25T00:30:00Z"),
        (["DTSTART;TZID=Nowhere:20260203T100000"], "2026-02-03T10:00:00", "2026-02-03T10:00:00"),
        (["DTSTART:20260231T100000Z"], None, None),
        (["DTSTART:99991231T235959Z", "DURATION:P9999W"], "9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        (["DTSTART;TZID=Our zone:00010101T000000"], "0001-01-01T00:00:00", "0001-01-01T00:00:00"),
    ],
)  # fmt: skip
def test_times(lines: list[str], start: str | None, end: str | None) -> None:
    event = _read(*lines, before=BERLIN)
    assert (event.start, event.end) == (start, end)


@pytest.mark.parametrize(
    "line",
    ["ORGANIZER;CN=Acme: Sales:mailto:ann@x.test", "organizer;SENT-BY=\"mailto:b@x.test\":ann@x.test",
     "ORGANIZER;EMAIL=ann@x.test:urn:uuid:1", "ORGANIZER:MAILTO:<ann@x.test>", "ORGANIZER:mailto:ann@x.test?subject=x"],
)  # fmt: skip
def test_an_organizer_is_found_however_it_is_written(line: str) -> None:
    organizer = _read("DTSTART:20260203T100000Z", line).organizer
    assert organizer is not None
    assert organizer.email == "ann@x.test"


@pytest.mark.parametrize(
    "value", ["mailto:", "invalid:nomail", "mailto:a b@x.test", "mailto:a%0d%0aBcc:%20b@x.test"]
)
def test_what_is_no_address_is_none(value: str) -> None:
    event = _read("DTSTART:20260203T100000Z", f"ORGANIZER:{value}", f"ATTENDEE:{value}")
    assert (event.organizer, event.attendees) == (None, [])


def test_the_same_event_in_two_parts_is_listed_once_and_the_part_names_the_method() -> None:
    calendar = _calendar("DTSTART:20260203T100000Z", method="")
    again = "--b\r\nContent-Type: application/octet-stream; name=invite.ics\r\n\r\n" + calendar
    raw = _mail(calendar).replace(b"--b--", again.encode() + b"\r\n--b--")
    [event] = parse(raw).traits.calendar
    assert (event.method, event.part) == ("request", "2")


def test_a_broken_calendar_is_a_defect_and_the_mail_is_read() -> None:
    got = parse(_mail("BEGIN:NOTHING\r\nx"))
    assert got.text == "Come."
    assert got.traits.calendar == []
    assert got.defects == ["part 2: no calendar could be read"]


def test_more_than_is_listed_is_said() -> None:
    many = "".join(f"BEGIN:VEVENT\nUID:{n}\nDTSTART:20260203\nEND:VEVENT\n" for n in range(30))
    got = read_calendars([CalendarText("1", f"BEGIN:VCALENDAR\n{many}END:VCALENDAR", None)])
    assert (len(got.events), got.defects) == (20, ["part 1: 20 calendar events are listed, it has more"])
    people = "".join(f"ATTENDEE:mailto:a{n}@x.test\n" for n in range(300))
    got = read_calendars([CalendarText("1", _calendar("DTSTART:20260203", people), None)])
    assert (len(got.events[0].attendees), got.defects) == (200, ["part 1: 200 attendees are listed"])


HOSTILE = {
    "line breaks": "\n" * 250_000,
    "folds": "\n " * 125_000,
    "parameters": "A" + ";A=b" * 60_000,
    "nesting": "BEGIN:VEVENT\n" * 19_000,
    "escapes": _calendar("SUMMARY:" + "\\n" * 120_000),
    "zones": "BEGIN:VCALENDAR\n"
    + "BEGIN:VTIMEZONE\nTZID:X\n"
    + BERLIN.partition("zone\n")[2].replace("END:VTIMEZONE\n", "") * 700
    + "END:VTIMEZONE\n"
    + "".join(f"BEGIN:VEVENT\nUID:{n}\nDTSTART;TZID=X:20260101T000000\nEND:VEVENT\n" for n in range(60)),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_calendar_made_to_take_long_is_read_within_the_time_of_a_test(text: str) -> None:
    assert len(read_calendars([CalendarText("1", text, None)]).events) <= 20


FRAGMENTS = st.sampled_from(
    ["BEGIN:VCALENDAR\n", "BEGIN:VEVENT\n", "END:VEVENT\n", "BEGIN:VTIMEZONE\n", "TZID:X\n", "BEGIN:STANDARD\n", "\n ",
     ":", "DTSTART;TZID=X:", "20260203T100000", "DTSTART:00010101T000000\n", "TZOFFSETFROM:-2359\n",
     "TZOFFSETTO:+2359\n",
     "RRULE:FREQ=YEARLY;BYDAY=-9SU;BYMONTH=2;UNTIL=00010101\n", "RDATE:99991231T235959\n", "DURATION:P9W\n", "UID:1\n",
     "ATTENDEE;CN=\"", "mailto:a@b.c\n", "END:STANDARD\n", "END:VTIMEZONE\n", "\\", "\x00", "\ud800", "^n"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(FRAGMENTS, st.text(max_size=5)), max_size=60).map("".join))
def test_any_text_is_read_without_an_error(text: str) -> None:
    for event in read_calendars([CalendarText("1", text, None)]).events:
        organizer = event.organizer.email if event.organizer else ""
        for email in (organizer, *(one.email for one in event.attendees)):
            assert not set(email) & set("\r\n\0 <>")


def test_an_answer_is_what_was_asked_and_reads_back() -> None:
    event = _read(
        "SEQUENCE:3",
        "DTSTART:20260203T100000Z",
        "DTEND:20260203T110000Z",
        "RECURRENCE-ID:20260203T100000Z",
        "SUMMARY:" + "ö" * 60 + "\\, x",
        'ORGANIZER;CN="Ann ^n\'s":mailto:ann@x.test',
        "ATTENDEE:mailto:me@x.test",
    )
    me = Address('M"e; \r\nX:1', "me@x.test")
    octets = answer_calendar(event, me, "tentative", at=1_770_000_000_000_000, comment="Maybe;\nor not")
    assert all(len(line) <= 75 for line in octets.split(b"\r\n"))
    text = octets.decode()
    assert "\nX:1" not in text
    unfolded = text.replace("\r\n ", "").split("\r\n")
    assert {"METHOD:REPLY", "UID:u@x.test", "SEQUENCE:3", "RECURRENCE-ID:20260203T100000Z"} <= set(unfolded)
    assert "COMMENT:Maybe\\;\\nor not" in unfolded
    [answer] = read_calendars([CalendarText("1", text, None)]).events
    assert (answer.method, answer.uid, answer.start, answer.summary) == (
        "reply", event.uid, event.start, event.summary,
    )  # fmt: skip
    assert [(one.email, one.status) for one in answer.attendees] == [("me@x.test", "tentative")]
    assert (answer.organizer or me).email == "ann@x.test"


def test_an_answer_is_another_form_of_the_text_in_the_mail() -> None:
    calendar = OutgoingAttachment(
        filename="reply.ics",
        content_type="text/calendar; charset=UTF-8; method=REPLY",
        content=b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        alternative=True,
    )
    message = OutgoingMessage(
        message_id="<1@x.test>", sender=Address("", "me@x.test"), to=[Address("", "ann@x.test")], cc=[], reply_to=[],
        subject="Accepted: Plans", text="Accepted", html=None, attachments=[calendar], headers={}, in_reply_to=None,
        references=[], date=0,
    )  # fmt: skip
    read = message_from_bytes(compose(message))
    assert read.get_content_type() == "multipart/alternative"
    plain, other = (part for part in read.walk() if not part.is_multipart())
    assert (plain.get_content_type(), other.get_content_type()) == ("text/plain", "text/calendar")
    assert (other.get_param("method"), other.get("Content-Disposition")) == ("REPLY", None)
    assert other.get_payload(decode=True) == calendar.content
