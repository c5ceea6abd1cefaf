from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.one_time.one_time import OneTime, find
from tests.mime.one_time_languages import CODE, CODES, LINK, LINKS, OTHER_LINKS, OTHER_NUMBERS
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


@pytest.mark.parametrize("language", CODES)
def test_codes_are_found_in_every_language_and_wording(language: str) -> None:
    texts = [(one, CODE) if isinstance(one, str) else one for one in CODES[language]]
    found = {text: find("Notification", text, None, "no-reply@acme.test").code for text, _ in texts}
    assert found == dict(texts)


@pytest.mark.parametrize("language", OTHER_NUMBERS)
def test_other_numbers_are_no_codes_in_any_language(language: str) -> None:
    found = {
        text: find("Notification", text, None, "no-reply@acme.test").code for text in OTHER_NUMBERS[language]
    }
    assert found == dict.fromkeys(OTHER_NUMBERS[language])


@pytest.mark.parametrize(("language", "subject", "above", "label"), LINKS)
def test_a_link_is_found_by_few_words(language: str, subject: str, above: str, label: str) -> None:
    html = f'<p>{above}</p><a href="{LINK}">{label}</a>'
    assert find(subject, None, html, "no-reply@acme.test").link == LINK


@pytest.mark.parametrize(("subject", "above", "label"), OTHER_LINKS)
def test_a_link_for_something_else_is_none(subject: str, above: str, label: str) -> None:
    html = f'<p>{above}</p><a href="{LINK}">{label}</a>'
    assert find(subject, None, html, "no-reply@acme.test").link is None


def test_a_button_to_sign_in_is_found_where_it_is_the_only_link_with_a_secret() -> None:
    button = f'<a href="{LINK}">Sign in</a>'
    assert find("Sign in to Acme", None, f"<p>Hi,</p>{button}", None).link == LINK
    two = f'{button}<a href="{LINK}2">Our offices</a>'
    assert find("Sign in to Acme", None, two, None).link is None
    public = '<a href="https://acme.test/login">Sign in</a>'
    assert find("Sign in to Acme", None, public, None).link is None
    assert find("Sign in to Acme", None, f"{button}{public}", None).link == LINK
    assert find("Our news of May", None, button, None).link is None


def test_words_of_a_longer_mail_are_read_in_its_own_language() -> None:
    footer = (
        "Jos se et ollut sinä, voit jättää viestin huomiotta, ja jos tilisi ei toimi, autamme sinua. " * 6
    )
    assert find("Acme", f"Vahvistuskoodisi on 470391.\n\n{footer}", None, None).code == "470391"
    assert find("Acme", f"Tilausnumerosi on 470391.\n\n{footer}", None, None).code is None


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
