"""``postern review``: the operator sees what is held, and decides."""

from __future__ import annotations

from tests.cli.test_commands import answer
from tests.reviews.desk import Desk
from tests.support.gateway_process import GatewayProcess, Organization


def test_the_operator_lists_shows_approves_and_rejects(
    gateway: GatewayProcess, organization: Organization
) -> None:
    desk = Desk(gateway, organization)
    good = desk.send("good\u202e", html="<p>Not the text.</p>")
    bad = desk.send("bad")
    inbox = ("--inbox", desk.agent)
    listed = gateway.postern("review", "list", *inbox).stdout
    assert good["review_id"] in listed
    assert "\u202e" not in listed
    shown = gateway.postern("review", "show", good["review_id"]).stdout
    assert "Hello." in shown
    assert "Not the text." in shown
    changed = gateway.postern("review", "edit", good["review_id"], "--subject", "good one").stdout
    assert "changed subject" in changed
    wrong = answer(gateway, "review", "approve", good["review_id"], "--digest", "0" * 64, code=1)
    assert "digest" in wrong["error"]
    whole = answer(gateway, "review", "show", good["review_id"])
    done = answer(gateway, "review", "approve", good["review_id"], "--digest", whole["digest"])
    assert [(one["state"], one["decided_by"]) for one in done["reviews"]] == [("approved", "operator")]
    said = gateway.postern("review", "reject", bad["review_id"], "--reason", "No.").stdout
    assert "rejected" in said
    desk.arrived("good")
    again = answer(gateway, "review", "reject", bad["review_id"], code=1)
    assert "already" in again["error"]
    assert gateway.postern("review", "list", *inbox).stdout == "nothing is held\n"
    assert len(answer(gateway, "review", "list", "--all", *inbox)["reviews"]) == 2
