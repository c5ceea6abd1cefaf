"""The words that say what a number in a mail is, compiled for each language.

Every pattern is bounded; they are searched in short stretches of text only (see ``code``).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from gateway.mime.one_time.languages import LANGUAGES

CODE_STEMS = (
    "code", "pin", "otp", "passw", "token", "temporary", "kennwort", "tan", "mot de passe", "clé", "código",
    "codigo", "clave", "contraseña", "senha", "codice", "codi ", "cod ", "cod:", "codul", "wachtwoord", "kod",
    "kód", "kood", "hasło", "heslo", "jelszó", "salasana", "lösenord", "adgangs", "passord", "şifre", "parol",
    "sandi", "laluan", "mã ", "mã:", "mật khẩu", "код", "парол", "κωδικ", "קוד", "סיסמ", "رمز", "كود", "رقم",
    "كلمة", "کد", "گذرواژه", "कोड", "पासवर्ड", "ओटीपी", "কোড", "ওটিপি", "รหัส", "コード", "番号", "パスワード",
    "码", "碼", "口令", "코드", "번호", "암호", "digit", "인증", "認証", "verify", "confirm",
    # what a person is asked to do with a number
    "enter ", "type ", "sign in", "log in", "never share", "not share", "gib ", "geben sie", "saisi", "entrez",
    "introdu", "ingres", "insir", "inseri", "voer ", "wpisz", "wprowadź", "zadej", "zadajte", "ange ",
    "skriv in", "indtast", "syötä", "írd be", "írja be", "girin", "nhập", "masukkan", "введ", "εισ", "πληκτρολ",
    "أدخل", "ادخل", "הזן", "הקלד", "وارد", "दर्ज", "กรอก", "ใส่", "入力", "输入", "輸入", "입력",
)  # fmt: skip
"""One of these is in every text in which a code can be found (lower case)."""

_BETWEEN = r"[\s:：=*_\"'“”„«»‘’()\[\]「」『』【】<>|·•–—-]"
# "your code for you is": whose code it is, between the word for it and the verb
_WHOSE = (
    r"(?:\s?(?:σας|σου|شما|الخاص\sبك|خاصتك|שלך|שלכם|anda|kamu|của\s(?:bạn|quý\skhách)|din|deg|dit|tău|dvs\.?"
    r"|ของคุณ|आपका))?"
)


class Words(NamedTuple):
    """The patterns of one language, compiled. ``marks`` has the groups ``other``, ``strong`` and ``weak``."""

    marks: re.Pattern[str]
    not_code: re.Pattern[str]
    enter: re.Pattern[str]
    entered: re.Pattern[str]
    purpose: re.Pattern[str]


_NEVER = r"(?!)"


@lru_cache(maxsize=64)
def words_of(name: str) -> Words:
    """The words of a language."""
    language = LANGUAGES[name]
    # compounds with "code" come first, so that they take the word away from the weak ones
    not_code = language.not_code or _NEVER
    other = f"(?P<other>{not_code}|{language.not_number or _NEVER})"
    return Words(
        re.compile(f"{other}|(?P<strong>{language.strong})|(?P<weak>{language.weak or _NEVER})", re.I),
        re.compile(not_code, re.I),
        re.compile(rf"(?:{language.enter or _NEVER})[\s:]{{0,2}}[\"'“„«*]?\Z", re.I),
        re.compile(language.entered or _NEVER, re.I),
        re.compile(language.purpose or _NEVER, re.I),
    )


_COPULA = "|".join(language.copula for language in LANGUAGES.values() if language.copula)
_CONNECTOR = (
    rf"{_WHOSE}{_BETWEEN}{{0,12}}"
    rf"(?:(?:{_COPULA}|:)(?:{_BETWEEN}{{1,8}}|(?<=[はがをって为為是은는이가을를:])))?"
)
# between a word for code and the code itself; the same with a further word
CONNECTOR = re.compile(_CONNECTOR, re.I)
AFTER_WORD = re.compile(rf"\s[^\W\d_][\w.&’'-]{{1,20}}{_CONNECTOR}", re.I)
# what such a sentence ends with, when other words come between: "your code for Acme is"
LEADS_UP = re.compile(rf"(?:[:：=]|\b(?:{_COPULA})|[はが为為是은는])[\s\"'“„«(\[「『【*_]{{0,4}}\Z", re.I)
# between a code and a word for it that comes later: "123456 is your code"
CONNECTOR_BACK = re.compile(
    rf"[\s=:：(（\[\"'”»*_–—-]{{0,6}}(?:\(?이\)?가\s|\(?은\)?는?\s|(?:{_COPULA}|—)\s(?:[\w.&-]{{1,20}}\s){{0,3}}"
    r"|は|が|为|為|是|은|는|이|있)?",
    re.I,
)

# "123456 is for you alone": a code that a line of its own is about
SECRET = re.compile(
    r"(?:do\snot|don['’]?t|never)\s(?:share|disclose|give)|nicht\sweiter|ne\s(?:le\s)?(?:partagez|communiquez)|no\s(?:lo\s)?compart"
    r"|não\scompartilh|non\scondivider|никому\sне|勿泄露|勿外泄|他人に",
    re.I,
)
# the last line of such a mail, for programs: @domain #code
BOUND = re.compile(
    r"^@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,6}\s#(?P<code>[A-Za-z0-9-]{4,12})\s*(?:@|%|$)", re.M
)
DISCOUNT = re.compile(
    r"discount|coupon|promo|voucher|%\soff|\boff\s(?:your|on)|rabatt|gutschein|réduction|remise"
    r"|descuento|cupón|desconto|cupom|sconto"
    r"|redeem|claim\scode|store\scredit|\bfree\s(?:drink|month|shipping|delivery|trial)|korting|rabat\b|скидк|クーポン|割引|优惠|優惠|折扣|할인|쿠폰",
    re.I,
)
# meetings and slips have codes too, which nobody waits for
BUSINESS = re.compile(
    r"meeting\sid|webinar|conference\scall|dial-?\s?in|besprechungs-id|reunión\sde\szoom|ミーティングid|会议号|會議號"
    r"|\breceipt\b|\bmerchant\b|subtotal|\bterminal\b|kassenbon|\bbeleg\b|ticket\sde\scaisse|pull\srequest|\bcommit\b",
    re.I,
)
UNIT_AFTER = re.compile(
    r"\s?(?:€|\$|£|¥|₹|₽|%|°|(?:usd|eur|gbp|chf|jpy|cny|inr|kr|zł|руб|seconds?|secs?|minutes?|mins?"
    r"|hours?|days?|weeks?"
    r"|km|kg|mb|gb|kb|tb|kwh|px|points?|pts|miles|users?|people|items?|sekunden|minuten|stunden|tage"
    r"|punkte|secondes|heures"
    r"|jours|segundos|minutos|horas|días|puntos|pontos|секунд|минут|баллов)\b"
    r"|[円元원分秒年月日時点回件人个條条次块塊부개명분초년월일]|ポイント|小时|小時|天)",
    re.I,
)
MONEY_BEFORE = re.compile(r"(?:usd|eur|gbp|chf|rs\.?|inr|kr|jpy|cny|rmb|brl|r\$|us\$)\s?\Z", re.I)
EXPIRES = re.compile(
    r"expire|valid\s(?:for|until|\d)|gültig|läuft.{1,30}ab|minuten|minutes|valable|expir|caduca|válido"
    r"|scade|valido|verloopt|geldig"
    r"|ważny|действител|有効|分以内|有效|分钟|分鐘|유효|분\s?(?:이내|동안)|do\snot\sshare"
    r"|don['’]?t\sshare|never\sshare",
    re.I,
)
