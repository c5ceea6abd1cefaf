"""Mail through a real Postfix and ``postern milter``."""

from __future__ import annotations

import asyncio
import base64
import signal
import smtplib

import dkim
import pytest

from gateway.mime.auth_results import verdict
from gateway.mime.dkim_sign import Signing, generate_key, sign
from mailserver.base import Envelope
from tests.milter.running_milter import ALICE, FAR, HOST, KEY, Post

pytestmark = [pytest.mark.anyio, pytest.mark.root, pytest.mark.timeout(170)]

FORGED = (
    b"Authentication-Results: mx.x.test; dmarc=pass header.from=far.test\r\n",
    b"Authentication-Results: other.test;\r\n\tdkim=pass header.d=far.test\r\n",
    b"authentication-results: (really) MX.X.test 1; dkim=pass\r\n",
)


def mail(subject: str, body: bytes = b"Hello.\r\n", sender: bytes = b"Eve <eve@far.test>") -> bytes:
    head = b"From: %s\r\nTo: alice@x.test\r\nSubject: %s\r\n" % (sender, subject.encode())
    date = b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%s@far.test>\r\n" % subject.encode()
    return head + date + b"\r\n" + body


def from_far(subject: str, body: bytes = b"Hello.\r\n", domain: str = "far.test") -> bytes:
    return sign(mail(subject, body, b"eve@" + domain.encode()), domain=domain, selector="s", private_key=FAR)


async def test_mail_from_the_world_is_checked_and_forged_results_are_gone(running: Post) -> None:
    bad = from_far("bad").replace(b"Hello", b"Hullo")
    foreign = mail("foreign", "Größe\r\n".encode(), "Ärger <e@far.test>".encode())
    forwarded = mail("forwarded", sender=b"eve@far.test")
    seen = b"Authentication-Results: list.test; dmarc=pass header.from=far.test\r\n"
    forwarded = (
        b"".join(dkim.arc_sign(seen + forwarded, b"s", b"list.test", FAR.encode(), b"list.test")) + forwarded
    )
    await running.receive(b"".join(FORGED) + from_far("good"), bad, foreign, forwarded)
    good, bad, unsigned, forwarded = await running.arrived("good", "bad", "foreign", "forwarded")
    found = verdict(forwarded, HOST)
    assert (found.dmarc, found.arc, found.rescued_by) == ("fail", "pass", "list.test"), forwarded
    found = verdict(good, HOST)
    assert (found.dkim, found.dmarc) == ("pass", "pass"), good
    assert b"Authentication-Results: mx.x.test;\r\n\tspf=" in good
    assert (found.forged_fields, b"Claimed" in good) == (2, False), good
    # of the sender's the two in our name are gone, the other is left
    assert good.lower().count(b"authentication-results:") == 2
    assert FORGED[1] in good
    # above all that the sender wrote: only there it is believed
    assert good.index(b"Authentication-Results: mx.x.test") < good.index(b"Received:")
    found = verdict(bad, HOST)
    assert (found.dkim, found.dmarc) == ("fail", "fail"), bad
    assert (verdict(unsigned, HOST).dkim, verdict(unsigned, HOST).dmarc) == ("none", "fail"), unsigned


async def test_what_a_person_hands_in_is_signed(running: Post) -> None:
    mine = mail("mine", b"Hi  \r\n\r\n\r\n", b"Alice <Alice@X.test>")
    await running.submit(mine, mail("tagged", sender=b"alice+tag@x.test"))
    for got in await running.arrived("mine", "tagged"):
        assert got.count(b"DKIM-Signature:") == 1, got
        assert b" d=x.test;" in got
        assert running.dkim(got)


async def test_people_write_in_their_own_name_only(running: Post) -> None:
    for stranger in (b"bob@x.test", b"eve@far.test", b"alice@x.test, bob@x.test"):
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await running.submit(mail("strange", sender=stranger))
        assert refused.value.smtp_code == 550
        assert b"From field must be alice@x.test" in refused.value.smtp_error
    with pytest.raises(smtplib.SMTPDataError):
        await running.submit(b"From: bob@x.test\r\n" + mail("twice", sender=b"alice@x.test"))


async def test_a_new_key_signs_at_once_and_without_one_nothing_is_sent(running: Post) -> None:
    private, public = generate_key(1024)
    running.names.zones[("next._domainkey.x.test", "TXT")] = [f'"{public}"']
    try:
        running.milter.keys.replace([Signing("x.test", "next", private)])
        await running.submit(mail("rotated", sender=b"alice@x.test"))
        (rotated,) = await running.arrived("rotated")
        assert b" s=next;" in rotated
        assert running.dkim(rotated)

        running.milter.keys.replace([])
        with pytest.raises(smtplib.SMTPDataError) as refused:
            await running.submit(mail("unsigned", sender=b"alice@x.test"))
        assert refused.value.smtp_code == 451
        assert "no key of x.test in" in running.milter.log
        await running.receive(mail("keyless"))
        (got,) = await running.arrived("keyless")
        assert b"Authentication-Results: mx.x.test" in got
    finally:
        running.milter.keys.replace([KEY])


async def test_the_gateways_own_mail_is_left_alone(running: Post) -> None:
    data = mail("own", sender=b"alice@x.test")
    envelope = Envelope(ALICE, (ALICE,), data, "t1", "<own@far.test>")
    (hop,) = running.server.plan([ALICE])
    answers = await running.server.transmit(hop, envelope)
    assert all(one.ok for one in answers.values()), answers
    (got,) = await running.arrived("own")
    assert (b"DKIM-Signature" in got, b"Authentication-Results" in got) == (False, False)


async def test_large_mail_and_many_on_a_connection(running: Post) -> None:
    body = base64.encodebytes(b"\xa5" * 15_000_000).replace(b"\n", b"\r\n")
    assert len(body) > 20_000_000
    await running.receive(from_far("large", body))
    names = [f"n{at}" for at in range(200)]
    await asyncio.gather(*(running.receive(*map(from_far, names[at::4])) for at in range(4)))
    found = await running.arrived("large", *names)
    assert [verdict(one, HOST).dkim for one in found] == ["pass"] * 201


async def test_mail_goes_on_when_the_milter_is_killed_in_the_middle(running: Post) -> None:
    running.names.silent = ("s._domainkey.dark.test",)
    waiting = asyncio.create_task(running.receive(b"".join(FORGED) + from_far("orphan", domain="dark.test")))
    async with asyncio.timeout(30):
        while ("s._domainkey.dark.test", "TXT") not in running.names.queries:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    running.milter.end(signal.SIGKILL)
    await waiting
    (got,) = await running.arrived("orphan")
    # what the sender wrote himself is not believed
    assert (verdict(got, HOST).dkim, verdict(got, HOST).dmarc) == ("none", "none"), got
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        await running.submit(mail("unsigned", sender=b"alice@x.test"))
    assert 400 <= refused.value.smtp_code < 500

    running.names.silent = ()
    running.milter.start()
    await running.receive(from_far("again"))
    (got,) = await running.arrived("again")
    assert verdict(got, HOST).dkim == "pass"


async def test_silent_name_servers_delay_mail_but_briefly(running: Post) -> None:
    running.names.silent = ("s._domainkey.mute.test", "mute.test", "_dmarc.mute.test")
    names = [f"silent{at}" for at in range(8)]
    try:
        async with asyncio.timeout(60):
            await asyncio.gather(*(running.receive(from_far(one, domain="mute.test")) for one in names))
    finally:
        running.names.silent = ()
    for got in await running.arrived(*names):
        assert verdict(got, HOST).dmarc == "temperror", got
