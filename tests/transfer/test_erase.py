"""Erasing a person: no byte of the address is left in the data directory but what the report names."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.databases import on_postgres
from tests.support.gateway_process import GatewayProcess, running_gateway
from tests.support.waiting import until
from tests.transfer.full_inbox import deliver, mail, person, shown
from tests.transfer.test_backup import answer

ERASED = "Quentin.Xavier@Forgotten.example"
FOLDED = ERASED.lower().encode()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[GatewayProcess]:
    """A gateway of its own: its data directory is searched."""
    with running_gateway(tmp_path, webhooks__retry_scale=0.01, outbox__retry_scale=1000) as gateway:
        yield gateway


def holding(gateway: GatewayProcess) -> set[str]:
    """The files of the data directory that hold the address."""
    found = set()
    for path in gateway.data.rglob("*"):
        if path.is_file() and FOLDED in path.read_bytes().lower():
            found.add(path.relative_to(gateway.data).as_posix())
    return found


def is_locked(database: Path) -> bool:
    """Whether a connection of another process has SQLite's shared lock of a database."""
    with open(database, "r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)
        except OSError:
            return True
        return False


@pytest.mark.skipif(on_postgres(), reason="the database is no file")
def test_looking_for_what_is_left_leaves_the_gateways_locks_of_its_database(alone: GatewayProcess) -> None:
    """Without them another process that closes the database takes itself for the last one, and cuts its log."""
    assert is_locked(alone.data / "postern.db")
    assert answer(alone, "erase", "--person", ERASED, "--dry-run")["left"]["rows"] == {}
    assert is_locked(alone.data / "postern.db")


def test_a_person_is_gone_but_for_what_the_report_names(alone: GatewayProcess) -> None:
    organization = alone.organization
    inbox = organization.new_inbox("kept")
    address = inbox["email_address"]
    password = organization.call("POST", f"inboxes/{address}/credentials")["password"]
    deliver(
        alone,
        mail(
            address,
            "from them",
            "secret text of theirs\n",
            From=f"Quentin <{ERASED}>",
            Message_ID="<e1@x.example>",
        ),
        mail(address, "to them too", Cc=f"other@x.example, {ERASED}"),
        mail(address, "about them", f"ask {ERASED} about it\n"),
        mail(address, "not theirs", "hello\n", From=f"Not <not{ERASED}>"),
        *(mail(address, f"filler {n}") for n in range(5)),
    )
    until(lambda: len(shown(organization, address)) == 9)
    [theirs] = [name for name, one in shown(organization, address).items() if one["subject"] == "from them"]
    organization.call("POST", f"inboxes/{address}/messages/{theirs}/reply", json={"text": "to you"})
    organization.call(
        "POST", f"inboxes/{address}/drafts", json={"to": [ERASED], "subject": "unsent", "text": "dear Q"}
    )
    organization.call(
        "PUT", f"inboxes/{address}/policy", json={"sending": {"block": [ERASED, f"not{ERASED}"]}}
    )
    organization.call(
        "POST", "webhooks", json={"url": "http://127.0.0.1:8099/x", "event_types": ["message.received"]}
    )
    with person(alone, address, password) as client:  # a mail program has Dovecot keep header fields at hand
        client.select("INBOX")
        client.fetch("1:*", "(ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS (FROM TO CC)])")
    deliver(alone, mail(address, "again from them", From=ERASED))
    until(lambda: len(shown(organization, address)) >= 11)
    assert any(name.startswith("mail/") for name in holding(alone))
    assert on_postgres() or "postern.db" in " ".join(holding(alone))

    tried = answer(alone, "erase", "--person", ERASED, "--dry-run")
    assert tried["dry_run"] is True
    assert tried["found"]["messages"] == 4  # two from, one to, one reply
    assert tried["found"]["mentions"] == 1
    assert tried["found"]["drafts"] == 1
    assert len(shown(organization, address)) >= 11

    report = answer(alone, "erase", "--person", ERASED, "--yes", "--scan-mail")
    assert report["erased"]["messages"] == 4
    assert report["erased"]["drafts"] == 1
    assert report["erased"]["events"] >= 3
    assert report["erased"]["rules"] == 1
    policy = organization.call("GET", f"inboxes/{address}/policy")
    assert policy["own"]["sending"] == {"block": [f"not{ERASED}".lower()]}
    left = {one["subject"] for one in shown(organization, address).values()}
    assert left == {"about them", "not theirs", *(f"filler {n}" for n in range(5))}
    assert [name.partition(".")[0] for name in report["left"]["rows"]] != []  # the one that mentions them
    assert {name.partition(".")[0] for name in report["left"]["rows"]} <= {
        "event", "message", "message_body", "message_search", "thread", "attempt"
    }  # fmt: skip
    assert any("--mentions" in one for one in report["not_erased"])
    with person(alone, address, password) as client:
        assert client.select("INBOX")[1] == [b"7"]
        assert client.select("Drafts")[1] == [b"0"]
    # the other person's address contains theirs: gone for good is what is left when he is gone too
    both = answer(alone, "erase", "--person", ERASED, "--mentions", "--yes", "--scan-mail")
    assert both["erased"]["messages"] >= 1
    answer(alone, "erase", "--person", f"not{ERASED}", "--yes")
    last = answer(alone, "erase", "--person", ERASED, "--dry-run", "--scan-mail")
    assert last["left"]["rows"] == {}
    still = {one for one in holding(alone) if not one.endswith("-shm")}
    assert still == set(last["left"]["files"])
    assert all(Path(one).name.endswith((".log", ".out")) for one in still), still


def test_an_inbox_and_an_organization(alone: GatewayProcess) -> None:
    organization = alone.new_organization("Going")
    first = organization.new_inbox("going-one")["email_address"]
    second = organization.new_inbox("going-two")["email_address"]
    deliver(alone, mail(first, "one"), mail(second, "two"))
    until(lambda: shown(organization, first) and shown(organization, second))
    done = answer(alone, "erase", "--inbox", first, "--yes")
    assert done["erased"] == {"messages": 1, "inboxes": 1}
    assert not any("alias" in one for one in done["not_erased"])
    assert answer(alone, "erase", "--inbox", first, "--yes", code=3)["error"].startswith("there is no inbox")
    organization.call("POST", "aliases", json={"address": first, "refused": True})
    refused = answer(alone, "erase", "--person", first, "--yes")
    assert f"postern alias remove {first}" in " ".join(refused["not_erased"])
    gone = answer(alone, "erase", "--organization", organization.id, "--yes")
    assert gone["erased"]["organization"] == 1
    assert gone["erased"]["api_key"] == 1
    with organization.client() as client:
        assert client.get("inboxes").status_code == 401
    data = b"".join(path.read_bytes() for path in alone.data.glob("postern.db*") if path.is_file())
    assert second.encode() not in data
    assert organization.id.removeprefix("org_").encode() not in data
    own = answer(alone, "erase", "--organization", alone.organization.id, "--yes", code=1)
    assert "own organization" in own["error"]


def test_what_is_refused(gateway: GatewayProcess) -> None:
    for arguments, code in (
        (["--person", "no address"], 1),
        ([], 2),
        (["--person", "a@b.c", "--inbox", "d@e.f"], 2),
    ):
        done = gateway.postern("erase", *arguments, "--yes", "--json")
        assert done.returncode == code, done.stderr
    key: dict[str, Any] = {"Authorization": f"Bearer {gateway.new_organization().api_key}"}
    import httpx

    for path in ("imap", "read", "erase"):
        url = f"{gateway.base_url}/operator/{path}"
        assert httpx.post(url, headers=key, json={}, trust_env=False).status_code == 404
        assert httpx.post(url, json={}, trust_env=False).status_code == 401
