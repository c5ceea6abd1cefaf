"""message.opened: told by a tracking pixel where operator and sender want it, once, and never for a sandbox."""

from __future__ import annotations

import email
import email.policy
import io
import re
from typing import Any

import httpx
import msgspec
import pytest
from PIL import Image

from gateway.core.errors import Invalid
from gateway.core.sending.open_tracking import token_of, tracks
from gateway.datadir import read_secret
from gateway.settings import Mail, Settings
from tests.api_mailboxkit.calls import answer, call, made
from tests.api_mailboxkit.hooks import hooked, new_inbox, own_stringify, valid
from tests.support.foreign_server import Mail as Taken
from tests.support.gateway_process import Organization
from tests.support.own_gateway import OwnGateway

HTML = "<html><body><p>Hello</p></BODY></html>"
PIXEL = re.compile(r'<img src="(http://[^"]+/opened/[^"]+\.gif)" width="1" height="1" alt=""[^>]*>')


def html_of(mail: Taken) -> str:
    """The HTML of a mail foreign, '' for none."""
    part = email.message_from_bytes(mail.data, policy=email.policy.default).get_body(("html",))
    return str(part.get_content()) if part else ""


def send(
    own_gateway: OwnGateway,
    organization: Organization,
    inbox: dict[str, Any],
    to: str,
    key: str | None = None,
    **more: Any,
) -> dict[str, Any]:
    body = {"to": [to], "subject": "tracked?", "text": "Hello", "html": HTML, **more}
    sent: dict[str, Any] = made(organization, f"inboxes/{inbox['id']}/messages/send", body, key=key)
    return sent


def test_opening_is_told_once(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    inbox = new_inbox(organization)
    with hooked(organization, "message.opened", "message.sent") as hook:
        sent = send(own_gateway, organization, inbox, "reader@abroad.test", track_opens=True)
        (mail,) = own_gateway.foreign.wait("reader@abroad.test")
        html = html_of(mail)
        (found,) = PIXEL.finditer(html)
        assert html[found.end() :].strip().lower() == "</body></html>"
        with httpx.Client(trust_env=False) as http:
            assert http.head(found[1]).status_code == 200  # shows nobody anything
            got = [http.get(found[1]) for _ in range(3)][-1]
            assert got.status_code == 200
            assert got.headers["content-type"] == "image/gif"
            assert "no-store" in got.headers["cache-control"]
            picture = Image.open(io.BytesIO(got.content)).convert("RGBA")
            assert (picture.size, picture.getpixel((0, 0))) == ((1, 1), (0, 0, 0, 0))
            (post,) = hook.heard("message.opened")
            assert valid(post, hook.secret)
            assert own_stringify(post)
            assert post.json["inbox_id"] == inbox["id"]
            assert post.json["data"]["id"] == sent["id"]
            assert post.json["data"]["to_emails"] == ["reader@abroad.test"]
            assert post.json["timestamp"] >= sent["created_at"]
            http.get(found[1])
        send(own_gateway, organization, inbox, "later@abroad.test")
        assert len(organization.call("GET", "events?event_types=message.opened")["events"]) == 1
        hook.heard("message.sent", 2)  # later: a second opening would have come before
        assert len(hook.heard("message.opened")) == 1


def test_a_form_and_a_reply_can_ask(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    inbox, friend = new_inbox(organization), new_inbox(organization)
    path = f"inboxes/{inbox['id']}/messages"
    fields = {"to[0]": "form@abroad.test", "subject": "s", "html": "<p>no end", "track_opens": "true"}
    form = {name: (None, value) for name, value in fields.items()}
    assert answer(organization, "POST", f"{path}/send", files=form).status_code == 201
    (mail,) = own_gateway.foreign.wait("form@abroad.test")
    assert PIXEL.search(html_of(mail))
    bad = answer(organization, "POST", f"{path}/send", files={**form, "track_opens": (None, "perhaps")})
    assert list(bad.json()["errors"]) == ["track_opens"]

    with hooked(organization, "message.received") as hook:
        send(own_gateway, organization, friend, inbox["email"])
        (came,) = hook.heard("message.received")
        reply = {"html": HTML, "track_opens": True, "cc": ["copy@abroad.test"]}
        made(organization, f"{path}/{came.json['data']['id']}/reply", reply)
    (mail,) = own_gateway.foreign.wait("copy@abroad.test")
    assert len(PIXEL.findall(html_of(mail))) == 1


def test_a_picture_is_not_passed_on(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    inbox = new_inbox(organization)
    sent = send(own_gateway, organization, inbox, "first@abroad.test", track_opens=True)
    own_gateway.foreign.wait("first@abroad.test")
    path = f"inboxes/{inbox['email']}/messages/msg_{sent['ulid'].lower()}/forward"
    organization.call("POST", path, json={"to": "second@abroad.test", "html": "<p>See below</p>"})
    (mail,) = own_gateway.foreign.wait("second@abroad.test")
    assert "Hello" in html_of(mail)
    assert "/opened/" not in html_of(mail)


def test_only_what_asks_bears_the_picture(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    inbox = new_inbox(organization)
    key = made(organization, "api_keys", {"name": "sandbox", "test": True})["key"]
    send(own_gateway, organization, inbox, "plain@abroad.test")
    send(own_gateway, organization, inbox, "no@abroad.test", track_opens=False)
    send(own_gateway, organization, inbox, "text@abroad.test", html=None, track_opens=True)
    for to in ("plain@abroad.test", "no@abroad.test", "text@abroad.test"):
        (mail,) = own_gateway.foreign.wait(to)
        assert b"/opened/" not in mail.data
        assert not PIXEL.search(html_of(mail))
    pretended = send(own_gateway, organization, inbox, "sandbox@abroad.test", key, track_opens=True)
    shown = call(organization, "GET", f"inboxes/{inbox['id']}/messages/{pretended['id']}")["data"]
    assert "/opened/" not in shown["html_body"]


def test_what_is_not_ours_tells_nothing_and_shows_a_picture_all_the_same(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    inbox = new_inbox(organization)
    with hooked(organization, "message.opened", "message.sent") as hook:
        sent = send(own_gateway, organization, inbox, "forged@abroad.test")
        secret = read_secret(own_gateway.data)
        genuine = token_of(secret, sent["ulid"].lower())
        forged = [token_of(b"x" * 32, sent["ulid"].lower()), genuine[:-1], "A" * 56, "%00", "a" * 5000, "é"]
        sandbox = made(organization, "api_keys", {"name": "sandbox", "test": True})["key"]
        pretended = send(own_gateway, organization, inbox, "pretend@abroad.test", sandbox)
        with httpx.Client(base_url=own_gateway.base, trust_env=False) as http:
            for token in forged:
                got = http.get(f"/opened/{token}.gif")
                assert (got.status_code, got.headers["content-type"]) == (404, "image/gif"), token
            got = http.get(f"/opened/{token_of(secret, pretended['ulid'].lower())}.gif")
            assert got.status_code == 200
            assert http.get("/opened/x").status_code == 404
        send(own_gateway, organization, inbox, "after@abroad.test")
        hook.heard("message.sent", 3)
        assert [one for one in hook.endpoint.posts if one.json["event"] == "message.opened"] == []


def test_a_server_that_tracks_nobody_says_so(organization: Organization) -> None:
    inbox = new_inbox(organization)
    path = f"inboxes/{inbox['id']}/messages/send"
    body = {"to": [inbox["email"]], "subject": "s", "html": HTML}
    wrong = call(organization, "POST", path, {**body, "track_opens": True}, status=422)
    assert list(wrong["errors"]) == ["track_opens"]
    assert "mail.open_tracking" in wrong["fix"]
    sent = made(organization, path, {**body, "track_opens": False})
    shown = call(organization, "GET", f"inboxes/{inbox['id']}/messages/{sent['id']}")["data"]
    assert "/opened/" not in shown["html_body"]


@pytest.mark.parametrize(
    ("mode", "wish", "tracked"),
    [
        ("off", None, False),
        ("off", False, False),
        ("asked", None, False),
        ("asked", False, False),
        ("asked", True, True),
        ("always", None, True),
        ("always", False, False),
        ("always", True, True),
    ],
)
def test_who_decides(mode: str, wish: bool | None, tracked: bool) -> None:
    mail = msgspec.convert({"open_tracking": mode}, Mail)
    assert tracks(Settings(mail=mail), wish) is tracked


def test_off_is_the_default_and_refuses() -> None:
    assert Settings().mail.open_tracking == "off"
    with pytest.raises(Invalid, match="does not track"):
        tracks(Settings(), True)
