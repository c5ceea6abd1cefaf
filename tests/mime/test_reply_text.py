from __future__ import annotations

import textwrap

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.reply.reply_text import extract_reply_text
from tests.mime.quotations import ATTRIBUTIONS, DEVICES, FORWARDS, HEADER_BLOCKS


@pytest.mark.parametrize("name", ATTRIBUTIONS)
@pytest.mark.parametrize(
    "above", ["Yes, at 10:30.\n\nBye\n\n", "Yes, at 10:30.\n\nBye\n"], ids=["apart", "below"]
)
def test_what_an_attribution_introduces_is_cut(name: str, above: str) -> None:
    assert extract_reply_text(f"{above}{ATTRIBUTIONS[name]}\n\n> old\n> text\n") == "Yes, at 10:30.\n\nBye"


@pytest.mark.parametrize("name", ATTRIBUTIONS)
def test_an_attribution_over_an_unmarked_quotation_ends_the_mail(name: str) -> None:
    if "<bob@x.test>" in ATTRIBUTIONS[name]:
        assert extract_reply_text(f"Yes.\n\n{ATTRIBUTIONS[name]}\n\nold\n") == "Yes."


@pytest.mark.parametrize("name", ATTRIBUTIONS)
@pytest.mark.parametrize("width", [72, 60, 45, 34])
def test_an_attribution_is_cut_wherever_its_lines_are_broken(name: str, width: int) -> None:
    said = "\n".join(textwrap.wrap(ATTRIBUTIONS[name], width, break_long_words=False, break_on_hyphens=False))
    for above in ("Yes, do.\n\n", "Yes, do.\n"):
        assert extract_reply_text(f"{above}{said}\n\n> old\n> text\n") == "Yes, do."
        if "@" in said:
            assert extract_reply_text(f"{above}{said}\n\nold\ntext\n") == "Yes, do."


@pytest.mark.parametrize("name", [name for name, said in ATTRIBUTIONS.items() if "@x.test>" in said])
def test_an_attribution_is_cut_whose_address_is_broken_before_its_bracket(name: str) -> None:
    said = ATTRIBUTIONS[name].replace("@x.test>", "@x.test\n>")
    assert extract_reply_text(f"Yes, do.\n\n{said}\n\n> old") == "Yes, do."


@pytest.mark.parametrize(
    "quoted",
    [
        "2026/1/5 Bob via Forum <forum@x.test>\n\n| old\n| text\n",
        "2026/1/5 Bob Nine <bob@x.test>\n\n> old\n",
        "Bo> old\nBo> text\nBo> more",
        "On 5 Jan 2026, Bob wrote:\n\n | old\n > text",
        "On 1/5/26 10:00 AM, Bob wrote: > old > text",
        "Bob Nine wrote on Monday:\n> old",
        "\u1427\n\nOn 1/5/26 10:00, Bob wrote:\n> old",
        "\u1427",
        "On Monday,\nJanuary 5, 2026 at 10:00 Bob wrote:\n> old",
    ],
)
def test_other_ways_to_quote_are_known(quoted: str) -> None:
    assert extract_reply_text(f"Yes, do.\n\n{quoted}") == "Yes, do."


@pytest.mark.parametrize("name", HEADER_BLOCKS)
def test_what_a_header_block_introduces_is_cut(name: str) -> None:
    assert (
        extract_reply_text(f"Yes, at 10:30.\n\nBye\n\n{HEADER_BLOCKS[name]}\n\nold\n")
        == "Yes, at 10:30.\n\nBye"
    )
    assert "old" in extract_reply_text(f"{HEADER_BLOCKS[name]}\n\nold\n"), "it is all there is"


@pytest.mark.parametrize("line", DEVICES)
def test_the_line_of_a_phone_is_cut(line: str) -> None:
    assert extract_reply_text(f"Fine.\n\n{line}\n") == "Fine."
    assert extract_reply_text(f"Fine.\n\n{line}\n\n{ATTRIBUTIONS['gmail en']}\n\n> old\n") == "Fine."


@pytest.mark.parametrize("name", FORWARDS)
def test_a_forward_keeps_what_it_forwards(name: str) -> None:
    forward = f"{FORWARDS[name]}\n\nthe content\n\n{HEADER_BLOCKS['outlook en']}\n\nolder content\n-- \nBob"
    found = extract_reply_text(f"See below.\n-- \nMe\n\n{forward}")
    assert found == f"See below.\n\n{forward}"


def test_a_forward_told_by_its_subject_is_kept_whole() -> None:
    text = f"See below.\n\n{HEADER_BLOCKS['outlook de']}\n\nthe content"
    assert extract_reply_text(text, forward=True) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("> old\n\nnew below", "new below"),
        ("On 1/5/26 10:00, Bob <b@x.y> wrote:\n> old one\n\nnew below", "new below"),
        (f"{ATTRIBUTIONS['gmail en']}\n> Q1?\nA1\n> Q2?\nA2\n\nBob", "A1\nA2\n\nBob"),
        ("Hello\n> On 22 Aug 2015, at 19:21, Bob <bob@x.test> wrote:\n>\n> Hi there!", "Hello"),
        ("Hi\n-- \nBob\nCEO", "Hi"),
        ("Hi\n--\nBob\nCEO", "Hi"),
        ("Hi\n-- \n" + "an address\n" * 30, "Hi"),
        ("Hi\n\n" + "_" * 47 + "\nthe list\nhttps://lists.x.test/a", "Hi"),
        ("-- \nonly a signature", "-- \nonly a signature"),
        ("> only\n> a quotation", "> only\n> a quotation"),
        ("The steps are these:\n1. go\n2. stop", "The steps are these:\n1. go\n2. stop"),
        (HEADER_BLOCKS["original"], HEADER_BLOCKS["original"]),
        ("", ""),
        ("  \n ", ""),
    ],
)  # fmt: skip
def test_what_is_kept(text: str, kept: str) -> None:
    assert extract_reply_text(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        "Trip:\n\nFrom: Berlin\nTo: Paris\nDate: 2026-01-05\n\nok?",
        "With bob@x.test on 2026-01-05 at 10:00, agenda:\n\n1. one",
        "Try:\n>>> print(1)\n1",
        "Hi\n\nSent from my desk, which is easier than my mobile phone.",
        "Hi\n\nSent: yes",
        "The parcel?\n\nSent via courier yesterday.",
        "Name: Bob\nAge: 7\nCity: Rome",
        "Shopping list:\n\n- milk",
        "As Bob Nine <bob@x.test> wrote:\n\nwe need it.",
        "SQL> select 1;\nSQL> select 2;",
        "Try A> and B> here.\nQ> only once",
        "2026-01-05  Bob Nine  <bob@x.test>\n\n\t* file.c: New.",
        "The table:\n\n| a | b |\n|---|---|\n| 1 | 2 |",
        "--- a/file.c\n+++ b/file.c\n- 2026\n+ 2027 by bob@x.test --",
        "Ask Bob <bob@x.test> about the 5.1.2026 list:\n\n1. one",
        "I like K-9 Mail.\n\nWhich one do you use?",
    ],
)
def test_what_only_looks_like_a_mark_is_kept(text: str) -> None:
    assert extract_reply_text(text) == text


PIECES = st.sampled_from(
    [
        *ATTRIBUTIONS.values(), *HEADER_BLOCKS.values(), *DEVICES, *FORWARDS.values(), "", " ", "-- ", "--", "_____",
        "> old", ">", ">>> x", "From: a", "a:", "10:00 a@b.c wrote:", "-----Original Message-----",
    ]
)  # fmt: skip
LETTERS = st.one_of(PIECES, st.text(max_size=60))


@given(st.lists(LETTERS, max_size=30))
def test_the_result_is_made_of_lines_of_the_mail(pieces: list[str]) -> None:
    text = "\n".join(pieces)
    lines = {line.strip() for line in text.split("\n")} | {""}
    found = extract_reply_text(text)
    assert {line.strip() for line in found.split("\n")} <= lines
    assert bool(found) == bool(text.strip())


@given(
    st.lists(PIECES, max_size=8),
    st.text("abcdefgh ", min_size=3).filter(str.strip),
    st.lists(PIECES, max_size=8),
)
def test_words_above_all_quotation_are_never_lost(before: list[str], words: str, after: list[str]) -> None:
    text = "\n".join([words, "", *before, *after])
    assert words.strip() in extract_reply_text(text)
