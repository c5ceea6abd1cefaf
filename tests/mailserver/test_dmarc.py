"""DMARC by RFC 9989: the walk up the tree, which policy covers a domain, and what is aligned."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailserver.embedded.authentication.dmarc import Evaluation, Identifier, evaluate
from mailserver.embedded.authentication.lookups import Unanswered
from mailserver.embedded.authentication.tree_walk import organization_of, targets, walk
from tests.support.zone import Records, Zone


def zone(changes: dict[str, str | list[str] | None] | None = None, *names: str) -> Zone:
    """DMARC records by domain, and ``names`` that exist."""
    records: dict[tuple[str, str], list[str] | None] = {(name, "A"): ["192.0.2.1"] for name in names}
    for domain, texts in (changes or {}).items():
        many = [texts] if isinstance(texts, str) else texts
        records["_dmarc." + domain, "TXT"] = many if many is None else [f'"{one}"' for one in many]
    return Zone(records)


def judged(
    names: Zone, author: str, result: str = "pass", domain: str = "", mode: str = "adkim"
) -> Evaluation:
    one = Identifier(result, domain or author, "aspf" if mode == "aspf" else "adkim")
    return evaluate(names.lookups(), author, [one])


@pytest.mark.parametrize(
    ("start", "asked"),
    [
        ("test", ["test"]),
        ("a.mail.far.test", ["a.mail.far.test", "mail.far.test", "far.test", "test"]),
        (
            "a.b.c.d.e.f.g.h.i.j.mail.far.test",
            [
                "a.b.c.d.e.f.g.h.i.j.mail.far.test", "g.h.i.j.mail.far.test", "h.i.j.mail.far.test",
                "i.j.mail.far.test", "j.mail.far.test", "mail.far.test", "far.test", "test",
            ],
        ),
        (
            "a.b.c.d.e.f.g.h",
            [
                "a.b.c.d.e.f.g.h", "b.c.d.e.f.g.h", "c.d.e.f.g.h", "d.e.f.g.h",
                "e.f.g.h", "f.g.h", "g.h", "h",
            ],
        ),
    ],
)  # fmt: skip
def test_a_walk_asks_eight_times_at_most(start: str, asked: list[str]) -> None:
    assert targets(start) == asked


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=120).map(".".join))
def test_a_walk_goes_from_any_domain_to_its_last_label(domain: str) -> None:
    names = targets(domain)
    assert (names[0], names[-1], len(names) <= 8) == (domain, domain.rpartition(".")[2], True)
    assert all(one.endswith("." + other) for one, other in pairwise(names))


@pytest.mark.parametrize(
    ("records", "start", "organization"),
    [
        ({}, "a.mail.far.test", "a.mail.far.test"),
        ({"mail.far.test": "v=DMARC1", "far.test": "v=DMARC1"}, "a.mail.far.test", "far.test"),
        ({"test": "v=DMARC1; psd=y"}, "a.mail.far.test", "far.test"),
        ({"test": "v=DMARC1; psd=y", "mail.far.test": "v=DMARC1"}, "a.mail.far.test", "far.test"),
        ({"far.test": "v=DMARC1; psd=n", "test": "v=DMARC1"}, "a.far.test", "far.test"),
        ({"far.test": "v=DMARC1; psd=y", "test": "v=DMARC1"}, "far.test", "far.test"),  # where it starts
        ({"far.test": ["v=DMARC1; psd=y", "v=DMARC1"], "test": "v=DMARC1"}, "a.far.test", "test"),
        ({"far.test": "v=DMARC2; psd=n", "test": "v=DMARC1"}, "a.far.test", "test"),
    ],
)
def test_the_organization_is_where_the_records_say(
    records: dict[str, str | list[str] | None], start: str, organization: str
) -> None:
    assert organization_of(start, walk(zone(records).lookups(), start)) == organization


@pytest.mark.parametrize(
    ("records", "author", "published", "at"),
    [
        ({"far.test": "v=DMARC1; p=reject; sp=none"}, "far.test", "reject", "far.test"),
        ({"far.test": "v=DMARC1; p=reject; sp=none"}, "known.far.test", "none", "far.test"),
        ({"far.test": "v=DMARC1; p=none; np=reject"}, "known.far.test", "none", "far.test"),
        ({"far.test": "v=DMARC1; p=none; np=reject"}, "unknown.far.test", "reject", "far.test"),
        ({"far.test": "v=DMARC1; p=none; sp=quarantine"}, "unknown.far.test", "quarantine", "far.test"),
        ({"far.test": "v=DMARC1; p=reject; t=y"}, "far.test", "quarantine", "far.test"),
        ({"far.test": "v=DMARC1; p=quarantine; t=Y"}, "far.test", "none", "far.test"),
        ({"far.test": "v=DMARC1; p=none; t=y"}, "far.test", "none", "far.test"),
        ({"far.test": "v=DMARC1"}, "far.test", "none", "far.test"),  # p is none where it is not said
        ({"far.test": "v=DMARC1; rua=mailto:a@far.test; p=bad"}, "far.test", "none", "far.test"),
        ({"test": "v=DMARC1; p=none; np=reject; psd=y"}, "unknown.test", "reject", "test"),
        (
            {"test": "v=DMARC1; p=reject; psd=y", "far.test": "v=DMARC1; p=none"},
            "a.far.test",
            "none",
            "far.test",
        ),
        # neither the author's nor the organization's
        (
            {"b.far.test": "v=DMARC1; p=reject", "far.test": "v=DMARC1; p=none"},
            "a.b.far.test",
            "none",
            "far.test",
        ),
    ],
)
def test_the_policy_that_covers_a_domain(
    records: dict[str, str | list[str] | None], author: str, published: str, at: str
) -> None:
    found = judged(zone(records, "known.far.test"), author, "fail")
    assert (found.result, found.published, found.domain) == ("fail", published, at)


@pytest.mark.parametrize(
    ("records", "result"),
    [
        ({}, "none"),
        ({"far.test": ["v=DMARC1; p=reject", "v=DMARC1; p=none"]}, "none"),
        ({"far.test": "v=DMARC1; p=bad"}, "permerror"),
        ({"far.test": "v=DMARC1; p=none; sp=bad"}, "permerror"),
        ({"far.test": None}, "temperror"),
        ({"a.far.test": "v=DMARC1; p=bad; rua=nonsense"}, "none"),
    ],
)
def test_without_a_policy_nothing_fails(records: dict[str, str | list[str] | None], result: str) -> None:
    found = judged(zone(records), "far.test", "fail")
    assert (found.result, found.published, found.domain) == (result, "", "")


@pytest.mark.parametrize(
    ("policy", "domain", "mode", "aligned", "result"),
    [
        ("p=reject", "far.test", "adkim", "strict", "pass"),
        ("p=reject", "mail.far.test", "adkim", "relaxed", "pass"),
        ("p=reject; adkim=s", "mail.far.test", "adkim", "relaxed", "fail"),
        ("p=reject; adkim=s", "mail.far.test", "aspf", "relaxed", "pass"),
        ("p=reject; aspf=s", "mail.far.test", "aspf", "relaxed", "fail"),
        ("p=reject", "near.test", "adkim", "no", "fail"),
        ("p=reject", "far.example", "adkim", "no", "fail"),
        ("p=reject", "far.test.", "adkim", "no", "fail"),
    ],
)
def test_what_proves_an_author(policy: str, domain: str, mode: str, aligned: str, result: str) -> None:
    found = judged(zone({"far.test": f"v=DMARC1; {policy}"}), "far.test", "pass", domain, mode)
    assert (found.aligned, found.result) == ((aligned,), result)


def test_two_domains_below_a_public_suffix_are_two_organizations() -> None:
    names = zone({"test": "v=DMARC1; p=reject; psd=y"})
    assert judged(names, "far.test", "pass", "near.test").result == "fail"
    assert judged(names, "a.far.test", "pass", "far.test").result == "pass"


@pytest.mark.parametrize(
    ("silent", "result", "domain", "verdict"),
    [
        ("test", "pass", "far.test", "pass"),  # the same domain needs no walk
        ("test", "pass", "mail.far.test", "temperror"),
        ("test", "temperror", "mail.far.test", "temperror"),
        ("test", "fail", "mail.far.test", "fail"),
        ("mail.far.test", "pass", "mail.far.test", "temperror"),
        (
            "near.test",
            "pass",
            "near.test",
            "fail",
        ),  # not asked for: it is not below the author's organization
    ],
)
def test_a_walk_that_times_out_is_no_failure(silent: str, result: str, domain: str, verdict: str) -> None:
    names = zone({"far.test": "v=DMARC1; p=reject", silent: None})
    assert judged(names, "far.test", result, domain).result == verdict


def test_a_policy_for_a_name_that_may_not_exist_is_the_mildest() -> None:
    records: Records = {
        ("_dmarc.far.test", "TXT"): ['"v=DMARC1; p=quarantine; np=reject"'],
        ("a.far.test", "A"): None,
    }
    assert judged(Zone(records), "a.far.test", "fail").published == "quarantine"


def test_the_lookups_of_a_message_are_bounded_and_none_is_made_twice() -> None:
    names = zone({"far.test": "v=DMARC1; p=reject"})
    lookups = names.lookups(most=12)
    many = [Identifier("fail", f"{'.'.join('abcdefgh')}{at}.far.test", "adkim") for at in range(20)]
    found = evaluate(lookups, "far.test", many)
    assert len(names.asked) == len(set(names.asked)) == 12
    assert (found.result, found.aligned[0], found.aligned[-1]) == ("fail", "relaxed", None)


def test_no_lookup_is_made_when_the_time_is_over() -> None:
    names = zone({"far.test": "v=DMARC1; p=reject"})
    with pytest.raises(Unanswered):
        names.lookups(seconds=0).texts("_dmarc.far.test")
    assert not names.asked


@pytest.mark.parametrize("name", ["", "a..b", "a" * 64 + ".test", "é.test", ".".join(["a" * 60] * 5)])
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    names = zone()
    lookups = names.lookups()
    assert (lookups.texts(name), lookups.exists(name), names.asked) == ([], False, [])


def test_a_backslash_in_mail_escapes_nothing() -> None:
    names = zone()
    names.lookups().texts(r"s._domainkey.evil\.far.test")
    assert names.asked == [("s._domainkey.evil\\.far.test", "TXT")]
