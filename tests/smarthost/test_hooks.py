"""What relays post becomes the events and suppressions that a report by mail makes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.core.errors import Invalid, NotFound, Unavailable
from gateway.core.sending.relay_events import NotTheirs
from gateway.net.client import Fetched
from gateway.net.errors import TimedOut
from tests.smarthost import webhooks
from tests.smarthost.relay import SECRET, Relay, relay
from tests.smarthost.test_names import BREVO_ID, SES, SES_ID
from tests.smarthost.webhooks import basic

pytestmark = pytest.mark.anyio
BOB = "bob@world.test"


async def post(relaying: Relay, name: str, news: Any, authorization: str | None = None) -> int:
    given = basic(SECRET) if authorization is None else authorization
    return await relaying.news.take(name, given, json.dumps(news).encode())


async def suppressed(relaying: Relay) -> list[tuple[str, str]]:
    rows = await relaying.running.rows("SELECT address, type FROM suppression ORDER BY id")
    return [(row["address"], row["type"]) for row in rows]


async def bounce_of(relaying: Relay, ulid: str) -> tuple[str, str, str]:
    (facts,) = [facts for kind, facts in await relaying.running.events(ulid) if kind == "message.bounced"]
    return facts["type"], facts["sub_type"], facts["recipients"][0]["status"]


def ours(ulid: str) -> str:
    return f"<msg_{ulid}@x.test>"


async def test_postmark(tmp_path: Path) -> None:
    async with relay(tmp_path, "postmark") as relaying:
        good, bad, full, spam = [await relaying.send() for _ in range(4)]

        def news(kind: str, ulid: str, **more: Any) -> dict[str, Any]:
            meta = {
                "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
                "Metadata": {"postern": ours(ulid)[1:-1]},
            }
            return {"RecordType": kind, **meta, "MessageStream": "outbound", **more}

        delivered = news("Delivery", good, Recipient=BOB, Details="250 2.0.0 OK")
        assert await post(relaying, "postmark", delivered) == 1
        assert await relaying.running.states(good) == {BOB: "delivered", "sent": "delivered"}
        count = len(await relaying.running.events())
        assert await post(relaying, "postmark", delivered) == 1  # told twice
        assert len(await relaying.running.events()) == count
        soft = {"Type": "SoftBounce", "Email": BOB, "Details": "smtp;552 5.2.2 mailbox full"}
        await post(relaying, "postmark", news("Bounce", full, **soft))
        assert await bounce_of(relaying, full) == ("Transient", "MailboxFull", "4.2.2")
        assert await suppressed(relaying) == []
        hard = {
            "Type": "HardBounce",
            "Email": BOB,
            "Details": "smtp;550 5.1.1 no such user",
            "Inactive": True,
        }
        await post(relaying, "postmark", news("Bounce", bad, **hard))
        assert await bounce_of(relaying, bad) == ("Permanent", "NoEmail", "5.1.1")
        assert await suppressed(relaying) == [(BOB, "bounce")]
        await post(relaying, "postmark", news("SpamComplaint", spam, Type="SpamComplaint", Email=BOB))
        assert "message.complained" in await relaying.kinds(spam)
        assert await suppressed(relaying) == [(BOB, "complaint")]
        # what is not news of a delivery, or of nothing we sent
        assert await post(relaying, "postmark", news("Open", good, Recipient=BOB)) == 0
        assert await post(relaying, "postmark", news("Delivery", "0" * 26, Recipient=BOB)) == 0


async def test_mailgun(tmp_path: Path) -> None:
    async with relay(tmp_path, "mailgun") as relaying:
        good, bad, late = [await relaying.send() for _ in range(3)]

        async def tell(ulid: str, stamp: int | None = None, secret: str = SECRET, **event: Any) -> int:
            return await post(relaying, "mailgun", webhooks.mailgun(secret, event, ours(ulid), stamp), "")

        await tell(good, event="delivered", **cast(Any, {"delivery-status": {"code": 250, "message": "OK"}}))
        assert (await relaying.running.states(good))[BOB] == "delivered"
        await tell(late, event="failed", severity="temporary", reason="generic")
        assert (await relaying.running.states(late))[BOB] == "sent"
        status = {"code": 550, "message": "5.1.1 The email account does not exist"}
        await tell(
            bad,
            event="failed",
            severity="permanent",
            reason="bounce",
            **cast(Any, {"delivery-status": status}),
        )
        assert await bounce_of(relaying, bad) == ("Permanent", "NoEmail", "5.1.1")
        with pytest.raises(NotTheirs):
            await tell(good, secret="another", event="delivered")
        with pytest.raises(NotTheirs):
            await tell(good, stamp=1_500_000_000, event="delivered")
        with pytest.raises(NotTheirs):
            await post(relaying, "mailgun", {"event-data": {"event": "delivered"}}, basic(SECRET))
        with pytest.raises(Invalid):
            await relaying.news.take("mailgun", "", b"{")


async def test_brevo(tmp_path: Path) -> None:
    async with relay(tmp_path, "brevo") as relaying:
        first, second, third = [await relaying.send() for _ in range(3)]

        def news(event: str, ulid: str, name: str = BREVO_ID, **more: Any) -> dict[str, Any]:
            custom = {"X-Mailin-custom": f"postern:{ours(ulid)[1:-1]}"} if ulid else {}
            return {"event": event, "email": BOB, "message-id": name, "ts_event": 1, **custom, **more}

        # the first news teach what Brevo calls the message, then its name alone is enough
        assert await post(relaying, "brevo", news("request", first)) == 1
        assert await relaying.receive(BREVO_ID) == await relaying.thread_of(first)
        assert await post(relaying, "brevo", news("delivered", "")) == 1
        assert (await relaying.running.states(first))[BOB] == "delivered"
        batch = [
            news("soft_bounce", second, "<b@mailin.fr>", reason="452 4.2.2 over quota"),
            news("spam", third, "<c@mailin.fr>"),
        ]
        assert await post(relaying, "brevo", batch) == 2
        assert await bounce_of(relaying, second) == ("Transient", "MailboxFull", "4.2.2")
        assert await suppressed(relaying) == [(BOB, "complaint")]


def amazon(relaying: Relay, fetched: list[str], *, fail: bool = False, days: int = 30) -> None:
    class Fetcher:
        async def fetch(self, url: str, *, max_bytes: int, timeout: float) -> Fetched:
            fetched.append(url)
            if fail:
                raise TimedOut("no answer")
            return Fetched(webhooks.sns_certificate(days), "application/x-pem-file", "a.pem")

    object.__setattr__(relaying.core, "fetcher", Fetcher())


async def test_amazon_ses(tmp_path: Path) -> None:
    async with relay(tmp_path, "ses", answer=f"Ok {SES}") as relaying:
        fetched: list[str] = []
        amazon(relaying, fetched)
        first = await relaying.send()
        assert await post(relaying, "ses", webhooks.sns("hello", "SubscriptionConfirmation")) == 0
        assert fetched[0] == webhooks.CERTIFICATE_URL
        assert fetched[1].startswith("https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&")
        # a notification tells no header fields unless asked: Amazon's name for it does
        body: dict[str, Any] = {
            "recipients": [BOB],
            "smtpResponse": "250 ok",
            "timestamp": "2026-11-21T10:00:01.000Z",
        }
        assert (
            await post(
                relaying,
                "ses",
                webhooks.sns(webhooks.ses("Delivery", body, id=SES, publishing=False), version="1"),
            )
            == 1
        )
        assert (await relaying.running.states(first))[BOB] == "delivered"
        assert len(fetched) == 2  # the certificate is kept

        cast(Any, relaying.core.mail).answer = ""
        second, third, fourth = [await relaying.send() for _ in range(3)]
        people = [{"emailAddress": BOB, "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 unknown user"}]
        body = {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": people,
        }
        other = SES.replace("0102", "0107")
        assert (
            await post(relaying, "ses", webhooks.sns(webhooks.ses("Bounce", body, ours(second), id=other)))
            == 1
        )
        assert await bounce_of(relaying, second) == ("Permanent", "NoEmail", "5.1.1")
        assert await relaying.receive(SES_ID.replace("0102", "0107")) == await relaying.thread_of(second)
        people = [{"emailAddress": BOB, "status": "5.2.2"}]
        body = {
            "bounceType": "Transient",
            "bounceSubType": "MailboxFull",
            "bouncedRecipients": people,
        }
        await post(relaying, "ses", webhooks.sns(webhooks.ses("Bounce", body, ours(third), id="x")))
        assert await bounce_of(relaying, third) == ("Transient", "MailboxFull", "4.2.2")
        body = {
            "complainedRecipients": [{"emailAddress": BOB}],
            "complaintFeedbackType": "abuse",
        }
        await post(relaying, "ses", webhooks.sns(webhooks.ses("Complaint", body, ours(fourth), id="y")))
        assert await suppressed(relaying) == [(BOB, "complaint")]


async def test_only_amazon_itself_is_believed(tmp_path: Path) -> None:
    async with relay(tmp_path, "ses") as relaying:
        fetched: list[str] = []
        amazon(relaying, fetched)
        good = webhooks.sns(webhooks.ses("Delivery", {"recipients": [BOB]}, ours(await relaying.send())))
        for changed in (
            {"Message": "{}"},
            {"Signature": "AAAA"},
            {"Signature": "not base64"},
            {
                "SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.test/SimpleNotificationService-a.pem"
            },
            {"SigningCertURL": "https://evil.test/SimpleNotificationService-a.pem"},
            {"SigningCertURL": "http://sns.eu-west-1.amazonaws.com/SimpleNotificationService-a.pem"},
            {"SignatureVersion": "3"},
            {"Type": "Other"},
            {"Timestamp": None},
        ):
            with pytest.raises(NotTheirs):
                await post(relaying, "ses", {**good, **changed})
        assert set(fetched) <= {webhooks.CERTIFICATE_URL}
        away = webhooks.sns(
            "x", "SubscriptionConfirmation", SubscribeURL="https://evil.test/?Action=ConfirmSubscription&x"
        )
        with pytest.raises(NotTheirs, match="SubscribeURL"):
            await post(relaying, "ses", away)
        with pytest.raises(Invalid):
            await post(relaying, "ses", [1])
        assert await post(relaying, "ses", good) == 1
    (tmp_path / "old").mkdir()
    async with relay(tmp_path / "old", "ses") as relaying:
        amazon(relaying, [], days=-1)
        with pytest.raises(NotTheirs, match="not valid now"):
            await post(relaying, "ses", good)
        amazon(relaying, [], fail=True)
        with pytest.raises(Unavailable):
            await post(relaying, "ses", good)


async def test_who_does_not_know_the_secret_changes_nothing(tmp_path: Path) -> None:
    async with relay(tmp_path, "postmark") as relaying:
        news = {
            "RecordType": "Delivery",
            "Recipient": BOB,
            "Metadata": {"postern": ours(await relaying.send())[1:-1]},
        }
        for wrong in ("", basic("another"), basic(""), "Bearer another", "Basic ###", f"Digest {SECRET}"):
            with pytest.raises(NotTheirs):
                await post(relaying, "postmark", news, wrong)
        with pytest.raises(NotFound):
            await post(relaying, "mailgun", news)
        assert await post(relaying, "postmark", news, f"Bearer {SECRET}") == 1
        for odd in (None, [], "x", {"RecordType": "Bounce"}, {"RecordType": 7, "Metadata": []}):
            assert await post(relaying, "postmark", odd) == 0
    (tmp_path / "off").mkdir()
    async with relay(tmp_path / "off", "postmark", smarthost_hook_secret="") as relaying:
        with pytest.raises(NotFound):
            await post(relaying, "postmark", news, basic(""))
