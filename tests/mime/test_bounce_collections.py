"""How much of public collections of bounces is understood, and that other mail is not taken for one."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.mime.reports import report
from gateway.mime.types import Report, ReportedRecipient
from gateway.store.suppressions import is_hard_bounce

COLLECTIONS = Path(os.environ.get("POSTERN_CORPORA", "../shared/corpora"))
KIND, RECIPIENT, HARD = 0.90, 0.90, 0.85
DEAD = {"userunknown", "hostunknown", "notaccept", "hasmoved"}  # the collection's own words for a hard bounce


def mails(name: str) -> Iterator[tuple[dict[str, Any], Report | None]]:
    folder = COLLECTIONS / name
    if not (folder / "manifest.jsonl").exists():
        pytest.skip(f"the collection {name} is not in {COLLECTIONS}")
    for line in (folder / "manifest.jsonl").read_text("utf-8").splitlines():
        row = json.loads(line)
        yield row, report((folder / row["file"]).read_bytes())


def addresses(found: Report | None) -> set[str]:
    people = found.recipients if found else []
    return {name.lower() for one in people for name in (one.address, one.original) if name}


def check(counts: Counter[str]) -> None:
    shares = {name: counts[f"{name} right"] / counts[name] for name in ("kind", "recipient", "hard")}
    print({name: round(share, 3) for name, share in shares.items()})
    assert shares["kind"] >= KIND
    assert shares["recipient"] >= RECIPIENT
    assert shares["hard"] >= HARD


def kind_of(found: Report | None) -> str:
    if found is None or found.kind == "feedback":
        return "none" if found is None else "feedback"
    return "bounce" if any(one.action in ("failed", "delayed") for one in found.recipients) else "delivered"


def about(found: Report | None, address: str) -> ReportedRecipient | None:
    people = found.recipients if found else []
    named = (one for one in people if address in (one.address.lower(), (one.original or "").lower()))
    return next(named, people[0] if people else None)


def test_sisimai() -> None:
    counts: Counter[str] = Counter()
    for row, found in mails("sisimai"):
        for wanted in row["expect"].get("bounce") or []:
            reason = wanted["reason"]
            kind = {"feedback": "feedback", "vacation": "none", "delivered": "delivered"}.get(
                reason, "bounce"
            )
            counts["kind"] += 1
            counts["kind right"] += kind_of(found) == kind
            if kind == "bounce":
                address = wanted["recipient"].lower()
                one = about(found, address)
                hard = one is not None and (is_hard_bounce(one.status) or one.status == "5.1.2")
                counts["recipient"] += 1
                counts["recipient right"] += address in addresses(found)
                counts["hard"] += 1
                counts["hard right"] += one is not None and hard == (reason in DEAD)
    check(counts)


def test_flufl_bounce() -> None:
    counts: Counter[str] = Counter()
    for row, found in mails("flufl_bounce"):
        wanted = row["expect"].get("addresses")
        if wanted is None:
            continue
        counts["kind"] += 1
        counts["kind right"] += kind_of(found) == "bounce"
        counts["recipient"] += 1
        counts["recipient right"] += {one.lower() for one in wanted} <= addresses(found)
        counts["hard"] += 1
        temporary = found is not None and all(one.action == "delayed" for one in found.recipients)
        counts["hard right"] += found is not None and temporary == row["expect"]["temporary"]
    check(counts)


BOUNCES_ELSEWHERE = {
    # what the other collections have of bounces, by their own file names
    "broken-mime.eml",
    "gmail-invalid-address.eml",
    "gmail-no-dns.eml",
    "badbound.msg",
}


@pytest.mark.parametrize(
    "name",
    [
        "auth_arc_suite",
        "auth_dkimpy",
        "auth_mailauth",
        "cpython",
        "flanker",
        "github_erp",
        "icalendar",
        "mail_parser_py",
        "mail_parser_reply",
        "mime4j",
        "php_mime_mail_parser",
        "ruby_mail",
        "talon",
    ],
)
def test_no_ordinary_mail_is_taken_for_a_bounce(name: str) -> None:
    words = [
        row["src"]
        for row, found in mails(name)
        if found is not None and found.words and Path(row["src"]).name not in BOUNCES_ELSEWHERE
    ]
    assert words == []
