from __future__ import annotations

from gateway.mime.one_time import OneTime, find
from tests.mime.one_time_samples import NEGATIVE, POSITIVE, Sample


def _found(sample: Sample) -> OneTime:
    return find(sample.subject, sample.text, sample.html, sample.sender)


def _wrong(samples: list[Sample]) -> list[str]:
    return [
        f"{one.name}: {tuple(_found(one))!r} instead of {(one.code, one.link)!r}"
        for one in samples
        if _found(one) != (one.code, one.link)
    ]


def test_codes_and_links_are_found_and_nothing_else() -> None:
    missed, invented = _wrong(POSITIVE), _wrong(NEGATIVE)
    assert not missed and not invented, "\n".join(  # noqa: PT018 - one summary of both
        [
            f"{len(POSITIVE) - len(missed)} of {len(POSITIVE)} right where there is one,",
            f"{len(NEGATIVE) - len(invented)} of {len(NEGATIVE)} right where there is none",
            *missed,
            *invented,
        ]
    )


def test_the_table_is_large_enough_to_mean_something() -> None:
    assert len(POSITIVE) >= 60
    assert len(NEGATIVE) >= 60
    assert len({one.name for one in POSITIVE + NEGATIVE}) == len(POSITIVE) + len(NEGATIVE)
