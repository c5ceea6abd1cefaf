"""Who gets a connection, counted by IPv4 address, IPv6 /64 and /48, and login."""

from __future__ import annotations

import pytest

from mailserver.doorway import Doorway, Place
from mailserver.inflight import InFlight, NoRoom
from mailserver.networks import client_of, site_of


def let_in(door: Doorway, addresses: list[str]) -> list[Place]:
    return [place for one in addresses if (place := door.enter(one)) is not None]


@pytest.mark.parametrize(
    ("address", "client", "site"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/48"),
        ("", "", ""),
    ],
)
def test_whom_an_address_counts_as(address: str, client: str, site: str) -> None:
    assert (client_of(address), site_of(address)) == (client, site)


def test_one_network_cannot_take_all_places() -> None:
    door = Doorway(500, 50, 100)
    assert len(let_in(door, [f"2001:db8:1:2::{n:x}" for n in range(1, 500)])) == 50
    assert len(let_in(door, [f"2001:db8:1:{n:x}::1" for n in range(3, 500)])) == 50  # the rest of its /48
    assert len(let_in(door, ["198.51.100.1"] * 60)) == 50
    assert door.enter("203.0.113.1") is not None


def test_the_last_places_are_for_those_who_have_none_yet() -> None:
    door = Doorway(100, 50, 20)
    known = [f"192.0.2.{n}" for n in range(40)]
    assert len(let_in(door, known * 3)) == 80
    assert door.crowded
    assert len(let_in(door, [f"198.51.100.{n}" for n in range(40)])) == 20
    assert door.enter("203.0.113.1") is None


def test_places_are_given_back() -> None:
    door = Doorway(10, 2, 2)
    places = let_in(door, ["192.0.2.1"] * 3)
    assert len(places) == 2
    for one in places:
        door.leave(one)
    assert len(let_in(door, ["192.0.2.1"] * 3)) == 2


def test_strangers_leave_half_of_a_submission_service_to_those_who_log_in() -> None:
    door = Doorway(20, 4, 0, logins=True)
    places = let_in(door, [f"192.0.2.{n}" for n in range(30)])
    assert len(places) == 10
    assert [door.move(one, "a@x.test") for one in places[:5]] == [True] * 4 + [False]
    assert len(let_in(door, [f"198.51.100.{n}" for n in range(30)])) == 4
    door.leave(places[0])
    assert door.move(places[4], "a@x.test")


def test_one_client_has_half_of_what_may_be_in_flight() -> None:
    ledger = InFlight(1000)
    with ledger.upload("a") as first, ledger.upload("b") as second:
        first.add(500)
        with pytest.raises(NoRoom):
            first.add(1)
        assert ledger.full("a")
        assert not ledger.full("b")
        second.add(500)
        with pytest.raises(NoRoom), ledger.upload("c") as third:
            third.add(1)
    assert ledger.octets == 0
