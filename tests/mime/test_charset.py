"""Octets to text: labels, octets that do not fit them, octets without a label."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.charset import decode
from gateway.mime.charset_labels import codec_name
from gateway.mime.headers import decode_words
from gateway.mime.parse import parse

WRITTEN = {
    "gb18030": ["明天的会议改到三点", "您的包裹已到达配送站", "附件"],
    "big5hkscs": ["明天的會議改到三點", "您的訂單已經出貨"],
    "cp932": ["明日の打ち合わせは三時からです", "ご予約の確認", "発送のお知らせ"],
    "euc_jp": ["明日の打ち合わせは三時からです", "ご予約の確認"],
    "cp949": ["내일 회의는 세 시입니다", "예약 확인"],
    "cp1251": ["Встреча завтра в три часа", "Подтверждение брони"],
    "koi8-u": ["Встреча завтра в три часа", "Подтверждение брони"],
    "cp1252": ["Die Prüfung beginnt früh", "Le marché est fermé", "Mañana a las tres", "Smörgåsbord"],
    "cp1250": ["Zítřejší schůzka začíná ve tři", "Jutrzejsze spotkanie się przesunęło"],
    "cp1253": ["Η συνάντηση είναι αύριο στις τρεις"],
    "cp1254": ["Yarınki toplantı üçte başlıyor"],
    "cp1255": ["הפגישה מחר בשלוש"],
    "cp1256": ["الاجتماع غدا في الثالثة"],
    "cp874": ["ประชุมพรุ่งนี้ตอนบ่ายสาม"],
}
TEXTS = [(codec, text) for codec, texts in WRITTEN.items() for text in texts]
WRONG = ("iso-2022-jp", "gb2312", "shift_jis", "utf-7", "euc-kr", "big5", "iso-8859-1", "us-ascii", "koi8-r", "euc-jp",
         "utf-16", "iso-8859-2", "hz-gb-2312", "windows-874", "x-no-such-charset")  # fmt: skip


@pytest.mark.parametrize(("codec", "text"), TEXTS)
def test_utf_8_wins_over_every_other_label(codec: str, text: str) -> None:
    assert {label: decode(text.encode(), label) for label in WRONG} == dict.fromkeys(WRONG, text)


@pytest.mark.parametrize(("codec", "text"), TEXTS)
def test_text_is_read_by_its_own_label_and_without_any(codec: str, text: str) -> None:
    octets = text.encode(codec)
    assert decode(octets, codec) == text
    assert [decode(octets, label) for label in (None, "x-no-such-charset", "us-ascii")] == [text] * 3


@pytest.mark.parametrize(
    ("codec", "text"), [one for one in TEXTS if one[0] not in ("cp1250", "cp1254") and len(one[1]) > 10]
)
def test_a_label_that_cannot_be_true_is_not_believed(codec: str, text: str) -> None:
    octets = text.encode(codec)
    assert decode(octets, "utf-8") == text
    assert decode(octets, "iso-8859-1") == text


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("Windows-1252", "cp1252"), ("x-cp1251", "cp1251"), ("dos-850", "cp850"), ("MS936", "gb18030"),
        ("x-gbk", "gb18030"), ("cp20866", "koi8-r"), ("windows-65001", "utf-8"), ("ISO_8859-15", "iso8859-15"),
        ("iso-8859-6-e", "iso8859-6"), ("csISOLatin2", "iso8859-2"), ("x-mac-ce", "mac_latin2"),
        ("x-windows-950", "big5hkscs"),
        ("x-euc-jp", "euc_jp"), ("windows-31j", "cp932"), ("iso-2022-jp-1", "iso2022_jp_ext"), ("KSC_5601", "cp949"),
        ("utf-8; format=x", "utf-8"), ("zip", None), ("rot13", None), ("idna", None),
        ("cp037", None), ("", None), ("x-no-such-charset", None),
    ],
)  # fmt: skip
def test_labels_mean_what_mail_programs_mean(label: str, codec: str | None) -> None:
    assert codec_name(label) == codec


def test_characters_that_vendors_added_are_read() -> None:
    def jis(
        text: str,
    ) -> bytes:  # by the rows and cells of JIS X 0208, which Shift_JIS has two to a lead octet
        octets = text.encode("cp932")
        pairs = []
        for first, second in zip(octets[::2], octets[1::2], strict=True):
            row = (first - (0xC1 if first > 0x9F else 0x81)) * 2 + (second >= 0x9F)
            cell = second - 0x9F if second >= 0x9F else second - 0x40 - (second > 0x7F)
            pairs.append(bytes((row + 0x21, cell + 0x21)))
        return b"".join(pairs)

    octets = jis("①Ⅳ㈱№日本")
    assert decode(b"a \x1b$B" + octets + b"\x1b(B b", "iso-2022-jp") == "a ①Ⅳ㈱№日本 b"
    assert decode(b"\x1b$B" + octets + b"\x1b(B", None) == "①Ⅳ㈱№日本"
    assert decode(bytes(one | 0x80 for one in octets), "euc-jp") == "①Ⅳ㈱№日本"
    assert decode("①髙﨑".encode("cp932"), "shift_jis") == "①髙﨑"
    assert decode(b"\x80 5 " + "元".encode("gbk"), "gb2312") == "€ 5 元"
    assert decode(b"\x93\xb9\x94", "iso-8859-2") == "“ą”"
    assert decode("日本語ｶﾅ".encode("iso2022_jp_ext"), "iso-2022-jp") == "日本語ｶﾅ"


def test_damage_costs_the_damaged_character_only() -> None:
    assert decode("Grüße aus Köln, schöne".encode()[:-1] + b"\xff", "utf-8") == "Grüße aus Köln, schön\ufffd"
    assert decode("会议改到三点".encode()[:-1], "utf-8") == "会议改到三"
    assert decode("会议改到三点".encode("gbk")[:-1], "gbk") == "会议改到三"


def test_a_word_that_is_valid_utf_8_by_chance_is_read_by_its_label() -> None:
    assert "模".encode("gbk").decode("utf-8") == "ģ"
    assert decode("模".encode("gbk"), "utf-8") == "ģ"
    assert decode("รถ".encode("cp874"), "windows-874") == "รถ"


@given(
    st.binary(max_size=200),
    st.sampled_from([*WRITTEN, "utf-7", "utf-16", "hz", "iso-2022-jp", "iso-2022-kr", None]),
)
def test_any_octets_are_text_that_a_database_takes(data: bytes, label: str | None) -> None:
    text = decode(data, label)
    assert "\0" not in text
    text.encode("utf-8")


@given(st.text(st.characters(exclude_categories=("Cs", "Cc"))), st.sampled_from(["utf-8", "utf-16"]))
def test_text_in_a_charset_of_all_characters_comes_back(text: str, label: str) -> None:
    assert decode(text.encode(label), label) == text


def test_raw_headers_are_read_in_the_charset_that_fits() -> None:
    for label, name, subject in (
        ("gbk", "王小明", "报价"), ("shift_jis", "高橋", "見積書"), ("euc-kr", "박지성", "견적"),
        ("windows-1251", "Иван", "Счёт"),
    ):  # fmt: skip
        raw = f"From: {name} <a@b.test>\nSubject: {subject}\nTo: c@d.test\n".encode(codec_name(label) or "")
        got = parse(raw + f"Content-Type: text/plain; charset={label}\n\nx".encode())
        assert (got.sender and got.sender.name, got.subject) == (name, subject)
        assert got.headers["Subject"] == subject
        inside = b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=%s\n\nx\n--b--\n"
        assert parse(raw + inside % label.encode()).subject == subject
    assert parse("Subject: 明天的会议改到三点\n\nx".encode("gbk")).subject == "明天的会议改到三点"
    assert parse("Subject: 明天的会议\n\nx".encode()).subject == "明天的会议"
    assert decode_words("=?iso-2022-jp?B?5piO5pel44Gu5omT44Gh5ZCI44KP44Gb?=") == "明日の打ち合わせ"
