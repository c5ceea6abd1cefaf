"""A held message under kill -9 and through a rebuild: it stays held, and leaves once."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tests.reviews.desk import Desk
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.waiting import until


def crash(gateway: GatewayProcess) -> None:
    """SIGKILL, without waiting for what is left behind."""
    assert gateway.process is not None
    gateway.process.kill()
    gateway.process.wait(10)


def test_killed_before_and_after_the_decision_it_leaves_once(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        desk = Desk(gateway, gateway.new_organization())
        sent = {subject: desk.send(subject) for subject in ("one", "two", "three", "held")}
        octets = {subject: desk.octets(one["message_id"]) for subject, one in sent.items()}
        before = desk.review(sent["one"]["review_id"])
        crash(gateway)
        rebuilt = gateway.postern("rebuild", "--inbox", desk.agent)
        assert rebuilt.returncode == 0, rebuilt.stderr
        gateway.start()
        desk.moved(gateway)
        assert desk.review(sent["one"]["review_id"]) == before
        shown = desk.organization.call("GET", f"inboxes/{desk.agent}/messages/{sent['one']['message_id']}")
        assert (shown["subject"], shown["text"].strip()) == ("one", "Hello.")
        for subject in ("one", "two", "three"):
            done = desk.decide(
                sent[subject]["review_id"],
                "approve",
                digest=desk.review(sent[subject]["review_id"])["digest"],
            )
            assert done.is_success, done.text
        crash(gateway)
        gateway.start()
        desk.moved(gateway)
        for subject in ("one", "two", "three"):
            assert desk.arrived(subject).endswith(octets[subject])
            assert set(desk.settled(sent[subject]["message_id"]).values()) == {"delivered"}
            until(partial(desk.in_sent, sent[subject]["message_id"]))
            assert desk.review(sent[subject]["review_id"])["state"] == "approved"
        for subject in ("one", "two", "three"):
            assert len(desk.received(subject)) == 1
        assert desk.received("held") == []
        assert desk.review(sent["held"]["review_id"])["state"] == "pending"
        assert desk.decide(sent["held"]["review_id"], "reject").is_success
