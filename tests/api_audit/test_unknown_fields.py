"""A field that says who gets the mail is honoured or refused, in every dialect; nothing is sent to fewer people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.support.gateway_process import GatewayProcess, Organization, running_gateway

LETTER: dict[str, dict[str, Any]] = {
    "agentmail": {"to": ["a@abroad.test"], "subject": "s", "text": "t"},
    "openmail": {"to": "a@abroad.test", "subject": "s", "body": "b"},
    "mailboxkit": {"to": ["a@abroad.test"], "subject": "s", "text": "t"},
}
SENDS = {
    "agentmail": "/api/v0/inboxes/{}/messages/send",
    "openmail": "/v1/inboxes/{}/send",
    "mailboxkit": "/api/v1/inboxes/{}/messages/send",
}
REFUSED = {"agentmail": 400, "openmail": 400, "mailboxkit": 422}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """A gateway that refuses every unknown field."""
    with running_gateway(tmp_path_factory.mktemp("strict"), http__unknown_fields="refuse") as gateway:
        yield gateway


def post(organization: Organization, path: str, **options: Any) -> httpx.Response:
    return httpx.post(
        organization.base_url + path, headers=organization.headers, trust_env=False, timeout=30, **options
    )


def sent(organization: Organization, inbox: str) -> int:
    return int(organization.call("GET", f"inboxes/{inbox}/messages")["total"])


@pytest.mark.parametrize("dialect", SENDS)
@pytest.mark.parametrize("field", ["Bcc", "bcc_list", "CC", "recipients", "Reply-To"])
def test_a_send_with_an_unknown_recipient_field_is_refused(
    organization: Organization, dialect: str, field: str
) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    path, letter = SENDS[dialect].format(inbox), LETTER[dialect]
    refused = post(organization, path, json={**letter, field: ["b@abroad.test"]})
    assert refused.status_code == REFUSED[dialect], refused.text
    assert field in refused.text
    assert sent(organization, inbox) == 0
    answer = post(organization, path, json={**letter, field: None, "unknown": {"to": "x"}})
    assert answer.is_success, answer.text


@pytest.mark.parametrize("dialect", ["openmail", "mailboxkit"])
def test_a_form_with_an_unknown_recipient_field_is_refused(organization: Organization, dialect: str) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    texts = {name: one if isinstance(one, str) else one[0] for name, one in LETTER[dialect].items()}
    files = {"attachments": ("a.txt", b"a", "text/plain")}
    path = SENDS[dialect].format(inbox)
    refused = post(organization, path, data={**texts, "Bcc[0]": "b@abroad.test"}, files=files)
    assert refused.status_code == REFUSED[dialect], refused.text
    assert sent(organization, inbox) == 0
    answer = post(organization, path, data={**texts, "Bcc": "", "unknown": "x"}, files=files)
    assert answer.is_success, answer.text


def test_operations_that_take_no_recipients_refuse_them(organization: Organization) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    draft = organization.call("POST", f"inboxes/{inbox}/drafts", json=LETTER["agentmail"])["draft_id"]
    send = f"/api/v0/inboxes/{inbox}/drafts/{draft}/send"
    assert post(organization, send, json={"to": ["b@abroad.test"]}).status_code == 400
    first = post(organization, SENDS["agentmail"].format(inbox), json=LETTER["agentmail"]).json()
    reply = f"/api/v1/inboxes/{inbox}/messages/{first['message_id']}/reply"
    assert post(organization, reply, json={"text": "t", "to": ["b@abroad.test"]}).status_code == 422
    assert post(organization, reply, json={"text": "t", "reply_all": True}).status_code == 422
    assert post(organization, reply, json={"text": "t", "reply_all": False}).is_success


@pytest.mark.parametrize("dialect", SENDS)
def test_every_unknown_field_is_refused_where_the_operator_asks_for_it(
    strict: GatewayProcess, dialect: str
) -> None:
    organization = strict.new_organization()
    inbox = organization.new_inbox()["inbox_id"]
    path, letter = SENDS[dialect].format(inbox), LETTER[dialect]
    content = "data" if dialect == "openmail" else "content"
    file = {"filename": "a.txt", content: "YQ=="}
    for wrong in ({"prio": 1}, {"attachments": [{**file, "prio": 1}]}):
        refused = post(organization, path, json={**letter, **wrong})
        assert refused.status_code == REFUSED[dialect], refused.text
        assert "prio" in refused.text
    assert sent(organization, inbox) == 0
    assert post(organization, path, json={**letter, "attachments": [file]}).is_success
