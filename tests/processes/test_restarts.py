"""The database or the mail server is restarted again and again while sends run: each is made once, and soon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.processes.fleet import fleet
from tests.processes.traffic import Sends
from tests.support.postgres_server import PostgresCluster, postgres_cluster
from tests.support.waiting import until

RESTARTS = 4
KILLS = 2


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresCluster]:
    """A cluster to kill."""
    with postgres_cluster(tmp_path_factory.mktemp("own")) as cluster:
        yield cluster


@pytest.mark.parametrize("processes", [1, 2])
def test_no_send_waits_after_restarts_of_the_database(
    own: PostgresCluster, tmp_path: Path, processes: int
) -> None:
    with fleet(own, tmp_path) as gateways:
        members = [gateways.member("first", "all")]
        members += [gateways.member(f"other-{n}") for n in range(1, processes)]
        for one in members:
            one.begin()
            one.wait()
        _, key = gateways.key()
        sends = Sends(gateways, members, key)
        with sends.going():
            for _ in range(RESTARTS):
                sends.more(8)
                own.kill()
                own.start()
            sends.more(8)
        sends.settled()
        sends.each_once()


@pytest.mark.timeout(600)  # the mail server starts anew again and again
@pytest.mark.parametrize("processes", [1, 2])
def test_a_mail_server_that_is_killed_doubles_nothing(
    postgres: PostgresCluster, tmp_path: Path, processes: int
) -> None:
    """Its process dies at any moment of a delivery, and stays away while the gateways go on; one of them dies, too,
    with what it had begun."""
    with fleet(postgres, tmp_path, outbox__retry_scale=0.2) as gateways:
        mail = gateways.member("mail", "mail")
        mail.begin()
        mail.wait()
        members = [gateways.member(f"gateway-{n}") for n in range(processes)]
        for one in members:
            one.begin()
        for one in members:
            one.wait()
        _, key = gateways.key()
        sends = Sends(gateways, members, key)
        labelled = []
        with sends.going():
            for n in range(KILLS):
                sends.more(6)
                mail.kill()
                for address, _, _, message in sends.accepted[-2:]:
                    answer = httpx.patch(
                        f"{members[0].base_url}/api/v0/inboxes/{address}/messages/{message}",
                        headers={"Authorization": f"Bearer {key}"},
                        json={"add_labels": ["seen-by-agent"]},
                        trust_env=False,
                        timeout=60,
                    )
                    assert answer.status_code in (200, 503)
                    if answer.status_code == 200:
                        labelled.append((address, message))
                sends.more(4)
                if n % 2:
                    victim = members[-1]
                    victim.kill()
                    victim.begin()
                    victim.wait()
                mail.begin()
                mail.wait()
            sends.more(6)
        sends.settled(90)
        sends.each_once()
        for address, message in labelled:
            path = f"/api/v0/inboxes/{address}/messages/{message}"
            until(
                lambda path=path: "seen-by-agent" in members[0].call("GET", path, key)["labels"],
                30,
                "the label is kept",
            )
