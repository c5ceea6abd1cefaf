"""In which charset octets read as text: for mail whose label is missing or cannot be true.

Each charset is tried; its reading is scored by how many of its characters are usual in the languages written in it,
how many are never written there, and how many stand where none can (a capital after a small letter, an accent inside a
run of accents, a vowel sign without its consonant). The sample is bounded, so the cost is.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_MOST = 1500  # octets looked at, from the first that is no ASCII
_RARE = 0.35  # what a character counts that its charset has but its languages seldom use
_FAR = 0.7  # by how much another charset must read better than the one of the label
_FEW = 6  # octets beyond ASCII: less say too little to doubt a label
_ACCENTS = 3  # so few are rather a western accent than a word of another script
_HIGH = re.compile(rb"[\x80-\xff]")
_ASCII = re.compile("[\0-\x7f]+")
_LETTERS = re.compile("[A-Za-z]")
_ACCENTED = re.compile("[À-ÖØ-öø-ɏ]")
_MOSTLY = 0.4  # of the letters of a Latin text are accented at most

# The most frequent characters of running text and of mail.
_HANS = (
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自去之过家学对可后小么多能好都没日于起还发成事只作当想看文"
    "无开手用主行方如前所本见经头面公同三已从动两长知现分将外些与高意进法实回理点明工者情部正名定问机给等很业最间新打位因重电四第次政口使"
    "教平信关并加化由代产入先水体处总师书比员通目报数件安表原应期提何更合系计或司受光及今务制解各任至台共接特望服题建度统色字请交义元社结"
    "功指思资跟快条变联权领传近周保达办运步求品转量告英式息令收取设历商容研友站广改议形委房则首单导查附您客户订邮箱验证密码登册录账号退送"
    "张伟王李刘陈杨林货票款银价格谢"
)
_HANT = (
    "的一是不了在人有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自去之過家學對可後小麼多能好都沒日於起還發成事只作當想看文"
    "無開手用主行方如前所本見經頭面公同三已從動兩長知現分將外些與高意進法實回理點明工者情部正名定問機給等很業最間新打位因重電四第次政口使"
    "教平信關並加化由代產入先水體處總師書比員通目報數件安表原應期提何更合系計或司受光及今務制解各任至台共接特望服題建度統色字請交義元社結"
    "功指思資跟快條變聯權領傳近週保達辦運步求品轉量告英式息令收取設歷商容研友站廣改議形委房則首單導查附您客戶訂郵箱驗證密碼登冊錄帳號退送"
    "張偉王李劉陳楊林貨票款銀價格謝"
)
_JAPANESE = (
    "ぁ-んァ-ンー、。「」・？！：～"
    "日一国人年大十二本中長出三時行見月後前生五間上東四今金九入学高円子外八六下来気小七山話女北午百書先名川千水半男西電語土木聞食車何南万"
    "毎白天母火右友左休父雨会同事自社者地業方新場員立開手力問代明動京目通言理体田主題意作用度強公持以思家世多正安院心界教文元重近考画知集"
    "別物使品計死特始運終台広住真有口少町料工空急止送切転研究着店質待試早験英仕去味写字答夜音注帰室紙花屋色部内約束録登認証号件願致確様御"
    "返信連絡受株式請求太郎佐藤鈴木高橋渡辺伊村吉松井林清配発最要"
)
_KOREAN = (
    "이다는의가에을하고한지기로어사인자대리도시은정아일서나보해전상수관제주그만라과안성구부원성들게연것있장으국니습요와여년무세당공업신스동조방"
    "학경선생화비위우개문미용유실때면입행속마오물소내할법분발진교회래말모계명금결민적간까던달된데번단각두를및호등중었러님처예건품배송확추재청"
    "심녕완료김박최철"
)
_CYRILLIC = "оеаинтсрвлкмдпуяьызбгч"
_BOUND = "[A-Za-z][а-яА-Я]|[а-яА-Я][A-Za-z]|[а-яА-Я]{25}|(?<![а-яА-Я])[ъьы]"
_QUOTES = "’“”–—…«»"
_FULL = "０-９Ａ-Ｚａ-ｚ【】…—\u3000"


class _Charset(NamedTuple):
    """How texts in a charset are made: sets of characters, and what is never written."""

    usual: re.Pattern[str]
    known: re.Pattern[str]
    wrong: re.Pattern[str]
    latin: bool
    wide: bool


def _made(usual: str, rare: str, wrong: str, *, latin: bool = False, wide: bool = False) -> _Charset:
    return _Charset(re.compile(f"[{usual}]"), re.compile(f"[{usual}{rare}]"), re.compile(wrong), latin, wide)


def _wide(usual: str, rare: str, wrong: str = "") -> _Charset:
    # half of a character was a letter of ASCII, or nobody uses such characters
    mixed = "[A-Za-z][\u3400-\u9fff가-힣]|[\u3400-\u9fff가-힣][a-z]|[\u3400-\u4dff\ue000-\uf8ff]"
    return _made(usual, rare, f"{mixed}|{wrong}" if wrong else mixed, wide=True)


# The first of those that read alike is taken.
_CHARSETS = {
    "cp1252": _made(
        f"àâäáãåæçèéêëíîïñóôöõøùúûüßÀÄÁÇÉÈÖØÜÅÑÓ‘€°©®·¿¡£§ªº{_QUOTES}œ", "À-ÿ•™´¨Œ",
        "[À-ÖØ-öø-ÿ]{3}|[a-zà-ÿ][À-ÖØ-Þ]|(?<![A-Za-z])[À-ÖØ-öø-ÿ]{2}(?![A-Za-z])|[ðþÐÞ]", latin=True,
    ),
    "cp1254": _made(
        f"ğışçöüİĞŞÇÖÜâîû{_QUOTES}", "À-ÿ",
        "[À-ÖØ-öø-ɏ]{4}|[a-zà-öø-ÿğış][À-ÖØ-ÞĞİŞ]|[ãõñæåøêëèàáíóúìòùÃÕÑÆÅØ]", latin=True,
    ),
    "cp1250": _made(
        f"ąćęłńóśźżáčďéěíňřšťúůýžöüőűăâîţşäôßçŁŚŻČŘŠŽÁÉÍÓÖÜ„§°{_QUOTES}", "À-ɏ",
        "[À-ÖØ-öø-ɏ]{4}|[a-zà-öø-ÿąćęłńśźżčďěňřšťůž][À-ÖØ-ÞĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮŽ]|[¤¦¬±ˇ˘]", latin=True,
    ),
    "cp1251": _made(
        _CYRILLIC, f"а-яА-ЯёЁіїєґІЇЄҐўЎ№„{_QUOTES}",
        f"[а-яёіїєґў][А-ЯЁІЇЄҐЎ]|[ЂЃѓЉЊЌЋЏђљњќћџ¤¦§©«¬®°±µ¶·Ј](?=[а-яА-Я])|{_BOUND}",
    ),
    "koi8-u": _made(
        _CYRILLIC, "а-яА-ЯёЁіїєґІЇЄҐ", f"[а-яёіїєґ][А-ЯЁІЇЄҐ]|[─-╿▀-▟⌠⌡√≈≤≥°²·÷]|{_BOUND}"
    ),
    "cp866": _made(_CYRILLIC, "а-яА-ЯёЁ№", f"[а-яё][А-ЯЁ]|[─-╿▀-▟]|{_BOUND}"),
    "cp1253": _made(
        "αεηιοτσνρκλπμυςγδάέήίόύώ", f"α-ωΑ-ΩϊϋΐΰΆΈΉΊΌΎΏ{_QUOTES}",
        f"[α-ωά-ώ][Α-ΩΆ-Ώ]|[Α-Ωα-ωά-ώ]{{25}}|[A-Za-z][α-ωΑ-Ω]|[α-ωΑ-Ω][A-Za-z]|ς(?=[α-ω])|[^\\s -~Α-Ωα-ωΆ-ώ{_QUOTES}]",
    ),
    "cp1255": _made(
        "יוהלאמרתבשנםךןקד", f"א-ת₪{_QUOTES}",
        f"[^\\s -~א-ת₪{_QUOTES}]|[ךםןףץ][א-ת]|[A-Za-z][א-ת]|[א-ת][A-Za-z]",
    ),
    "cp1256": _made(
        "اأبةتحدرسعفقكلمنهويج", f"ءإآثخذزشصضطظغىئؤ،؟؛پچژگ\u064b-\u0652ـ{_QUOTES}",
        f"[^\\s -~ء-ي،؟؛پچژگ\u064b-\u0652ـ{_QUOTES}]|[A-Za-z][ء-ي]|[ء-ي][A-Za-z]|[ةى][ء-ي]",
    ),
    "cp874": _made(
        "กขคงจชดตทนบปพมยรลวสหอะาำ\u0e31\u0e34-\u0e37\u0e39เแโใไ\u0e47\u0e48\u0e49\u0e4c", "ก-ฮฯ-๛“”–",
        "(?<![ก-ฮ\u0e31\u0e34-\u0e3a\u0e47-\u0e4e])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]|[เ-ไ](?![ก-ฮ])|[ะาำ][ะาำ]"
        "|[A-Za-z][ก-๙]|[ก-๙][A-Za-z]|ฯ[ก-ฮ]",
    ),
    "gb18030": _wide(f"{_HANS}，。：；！？（）“”、《》", f"一-龥{_FULL}"),
    "big5hkscs": _wide(f"{_HANT}，。：；！？（）、「」", f"一-龥{_FULL}"),
    "cp932": _wide(
        _JAPANESE, f"一-龥ｦ-ﾟ（）{_FULL}", "(?<![ｦ-ﾟ])[ｦ-ﾟ](?![ｦ-ﾟ])|[ｦ-ﾟ][一-龥]|[一-龥][ｦ-ﾟ]"
    ),
    "euc_jp": _wide(_JAPANESE, f"一-龥（）{_FULL}", "[ｦ-ﾟ]"),
    "cp949": _wide(_KOREAN, "가-힣", "[一-龥]"),
}  # fmt: skip


def fit(data: bytes, codec: str) -> float | None:
    """How well ``data`` reads in ``codec``: 1 is ordinary text, below 0 is none; None when that is not known."""
    charset = _CHARSETS.get(codec)
    return None if charset is None else _score(_sample(data), codec, charset)


def guess(data: bytes, likely: str | None = None) -> tuple[str, float]:
    """The codec in which ``data`` reads best and how well it does; ``likely`` has the advantage among equals."""
    sample = _sample(data)
    few = len(_HIGH.findall(sample)) <= _ACCENTS
    best, highest = "cp1252", -9.0
    for codec, charset in _CHARSETS.items():
        score = _score(sample, codec, charset) + 0.2 * (codec == likely) + 0.8 * (few and charset.latin)
        if score > highest:
            best, highest = codec, score
    return best, highest


def better_than(codec: str, data: bytes) -> str | None:
    """Another codec in which ``data`` reads far better than in that of its label; None when the label may be true."""
    own = fit(data, codec)
    if own is None or own > 1 - _FAR or len(_HIGH.findall(_sample(data))) < _FEW:
        return None
    found, score = guess(data)
    return found if score - own >= _FAR and score > _FAR else None


def _sample(data: bytes) -> bytes:
    first = _HIGH.search(data)
    start = max(first.start() - 20, 0) if first else 0
    return data[start : start + _MOST]


def _score(sample: bytes, codec: str, charset: _Charset) -> float:
    try:
        text = sample.decode(codec)
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 3 or len(sample) < 40:
            return -9.0
        text = sample[: error.start].decode(codec)  # the sample ends inside a character
    beyond = _ASCII.sub("", text)
    if not beyond:
        return 0.0
    usual, known = len(charset.usual.findall(beyond)), len(charset.known.findall(beyond))
    wrong = len(charset.wrong.findall(text))
    score = (usual + _RARE * (known - usual) - (len(beyond) - known) - 1.5 * wrong) / len(beyond)
    if charset.wide:
        return score + 0.15
    if charset.latin and (accented := len(_ACCENTED.findall(beyond))):
        share = accented / (accented + len(_LETTERS.findall(text)))
        score -= 2 * max(share - _MOSTLY, 0.0)
    return score
