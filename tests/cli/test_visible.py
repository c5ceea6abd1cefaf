"""Foreign text on a terminal: nothing in it acts, and nothing in it is there without being seen."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest

from gateway.cli.output import as_json
from gateway.cli.visible import cells, fit, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b]0;title\x07", "␛[31mred␛]0;title␇"),
        ("a\rb\nc\td\x7f", "a␍b␊c␉d␡"),
        ("\x9b31m", "<U+009B>31m"),
        ("invoice\u202egpj.exe", "invoice<U+202E>gpj.exe"),
        ("\u2066a\u2069", "<U+2066>a<U+2069>"),
        ("z\u200b\u200b\u200bw", "z<U+200B×3>w"),
        ("pay\u200dpal", "pay<U+200D>pal"),
        ("x\U000e0041\U000e0042", "x<U+E0041><U+E0042>"),
        ("\ufeffbom", "<U+FEFF>bom"),
        ("a\ufe0f", "a<U+FE0F>"),
        ("👍\ufe0f\ufe0f", "👍<U+FE0F>"),
        ("\u3164\u2800", "<U+3164><U+2800>"),
        ("a\u2028b\u2029", "a<U+2028>b<U+2029>"),
        ("\ud800", "<U+D800>"),
        ("\ue000", "<U+E000>"),
        ("\x00" * 9, "␀×9"),
        ("z" + "\u0336" * 12, "z" + "\u0336" * 4 + "<U+0336×8>"),
    ],
)
def test_what_acts_or_hides_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_what_people_write_stays() -> None:
    text = "Grüße, 日本語, עברית, می‌خواهم, हिन्दी, क्‍ष, 👍🏽, 👨‍👩‍👧, e\u0301"
    assert visible(text) == text
    assert visible("❤️ 1️⃣") == "❤ 1⃣"  # without the wish for colour, which terminals measure differently


def test_lines_keep_breaks_and_tabs_and_nothing_else() -> None:
    assert visible("a\r\nb\tc\rd\x0ce", lines=True) == "a\nb\tc␍d␌e"


def test_no_character_at_all_acts_on_a_terminal() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    kinds = {unicodedata.category(char) for char in visible(everything)}
    assert not kinds & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        ("short", 5, "short"),
        ("longer", 5, "long…"),
        ("日本語", 6, "日本語"),
        ("日本語の件名", 6, "日本…"),
        ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
        ("x", 0, ""),
    ],
)
def test_text_is_cut_to_cells(text: str, most: int, cut: str) -> None:
    assert fit(text, most) == cut
    assert cells(cut) <= most


def test_an_address_keeps_its_end() -> None:
    assert fit("support@paypal.com.evil.example", 20, middle=True) == "suppor….evil.example"
    assert cells(fit("日本語日本語日本語@例え.test", 15, middle=True)) <= 15


def test_json_holds_the_same_and_nothing_that_acts() -> None:
    value = {"subject": "\x1b[31m\x9b\u202e\u200b\ufeff\U000e0041 日本語 👍", "lone": "\ud800"}
    text = as_json(value)
    assert json.loads(text) == value
    assert "日本語 👍" in text
    assert not any(char in text for char in "\x1b\x9b\u202e\u200b\ufeff\U000e0041\ud800")
