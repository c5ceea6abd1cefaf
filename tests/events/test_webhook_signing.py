from __future__ import annotations

import base64
import hashlib
import hmac
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.events.webhook_signing import key_of, new_secret, sign, sign_mailboxkit, sign_openmail

BODY = '{"subject":"Grüße 日本","n":1}'.encode()


def accepts(secret: str, body: bytes, headers: dict[str, str]) -> bool:
    """Ask the reference library."""
    try:
        Webhook(secret).verify(body, headers, json_parse=False)
    except WebhookVerificationError:
        return False
    return True


def now() -> int:
    return int(time.time())


def test_secrets_are_fresh_and_long_enough() -> None:
    made = {new_secret() for _ in range(50)}
    assert len(made) == 50
    for secret in made:
        assert secret.startswith("whsec_")
        assert len(base64.b64decode(secret[6:], validate=True)) >= 24
        assert key_of(secret) == base64.b64decode(secret[6:])


def test_the_published_example() -> None:
    # svix.com/docs, "Verifying webhooks manually"
    headers = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["svix-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@given(st.text(), st.binary(min_size=24, max_size=64), st.from_regex(r"evt_[A-Z0-9]{26}", fullmatch=True))
def test_the_reference_library_accepts_and_refuses(text: str, key: bytes, event_id: str) -> None:
    body = text.encode("utf-8", "replace")
    secret = "whsec_" + base64.b64encode(key).decode()
    headers = sign(secret, event_id, now(), body)
    assert accepts(secret, body, headers)
    assert not accepts(secret, body + b" ", headers)
    assert not accepts(secret, body, headers | {"webhook-id": event_id + "X"})
    assert not accepts(secret, body, headers | {"webhook-timestamp": str(now() - 2)})
    assert not accepts(new_secret(), body, headers)


def test_both_sets_of_names_carry_the_same() -> None:
    headers = sign(new_secret(), "evt_1", 1_700_000_000, BODY)
    assert set(headers) == {f"{s}-{n}" for s in ("webhook", "svix") for n in ("id", "timestamp", "signature")}
    for name in ("id", "timestamp", "signature"):
        assert headers[f"webhook-{name}"] == headers[f"svix-{name}"]
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("evt_1", "1700000000")


def test_while_rotating_old_and_new_secret_verify() -> None:
    new, old, older = new_secret(), new_secret(), new_secret()
    headers = sign([new, old], "evt_1", now(), BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    assert accepts(new, BODY, headers)
    assert accepts(old, BODY, headers)
    assert not accepts(older, BODY, headers)
    assert sign(new, "evt_1", 1, BODY) == sign([new], "evt_1", 1, BODY)


def test_the_true_time_is_what_receivers_check() -> None:
    secret = new_secret()
    assert not accepts(secret, BODY, sign(secret, "evt_1", now() - 400, BODY))
    assert not accepts(secret, BODY, sign(secret, "evt_1", now() + 400, BODY))


@pytest.mark.parametrize("secret", ["plain text, not base64", "whsec_", "mbk_whsec_ä", "whsec_abc"])
def test_a_secret_in_another_form_still_signs(secret: str) -> None:
    assert key_of(secret) == secret.encode()
    made = sign(secret, "evt_1", 5, BODY)["webhook-signature"]
    assert (
        made == "v1," + base64.b64encode(hmac.digest(secret.encode(), b"evt_1.5." + BODY, "sha256")).decode()
    )


@pytest.mark.parametrize("event_id", ["", "a.b", "a b", "a\r\nb", "é", "x" * 257])
def test_ids_that_could_be_misread_are_refused(event_id: str) -> None:
    with pytest.raises(ValueError, match="event id"):
        sign(new_secret(), event_id, 1, BODY)


def test_no_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        sign([], "evt_1", 1, BODY)


def test_the_older_dialects_use_the_secret_as_text() -> None:
    secret = new_secret()
    open_mail = sign_openmail(secret, "evt_1", 1_700_000_000, BODY)
    assert open_mail == {
        "X-Event-Id": "evt_1",
        "X-Timestamp": "1700000000",
        "X-Signature": hmac.new(secret.encode(), b"1700000000." + BODY, hashlib.sha256).hexdigest(),
    }
    kit = sign_mailboxkit(secret, "evt_1", 1_700_000_000, BODY)
    assert kit["X-MailboxKit-Signature"] == hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
    assert kit["X-Signature"] == kit["X-MailboxKit-Signature"]
    assert len(kit["X-Signature"]) == 64
