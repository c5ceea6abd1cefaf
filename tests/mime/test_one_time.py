from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.one_time.one_time import OneTime, find
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


def test_a_link_that_is_too_long_to_be_kept_whole_is_none() -> None:
    long = "https://acme.test/verify?token=" + "aB3" * 1000
    assert find("Verify your email", f"Verify your email: {long}", None, None).link is None
    shown = f'<a href="{long}">https://acme.test/verify?token=Zt8kQ2vLx9RmN4pW7sYb</a>'
    assert find("Verify your email", None, shown, None).link is None


WORDS = st.sampled_from(
    [
        "your verification code is",
        "code",
        "482913",
        "482 913",
        "4 8 2 9",
        "X7K9QP",
        "ABC-DEF",
        "G-123456",
        "2026",
        "order",
        "\n",
        "https://a.test/verify?token=Zt8kQ2vLx9RmN4pW7sYb",
        "<https://a.test/x>",
        "<",
        ">",
        "https://[",
        "verify your email",
        ":",
        "：",
        "９１２３",
        "\u2028",
        "\u200b",
        "認証コード",
        "https://" + "a" * 2100,
        "mailto:a@b.c",
        "javascript:x",
    ]
)


@given(st.lists(st.one_of(WORDS, st.text(max_size=12))), st.text(max_size=40), st.booleans())
def test_any_text_is_searched_and_what_is_found_stands_in_it(
    pieces: list[str], subject: str, html: bool
) -> None:
    text = " ".join(pieces)
    found = find(subject, None if html else text, text if html else None, "a@b.test")
    if found.code is not None:
        assert 4 <= len(found.code) <= 20
        assert found.code.replace("-", "").isalnum()
        assert found.code.isascii()
    if found.link is not None:
        assert found.link.startswith(("http://", "https://"))
        assert found.link in text
