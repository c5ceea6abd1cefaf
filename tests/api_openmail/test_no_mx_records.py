"""422 no_mx_records (contract §4, §12): only what DNS says for certain, never for a domain of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from anyio.from_thread import start_blocking_portal

from tests.api_openmail.post import Post
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.servers import NameServer

ZONES: dict[tuple[str, str], list[str] | None] = {
    ("mx.example", "MX"): ["10 mail.mx.example."],
    ("null.example", "MX"): ["0 ."],
    ("address.example", "A"): ["192.0.2.1"],
    ("text.example", "TXT"): ['"nothing else"'],
    ("silent.example", "MX"): None,
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that asks a name server with these zones before it sends."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(NameServer(dict(ZONES))) as dns,
        running_gateway(
            tmp_path_factory.mktemp("mx"),
            dns__nameservers=["127.0.0.1"],
            dns__port=dns.port,
            dns__timeout=1.0,
            mail__check_recipient_domains=True,
        ) as running,
    ):
        yield running


@pytest.mark.parametrize("domain", ["nowhere.example", "null.example", "text.example"])
def test_a_domain_that_takes_no_mail_is_refused_at_once(post: Post, domain: str) -> None:
    ours = post.inbox()
    body = {"to": f"ann@{domain}", "subject": "s", "body": "b"}
    error = post.send(ours, body, status=422)
    assert (error["error"], error["field"]) == ("no_mx_records", "to")
    assert domain in error["message"]
    copied = {**body, "to": "ann@mx.example", "cc": ["bob@mx.example", f"eve@{domain.upper()}"]}
    error = post.send(ours, copied, status=422)
    assert (error["error"], error["field"]) == ("no_mx_records", "cc[1]")
    assert post.total(ours) == 0


def test_an_answer_to_all_leaves_out_whose_domain_takes_no_mail(post: Post) -> None:
    ours = post.inbox()
    post.letter(ours, "Question", sender="ann@mx.example", Cc="bob@nowhere.example, carol@mx.example")
    (got,) = post.messages(ours, 1)
    path = f"inboxes/{ours['address']}/messages"
    sent = post.organization.call("POST", f"{path}/{got['id']}/reply-all", json={"text": "Fine."})
    shown = post.organization.call("GET", f"{path}/{sent['message_id']}")
    assert (shown["to"], shown["cc"]) == (["ann@mx.example"], ["carol@mx.example"])


@pytest.mark.parametrize("domain", ["mx.example", "address.example", "silent.example"])
def test_a_domain_that_may_take_mail_is_sent_to(post: Post, domain: str) -> None:
    ours = post.inbox()
    post.send(ours, {"to": f"ann@{domain}", "subject": "s", "body": "b"})
    assert post.total(ours) == 1


def test_a_domain_of_ours_is_not_asked_for(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    post.send(ours, {"to": theirs["address"], "subject": "s", "body": "b"})
    assert post.messages(theirs, 1)
