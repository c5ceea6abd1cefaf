"""``/v1/policy``: the allow and block rules of an inbox, read and replaced whole, as OpenMail's plugins do it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.api_openmail.account_tree import AccountTree
from tests.api_openmail.calls import call
from tests.api_openmail.post import Post
from tests.support.mails import new_mail
from tests.support.waiting import until

NOBODY: dict[str, Any] = {"mode": "none", "rules": []}


def allowing(*values: str, mode: str = "allowlist") -> dict[str, Any]:
    return {"inbound": {"mode": mode, "rules": [{"type": "allow", "value": one} for one in values]}}


def put(post: Post, inbox: dict[str, Any], body: dict[str, Any], **options: Any) -> dict[str, Any]:
    found: dict[str, Any] = post.call("PUT", f"policy?inboxId={inbox['id']}", body, **options)
    return found


def rules(policy: dict[str, Any], way: str = "inbound") -> list[tuple[str, str]]:
    return [(one["type"], one["value"]) for one in policy[way]["rules"]]


def heard(post: Post, inbox: dict[str, Any], *senders: str) -> set[str]:
    """Deliver a mail of each sender; whose mail the inbox lists, once all are there."""
    for sender in senders:
        mail = new_mail(inbox["address"], uuid.uuid4().hex, sender=sender)
        post.deliver(mail, inbox["address"])
    path = f"inboxes/{inbox['address']}/messages?include_blocked=true"
    until(lambda: post.organization.call("GET", path)["total"] == len(senders), why=f"mail of {senders}")
    return {one["fromAddr"] for one in post.messages(inbox)}


def test_an_inbox_without_rules_has_an_open_policy(post: Post) -> None:
    inbox = post.inbox()
    found = post.call("GET", f"policy?inboxId={inbox['id']}")
    assert found == {"podId": inbox["podId"], "inboxId": inbox["id"], "inbound": NOBODY, "outbound": NOBODY}


def test_an_allowlist_takes_every_pattern(post: Post) -> None:
    inbox, other = post.inbox(), post.inbox()
    given = allowing("Ann@One.test", "two.test", "@three.test", "*.four.test", "*@five.test")
    made = put(post, inbox, given)
    assert made["inbound"]["mode"] == "allowlist"
    assert rules(made) == [
        ("allow", "*.four.test"),
        ("allow", "ann@one.test"),
        ("allow", "five.test"),
        ("allow", "three.test"),
        ("allow", "two.test"),
    ]
    assert post.call("GET", f"policy?inboxId={inbox['id']}") == made
    allowed = {"ann@one.test", "x@two.test", "x@three.test", "x@four.test", "x@a.b.four.test", "x@five.test"}
    kept_out = {
        "bob@one.test",
        "x@sub.two.test",
        "x@xfour.test",
        "x@four.test.evil.test",
        "*.four.test@evil.test",
    }
    assert heard(post, inbox, *sorted(allowed | kept_out)) == allowed
    assert heard(post, other, "bob@one.test") == {"bob@one.test"}


def test_an_empty_allowlist_keeps_everybody_out_and_none_opens_again(post: Post) -> None:
    inbox = post.inbox()
    put(post, inbox, allowing())
    assert heard(post, inbox, "ann@abroad.test") == set()
    put(post, inbox, {"inbound": NOBODY})
    post.letter(inbox, "again")


def test_a_put_replaces_the_rules_and_keeps_what_stays(post: Post) -> None:
    inbox = post.inbox()
    before = put(post, inbox, allowing("one.test", "two.test", "two.test"))
    wanted = [{"type": "allow", "value": "two.test"}, {"type": "block", "value": "eve@two.test"}]
    after = put(post, inbox, {"inbound": {"mode": "allowlist", "rules": wanted}})
    assert rules(after) == [("allow", "two.test"), ("block", "eve@two.test")]
    assert after["inbound"]["rules"][0]["id"] == before["inbound"]["rules"][1]["id"]
    listed = post.call("GET", f"sender-rules?inboxId={inbox['id']}")
    assert {(one["action"], one["sender"]) for one in listed["data"]} == set(rules(after))
    assert heard(post, inbox, "bob@two.test", "eve@two.test", "x@one.test") == {"bob@two.test"}


def test_outbound_rules_hold_for_sends(post: Post) -> None:
    inbox = post.inbox()
    put(post, inbox, allowing("abroad.test"))
    body = {"outbound": {"mode": "allowlist", "rules": [{"type": "allow", "value": "*.friend.test"}]}}
    made = put(post, inbox, body)
    assert rules(made) == [("allow", "abroad.test")]  # the way that is not named stays
    assert rules(made, "outbound") == [("allow", "*.friend.test")]
    letter = {"subject": "s", "body": "b"}
    post.send(inbox, {**letter, "to": "ann@sub.friend.test"})
    for refused in ({"to": "ann@abroad.test"}, {"to": "ann@friend.test", "bcc": ["x@abroad.test"]}):
        assert post.send(inbox, letter | refused, status=403)["error"] == "forbidden"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "inbound"),
        ({"inbound": None}, "inbound"),
        ({"inbound": {}}, "inbound.mode"),
        ({"inbound": {"mode": "closed"}}, "inbound.mode"),
        (allowing("x.test", "*"), "inbound.rules[1].value"),
        (allowing("*."), "inbound.rules[0].value"),
        (allowing("a@*.x.test"), "inbound.rules[0].value"),
        (allowing("*.*.x.test"), "inbound.rules[0].value"),
        (allowing("a b@x.test"), "inbound.rules[0].value"),
        (
            {"inbound": {"mode": "none", "rules": [{"type": "greet", "value": "x.test"}]}},
            "inbound.rules[0].type",
        ),
    ],
)
def test_a_policy_that_cannot_be_is_refused_whole(post: Post, body: dict[str, Any], field: str) -> None:
    inbox = post.inbox()
    before = put(post, inbox, allowing("one.test"))
    assert put(post, inbox, body, status=400)["field"] == field
    assert post.call("GET", f"policy?inboxId={inbox['id']}") == before


def test_the_number_of_rules_is_bounded(post: Post) -> None:
    inbox = post.inbox()
    many = [f"a{number}.test" for number in range(1001)]
    assert put(post, inbox, allowing(*many), status=413)["field"] == "inbound.rules"
    assert len(put(post, inbox, allowing(*many[:1000]))["inbound"]["rules"]) == 1000


def test_whose_policy_is_meant(account_tree: AccountTree) -> None:
    organization, own = account_tree.organization, account_tree.own
    body = allowing("friend.test", mode="none")
    for query, pod, inbox in (
        ("", None, None),
        ("?podId=shop", own["podId"], None),
        (f"?inboxId={own['id']}", own["podId"], own["id"]),
    ):
        made = call(organization, "PUT", f"policy{query}", body)
        assert (made["podId"], made["inboxId"]) == (pod, inbox)
        assert call(organization, "GET", f"policy{query}") == made
        assert rules(made) == [("allow", "friend.test")]
        call(organization, "PUT", f"policy{query}", {"inbound": NOBODY})
    both = f"policy?podId=shop&inboxId={own['id']}"
    assert call(organization, "GET", both, status=400)["field"] == "podId"


def test_who_may_change_a_policy(account_tree: AccountTree) -> None:
    organization, keys = account_tree.organization, account_tree.keys
    own, outside = (f"policy?inboxId={one['id']}" for one in (account_tree.own, account_tree.outside))
    body = {"inbound": NOBODY}
    for name, path, status in (
        ("account", own, 200),
        ("v0_pod", own, 200),
        ("v0_pod", outside, 403),
        ("pod", own, 403),  # a pod's key made at /v1 has no permission for lists
        ("inbox", own, 403),
        ("v0_inbox", own, 403),
        ("foreign", own, 404),
    ):
        call(organization, "PUT", path, body, key=keys[name], status=status)
        call(organization, "GET", path, key=keys[name], status=status)
    pods = call(organization, "GET", "policy", key=keys["v0_pod"])
    assert (pods["podId"], pods["inboxId"]) == (account_tree.own["podId"], None)
