"""Every endpoint that changes something of the management leaves an entry in the audit log."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.app.routes import DIALECTS
from gateway.store.sql import sql
from tests.reviews.desk import Desk
from tests.support.gateway_process import GatewayProcess, Organization

PREFIX = {dialect.name: dialect.prefix for dialect in DIALECTS}

NO_MANAGEMENT = {
    "agentmail": {
        *("create_draft", "update_draft", "delete_draft", "send_draft"),
        *("send_message", "reply", "reply_all", "forward", "answer_invitation"),
        *("update_message", "delete_message", "batch_get", "batch_update"),
        *("update_pod_thread", "delete_pod_thread", "update_thread", "delete_thread"),
        "replay",  # posts events again
        *("sign_up", "attach_human", "verify"),  # tested where registering is on: below
        *("retry_relay", "retry_relay_all"),  # Postfix's, which is not here; nothing of ours changes
        "check_domain_setup",  # as verify_domain: it asks the DNS, and logs when the answer changes something
        "verify_domain",
        "trust_domain",  # no other organization's domain is here
        "retry",  # as retry_all, of one message
        "drop",
    },
    "openmail": {
        *("send_email", "update_thread", "answer_invitation"),
        *("give_feedback", "test_webhook"),  # a line in the log; a post
        "verify_domain",
        "approve",  # a program must wait for it
    },
    "mailboxkit": {
        *("send_message", "reply", "search", "answer_invitation"),
        *("test_webhook", "resend"),
        "verify_domain",
        *("register_agent", "top_up"),  # not switched on here
    },
}
HOOK = {"url": "https://hooks.example.com/T0/secretpath?token=topsecret", "event_types": ["message.received"]}


@dataclass
class Walk:
    """Calls operations one after the other, and looks whether each left an entry of its own name."""

    gateway: GatewayProcess
    home: Organization
    operator: str
    walked: set[tuple[str, str]] = field(default_factory=set)
    seen: int = 0

    def __call__(
        self,
        dialect: str,
        operation: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        operator: bool = False,
    ) -> Any:
        key = self.operator if operator else self.home.api_key
        with httpx.Client(base_url=self.home.base_url, trust_env=False, timeout=30, verify=False) as http:
            answer = http.request(
                method,
                PREFIX[dialect] + path,
                json=body,
                headers={"Authorization": f"Bearer {key}", "Idempotency-Key": uuid.uuid4().hex},
            )
        assert answer.is_success, f"{dialect} {method} {path}: {answer.status_code} {answer.text}"
        rows = self.gateway.database(
            lambda tx: sql(tx).rows(
                "SELECT * FROM audit_entry WHERE request_id = ?", answer.headers["x-request-id"]
            )
        )
        assert rows, f"{dialect} {method} {path} left no entry in the audit log"
        for row in rows:
            assert (row["via"], row["operation"]) == (dialect, operation)
            assert row["actor"] == ("operator" if operator else "key")
            assert row["ip"] == "127.0.0.1"
            assert row["key_id"]
            assert operator or row["organization_id"] == self.home.id.removeprefix("org_")
        self.walked.add((dialect, operation))
        return answer.json() if answer.content else None


@pytest.fixture(scope="module")
def walk(gateway: GatewayProcess) -> Walk:
    """All of them, once."""
    operator = json.loads((gateway.data / "operator.json").read_text())["api_key"]
    walked = Walk(gateway, gateway.new_organization(), operator)
    agentmail(walked)
    openmail(walked)
    mailboxkit(walked)
    return walked


def word() -> str:
    return "w" + uuid.uuid4().hex[:10]


def agentmail(walk: Walk) -> None:
    def call(operation: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return walk("agentmail", operation, method, path, body, **more)

    pod = call("create_pod", "POST", "/pods", {"name": "shop"})["pod_id"]
    call("update_pod", "PATCH", f"/pods/{pod}", {"name": "shop 2"})
    inbox = call("create_inbox", "POST", "/inboxes", {"username": word(), "pod_id": pod})["inbox_id"]
    call("update_inbox", "PATCH", f"/inboxes/{inbox}", {"display_name": "Changed"})
    call("set_credentials", "POST", f"/inboxes/{inbox}/credentials")
    call("remove_credentials", "DELETE", f"/inboxes/{inbox}/credentials")
    call("set_quota", "PUT", f"/inboxes/{inbox}/quota", {"quota_bytes": 2_000_000})
    alias = f"{word()}@{inbox.partition('@')[2]}"
    call("create_alias", "POST", "/aliases", {"address": alias, "inbox_ids": [inbox]})
    other = call("create_inbox", "POST", "/inboxes", {"username": word()})["inbox_id"]
    call("replace_alias", "PUT", f"/aliases/{alias}", {"inbox_ids": [other]})
    call("delete_alias", "DELETE", f"/aliases/{alias}")
    domain = f"{word()}.example"
    call("create_domain", "POST", "/domains", {"domain": domain})
    call("update_domain", "PATCH", f"/domains/{domain}", {"feedback_enabled": False})
    call("rotate_domain_key", "POST", f"/domains/{domain}/rotate", {})
    call("set_domain_policy", "POST", f"/domains/{domain}/mta-sts", {"mode": "none"})
    call("set_catch_all", "PUT", f"/domains/{domain}/catch-all", {"inbox_id": inbox})
    call("delete_catch_all", "DELETE", f"/domains/{domain}/catch-all")
    call("delete_domain", "DELETE", f"/domains/{domain}")
    key = call("create_key", "POST", "/api-keys", {"name": "made"})
    call("update_key", "PATCH", f"/api-keys/{key['api_key_id']}", {"name": "renamed"})
    call("delete_key", "DELETE", f"/api-keys/{key['api_key_id']}")
    call("add_entry", "POST", "/lists/receive/block", {"entry": "bad@evil.example"})
    call("delete_entry", "DELETE", "/lists/receive/block/bad@evil.example")
    polled = {"client_id": word(), "event_types": ["message.received"]}
    poll = call("create_polling_webhook", "POST", "/webhooks/polling", polled)["webhook_id"]
    call("delete_polling_webhook", "DELETE", f"/webhooks/polling/{poll}")
    hook = call("create_webhook", "POST", "/webhooks", HOOK)["webhook_id"]
    call("update_webhook", "PATCH", f"/webhooks/{hook}", {"enabled": False})
    call("update_headers", "PATCH", f"/webhooks/{hook}/headers", {"headers": {"X-Secret": "topsecret"}})
    call("rotate_secret", "POST", f"/webhooks/{hook}/rotate-secret")
    call("delete_webhook", "DELETE", f"/webhooks/{hook}")
    call("retry_all", "POST", "/queue/retry", operator=True)
    desk = Desk(walk.gateway, walk.home)
    for how in ("edit", "approve", "reject"):
        body = {"text": "Changed."} if how == "edit" else {}
        call(how, "POST", f"/reviews/{desk.send()['review_id']}/{how}", body)
    call("put_policy", "PUT", "/policy", {"sending": {"mode": "free"}})
    call("delete_policy", "DELETE", "/policy")
    organization = walk.home.id
    for name, path, operator in (
        ("inbox", f"/inboxes/{inbox}", False),
        ("pod", f"/pods/{pod}", False),
        ("own_organization", "/organizations", False),
        ("organization", f"/organizations/{organization}", True),
        ("server", "/server", True),
    ):
        call(f"pause_{name}", "POST", f"{path}/pause", {"reason": "test"}, operator=operator)
        call(f"resume_{name}", "DELETE", f"{path}/pause", operator=operator)
    call("delete_inbox", "DELETE", f"/inboxes/{inbox}")
    call("delete_pod", "DELETE", f"/pods/{pod}")


def openmail(walk: Walk) -> None:
    def call(operation: str, method: str, path: str, body: Any = None, **more: Any) -> Any:
        return walk("openmail", operation, method, path, body, **more)

    pod = call("create_pod", "POST", "/pods", {"name": "shop"})["id"]
    call("update_pod", "PATCH", f"/pods/{pod}", {"name": "shop 2"})
    inbox = call("create_inbox", "POST", "/inboxes", {"mailboxName": word()})["id"]
    call("update_inbox", "PATCH", f"/inboxes/{inbox}", {"displayName": "Changed"})
    for under, kind in ((f"/pods/{pod}", "pod"), (f"/inboxes/{inbox}", "inbox")):
        made = call("create_api_key", "POST", f"{under}/api-keys", {"name": kind})
        call("delete_api_key", "DELETE", f"{under}/api-keys/{made['id']}")
        call(f"suspend_{kind}", "POST", f"{under}/suspend", {"reason": "abuse"}, operator=True)
        call(f"reactivate_{kind}", "POST", f"{under}/reactivate", {}, operator=True)
    key = call("create_account_key", "POST", "/api-keys", {"name": "made"})
    call("delete_account_key", "DELETE", f"/api-keys/{key['id']}")
    call("set_webhook", "PUT", "/webhook", {"url": HOOK["url"]})
    call("rotate_secret", "POST", "/webhook/rotate-secret")
    call("clear_webhook", "DELETE", "/webhook")
    domain = f"{word()}.example"
    made = call("create_domain", "POST", "/domains", {"domain": domain, "name": domain})
    call("assign_domain", "PATCH", f"/domains/{made['id']}", {"podId": pod})
    call("delete_domain", "DELETE", f"/domains/{made['id']}")
    call("put_policy", "PUT", "/policy", {"inbound": {"mode": "none", "rules": []}})
    rule = call("create_rule", "POST", "/sender-rules", {"action": "block", "sender": "x@evil.example"})["id"]
    call("delete_rule", "DELETE", f"/sender-rules/{rule}")
    call("set_mode", "PUT", "/sender-rules/mode", {"mode": "allowlist"})
    call("create_suppression", "POST", "/suppressions", {"address": "x@gone.example"})
    call("delete_suppression", "DELETE", "/suppressions/x@gone.example")
    call("delete_inbox", "DELETE", f"/inboxes/{inbox}")
    call("delete_pod", "DELETE", f"/pods/{pod}")


def mailboxkit(walk: Walk) -> None:
    def call(operation: str, method: str, path: str, body: Any = None) -> Any:
        return walk("mailboxkit", operation, method, path, body)

    key = call("create_api_key", "POST", "/api_keys", {"name": "made"})["data"]["id"]
    call("delete_api_key", "DELETE", f"/api_keys/{key}")
    domain = f"{word()}.example"
    made = call("create_domain", "POST", "/domains", {"domain": domain, "name": domain})["data"]["id"]
    call("delete_domain", "DELETE", f"/domains/{made}")
    inbox = call("create_inbox", "POST", "/inboxes", {"name": word()})["data"]["id"]
    call("delete_inbox", "DELETE", f"/inboxes/{inbox}")
    hook = call("create_webhook", "POST", "/webhooks", {"url": HOOK["url"], "events": ["message.received"]})
    call("delete_webhook", "DELETE", f"/webhooks/{hook['data']['id']}")


def test_every_endpoint_that_writes_is_logged_or_known_to_be_no_management(walk: Walk) -> None:
    declared = {
        (dialect.name, one.handler.__name__)
        for dialect in DIALECTS
        for one in dialect.table.endpoints
        if one.method != "GET"
    }
    known = {(dialect, name) for dialect, names in NO_MANAGEMENT.items() for name in names}
    assert declared - known - walk.walked == set(), (
        "an endpoint changes something that the audit log may miss"
    )
    assert known & walk.walked == set()
    assert known <= declared


def test_no_secret_is_in_the_log(walk: Walk) -> None:
    rows = walk.gateway.database(
        lambda tx: sql(tx).rows(
            "SELECT * FROM audit_entry WHERE organization_id = ?", walk.home.id.removeprefix("org_")
        )
    )
    text = json.dumps(rows)
    assert len(rows) > 50
    for secret in ("topsecret", "secretpath", "whsec_", "PRIVATE", walk.home.api_key):
        assert secret not in text
    hosts = [json.loads(row["after_json"])["url"] for row in rows if '"url"' in (row["after_json"] or "")]
    assert "hooks.example.com" in hosts
