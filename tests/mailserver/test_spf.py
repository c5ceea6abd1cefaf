"""SPF by RFC 7208, through our own lookups: what was wrong once, and the suite of the RFC where it is at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailserver.embedded.authentication.spf_check import sender_result
from tests.support.zone import Records, Zone

SHARED = Path(__file__).parents[3] / "shared"


def result(records: Records, peer: str = "192.0.2.4", sender: str = "eve@far.test") -> str:
    return sender_result(Zone(records).lookups(), peer, "c.far.test", sender)[0]


def test_aliases_in_a_circle_are_no_time_out() -> None:
    records: Records = {
        ("far.test", "TXT"): ['"v=spf1 ptr"'],
        ("4.2.0.192.in-addr.arpa", "PTR"): ["a.far.test."],
        ("a.far.test", "CNAME"): ["b.far.test."],
        ("b.far.test", "CNAME"): ["B.far.test."],
    }
    assert result(records) == "neutral"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("a:silent.far.test -all", "temperror"),
        ("mx:silent.far.test -all", "temperror"),
        ("include:silent.far.test -all", "temperror"),
        ("ip4:192.0.2.4 a:silent.far.test -all", "pass"),  # not asked for
        ("a:missing.far.test -all", "fail"),
        ("a:a..far.test -all", "fail"),  # no name, so it matches nothing
    ],
)
def test_a_time_out_is_no_failure(policy: str, expected: str) -> None:
    kinds = ("A", "AAAA", "MX", "TXT")
    silent: dict[tuple[str, str], list[str] | None] = {("silent.far.test", kind): None for kind in kinds}
    assert result(silent | {("far.test", "TXT"): [f'"v=spf1 {policy}"']}) == expected


def test_two_policies_are_an_error() -> None:
    assert result({("far.test", "TXT"): ['"v=spf1 -all"', '"v=spf1 +all"']}) == "permerror"


def test_the_suite_of_the_rfc() -> None:
    found = next(iter(sorted(SHARED.rglob("rfc7208-tests.yml"))), None) if SHARED.is_dir() else None
    if found is None:
        pytest.skip("../shared has no rfc7208-tests.yml, the suite of RFC 7208")
    yaml = pytest.importorskip("yaml")
    wrong = []
    for scenario in filter(None, yaml.safe_load_all(found.read_text(encoding="utf-8"))):
        records = records_of(scenario["zonedata"])
        for name, test in scenario["tests"].items():
            got, _ = sender_result(Zone(records).lookups(), test["host"], test["helo"], test["mailfrom"])
            if got not in (test["result"] if isinstance(test["result"], list) else [test["result"]]):
                wrong.append((scenario["description"], name, got))
    assert not wrong, wrong


def records_of(zone: dict[str, list[Any]]) -> dict[tuple[str, str], list[str] | None]:
    """The suite's zones as ours: SPF records count as TXT unless those are given, TIMEOUT is all that is not given."""
    records: dict[tuple[str, str], list[str] | None] = {}
    for name, given in zone.items():
        pairs = [pair for one in given if isinstance(one, dict) for pair in one.items()]
        kinds = {kind for kind, value in pairs if value != "NONE"}
        for one in given:
            if one == "TIMEOUT":
                records |= {
                    (name, kind): None for kind in ("A", "AAAA", "MX", "PTR", "TXT") if kind not in kinds
                }
                continue
            ((kind, value),) = one.items()
            if kind == "SPF":
                if "TXT" in {kind for kind, _ in pairs} or "TIMEOUT" in given:
                    continue
                kind = "TXT"
            texts = records.setdefault((name, kind), [])
            if texts is not None and value not in ("NONE", []):
                texts.append(_text(kind, value))
    return records


def _text(kind: str, value: Any) -> str:
    if kind == "MX":
        return f"{value[0]} {value[1].rstrip('.')}."
    if kind in ("PTR", "CNAME"):
        return str(value).rstrip(".") + "."
    if kind == "TXT":
        parts = value if isinstance(value, list) else [value]
        return " ".join('"' + "".join(f"\\{octet:03}" for octet in one.encode()) + '"' for one in parts)
    return str(value)
