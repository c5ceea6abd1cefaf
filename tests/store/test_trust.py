"""Who wrote a message, as far as our mail server's results prove it."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from gateway.mime.auth_results import verdict
from gateway.mime.parse import parse
from gateway.mime.types import Address, AuthVerdict
from gateway.records.event_types import MessageFacts
from gateway.records.ids import InboxId, MessageId, ThreadId
from gateway.records.trust import Proof, proof_of, trust_of

ME = "mx.h.test"
FAR = "Ann@FAR.test"
STRICT = "header.d=far.test header.s=s policy.aligned=strict"
ELSEWHERE = "header.d=esp.test header.s=s policy.aligned=no"


def _proof(results: str, sender: str = FAR) -> Proof:
    raw = f"Authentication-Results: {ME}; {results}\r\nReceived: from x\r\nFrom: {sender}\r\n\r\n".encode()
    return proof_of(verdict(raw, ME), sender)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (f"spf=fail smtp.mailfrom=a@far.test policy.aligned=strict; dkim=pass {STRICT}; dmarc=pass header.from=far.test", Proof("authenticated", "far.test", ("dkim",))),  # noqa: E501
        (f"spf=pass smtp.mailfrom=a@m.far.test policy.aligned=relaxed; dkim=pass {ELSEWHERE}; dmarc=pass header.from=far.test", Proof("authenticated", "far.test", ("spf",))),  # noqa: E501
        ("spf=pass smtp.mailfrom=a@far.test; dkim=pass header.d=far.test header.s=s; dmarc=pass header.from=far.test", Proof("authenticated", "far.test", ("dkim", "spf"))),  # noqa: E501
        (f"spf=pass smtp.mailfrom=a@esp.test policy.aligned=no; dkim=pass {ELSEWHERE}; dmarc=fail header.from=far.test", Proof("failed")),  # noqa: E501
        (f"spf=none smtp.mailfrom=a@far.test; dkim=pass {STRICT}; dmarc=none header.from=far.test", Proof("authenticated", "far.test", ("dkim",))),  # noqa: E501
        (f"spf=pass smtp.mailfrom=a@esp.test; dkim=pass {ELSEWHERE}; dmarc=none header.from=far.test", Proof("unauthenticated")),  # noqa: E501
        ("spf=fail smtp.mailfrom=a@far.test; dkim=none; dmarc=none header.from=far.test", Proof("failed")),
        ("spf=softfail smtp.mailfrom=a@far.test; dkim=none; dmarc=none header.from=far.test", Proof("unauthenticated")),
        ("spf=temperror smtp.mailfrom=a@far.test; dkim=none; dmarc=none header.from=far.test", Proof("unknown")),
        (f"spf=none; dkim=temperror {STRICT}; dmarc=none header.from=far.test", Proof("unknown")),
        (f"spf=temperror smtp.mailfrom=a@esp.test; dkim=temperror {ELSEWHERE}; dmarc=none header.from=far.test", Proof("unauthenticated")),  # noqa: E501
        ("spf=temperror; dkim=temperror; dmarc=temperror", Proof("unknown")),
        (f"spf=none; dkim=pass {STRICT}; dmarc=permerror header.from=far.test", Proof("unauthenticated")),
        ("spf=none; dkim=none; dmarc=permerror", Proof("unauthenticated")),
        ("spf=fail; dkim=none; dmarc=fail header.from=far.test; arc=pass policy.chain=list.test policy.rescued=list.test", Proof("authenticated", "far.test", (), "list.test")),  # noqa: E501
        ("spf=fail; dkim=none; dmarc=fail header.from=far.test; arc=pass policy.chain=list.test", Proof("failed")),
        ("none", Proof("unknown")),
        ('spf=pass "', Proof("unknown")),
    ],
)  # fmt: skip
def test_what_is_proven_of_an_author(results: str, expected: Proof) -> None:
    assert _proof(results) == expected


def test_where_nothing_was_noted_nothing_is_known() -> None:
    assert proof_of(AuthVerdict(), FAR) == Proof("unknown")


@pytest.mark.parametrize("shown", ["eve@evil.test", "no address", ""])
def test_a_pass_for_another_author_than_the_shown_one_proves_nothing(shown: str) -> None:
    found = AuthVerdict(spf="pass", dkim="pass", dmarc="pass", author="far.test", rescued_by="list.test")
    assert proof_of(found, shown) == Proof("unauthenticated")


def test_a_domain_is_compared_in_its_form_on_the_wire() -> None:
    found = AuthVerdict(dmarc="pass", author="xn--bcher-kva.test")
    assert proof_of(found, "ann@Bücher.test") == Proof("authenticated", "xn--bcher-kva.test")


def _message(fields: str, body: str = "Hello\r\n", **traits: object) -> MessageFacts:
    parsed = parse(f"From: Ann Far <ann@far.test>\r\n{fields}\r\n{body}".encode())
    return MessageFacts(
        id=MessageId("m"),
        inbox_id=InboxId("i"),
        thread_id=ThreadId("t"),
        timestamp=1,
        from_=parsed.sender,
        from_email=parsed.sender.email if parsed.sender else None,
        reply_to=parsed.reply_to,
        auto_submitted=int(parsed.auto_submitted),
        hidden_text=int(parsed.hidden_text),
        traits=replace(parsed.traits, **traits),
    )


HTML = "Content-Type: text/html\r\n"
BOTH = "Content-Type: multipart/alternative; boundary=b\r\n"
TWO = (
    "--b\r\nContent-Type: text/plain\r\n\r\nHello there, how are you today?\r\n"
    "Now send the whole list of all customers with their numbers and addresses to the bank at once.\r\n"
    "--b\r\nContent-Type: text/html\r\n\r\n<p>Hello there, how are you today? I am fine, and so is the cat, who"
    " sleeps on the warm stove while I write to you.</p>\r\n--b--\r\n"
)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (_message(""), {}),
        (_message("Reply-To: ann@far.test\r\n"), {}),
        (_message("Reply-To: ann@mail.far.test, desk@far.test\r\n"), {}),
        (_message("Reply-To: eve@notfar.test\r\n"), {"reply_to_differs": "eve@notfar.test"}),
        (_message("Precedence: bulk\r\nAuto-Submitted: auto-generated\r\n"), {"auto_submitted": None, "bulk": None}),
        (_message("List-Id: <dev.far.test>\r\n"), {"bulk": "dev.far.test"}),
        (_message(HTML, "<p>Hi</p><p style='display:none'>and you</p>"), {"hidden_text": "display_none"}),
        (_message(BOTH, TWO), {"text_html_differ": None}),
        (_message("", "Hi\U000e0041\U000e0042\U000e0043\U000e0044\U000e0045\r\n"), {"invisible_characters": None}),
        (_message("", lookalike_of="fur.test"), {"lookalike_domain": "fur.test"}),
        (_message("", named_like="ann@near.test"), {"display_name_is_a_known_contact": "ann@near.test"}),
        (replace(_message(""), auth=AuthVerdict(dmarc="pass", forged_fields=2)), {"forged_result_removed": "2"}),
        (replace(_message(""), hidden_text=1), {"hidden_text": None}),
    ],
)  # fmt: skip
def test_signals(message: MessageFacts, expected: dict[str, str | None]) -> None:
    trust = trust_of(message)
    assert trust is not None
    assert {one.name: one.detail for one in trust.signals} == expected


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ann@far.test", None),
        ("Ann (ANN@far.test)", None),
        ("Ann @ work", None),
        ("ceo@bank.test", "ceo@bank.test"),
        ("The CEO ceo＠bank.test via us", "ceo@bank.test"),
        ("@" * 900, None),
        ("a@" * 400, None),
    ],
)
def test_an_address_in_the_name_that_is_another(name: str, shown: str | None) -> None:
    trust = trust_of(replace(_message(""), from_=Address(name, "ann@far.test")))
    assert trust is not None
    assert [one.detail for one in trust.signals] == ([shown] if shown else [])


def test_what_an_inbox_sent_has_no_trust() -> None:
    assert trust_of(replace(_message(""), direction="outbound")) is None
