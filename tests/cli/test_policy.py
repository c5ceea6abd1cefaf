"""``postern policy`` on a running gateway."""

from __future__ import annotations

from tests.cli.test_commands import answer
from tests.support.gateway_process import GatewayProcess


def test_a_policy_is_set_value_by_value_and_taken_away(gateway: GatewayProcess) -> None:
    inbox = answer(gateway, "inbox", "create")["email"]
    of = ("--inbox", inbox)
    held = answer(gateway, "policy", "set", "sending.only", "Example.com", "*.example.org", "--lock", *of)
    assert held["own"] == {"sending": {"only": ["*.example.org", "example.com"]}, "locked": ["sending.only"]}
    shown = gateway.postern("policy", "set", "sending.mode", "receive_only", *of).stdout
    assert [line.split()[:3] for line in shown.splitlines()[1:2]] == [
        ["sending.mode", "receive_only", "inbox"]
    ]
    held = answer(gateway, "policy", "unset", "sending.only", *of)
    assert held["own"] == {"sending": {"mode": "receive_only"}, "locked": []}
    assert "receive_only" in gateway.postern("policy", "versions", *of).stdout
    refused = answer(gateway, "policy", "set", "sending.mode", "open", *of, code=1)
    assert "approve_all, receive_only" in refused["fix"]
    held = answer(gateway, "policy", "set", "sending.caps.per_day", "50", *of)
    assert held["own"]["sending"] == {"mode": "receive_only", "caps": {"per_day": 50}}
    shown = gateway.postern("policy", "unset", "--all", *of).stdout
    assert [line.split()[:3] for line in shown.splitlines()[1:2]] == [["sending.mode", "free", "default"]]
