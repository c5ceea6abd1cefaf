"""The words and shapes by which mail programs mark what somebody else wrote, in the languages people use.

Shapes come first (a date and an address before a colon, ``Label: value`` lines); words are asked only where the
shape alone could also be something a person wrote.
"""

from __future__ import annotations

import re

DATE = re.compile(r"\d{4}|\d{1,2}[:.h]\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2}|\d{1,2}\s?[月월]")
ADDRESS = re.compile(r"[^\s<>@]{1,64}@[^\s<>@]{1,200}")
COLON = (":", "：", ":*", ": *", ":_", ":**")
LABEL = re.compile(r"[*_ ]{0,3}(?P<label>[^\W\d_][^:：<>@\n]{0,30})[:：][*_]{0,2}(?:\s|$)\s*(?P<value>.*)")
RULE = re.compile(r"(?:[-_=*]{5,}|[-_]{2,}\s?[^-_\n]{3,60}\s?[-_]{2,})\s*$")
BANNER = re.compile(r"[-_]{2,}\s?(?P<words>[^-_\n]{3,60})\s?[-_]{2,}\s*$")
ONLY_RULE = re.compile(r"[-_=*\s]{3,}$")
SIGNATURE = re.compile(r"--\s?$|— ?$")
LIST_FOOTER = re.compile(r"_{20,}\s*$")

# "wrote", after which a quotation comes
WROTE = re.compile(
    r"wrote|writes|schrieb|geschrieben|[ée]crit|escribi[óo]|escreveu|ha scritto|scrisse|schreef|geschreven|napisa[łl]"
    r"|написа|пишет|пише|skrev|kirjoitti|napsal|írta|yazd[ıi]|a scris|έγραψε|כתב|كتب|写道|寫道|書きました|さんは書"
    r"|のメール|작성|님이|씀|nap[íi]sal|napisao|va escriure|raš[ėe]|rakstīja|kirjutas|menulis|đã viết|เขียน|लिखा"
    r"|napisala|schreven|написа|escrito",
    re.I,
)
# what an attribution begins with: a preposition before the date, a weekday, or the date itself
LEAD = re.compile(
    r"[\s>*_\"']*(?:(?:On|Am|Le|El|Il|Op|Em|Den|Dnia|W dniu|A|Dne|At|Em)\b|\d{1,4}[./年-]|\d{1,2}\.? [^\W\d]"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Mo|Di|Mi|Do|Fr|Sa|So|lun|mar|mer|jeu|ven|sam|dim|mié|jue|vie|sáb|dom|gio|sab"
    r"|seg|ter|qua|qui|sex|ma|wo|vr|za|zo|pon|wt|śr|czw|pt|sob|niedz|пн|вт|ср|чт|пт|сб|вс|поне|втор|сред|четв|пятн|субб|воск|tis|ons|tor|fre|lör|sön)"
    r"\w{0,9}\b[.,]?)",
    re.I,
)
# Yahoo's program for phones writes the quotation behind its attribution, on one line
INLINE_ATTRIBUTION = re.compile(
    LEAD.pattern + r"[^<]{5,200}<[^<>\s@]{1,64}@[^<>\s]{1,200}>\s?(?:" + WROTE.pattern + r")\s?[:：]\s", re.I
)
FROM = re.compile(
    r"(?:from|von|de|da|van|od|от|від|fra|från|lähettäjä|odesílatel|feladó|gönderen|kimden|expéditeur|remitente|mittente"
    r"|remetente|nadawca|отправитель|差出人|送信者|发件人|寄件者|寄件人|보낸\s?사람|보낸이)\s*\Z",
    re.I,
)
SENT = re.compile(
    r"(?:sent|subject|gesendet|datum|betreff|envoyé|objet|date d'envoi|enviado(?: el| em)?|asunto|assunto|inviato|data"
    r"|oggetto|verzonden|onderwerp|wysłano|temat|отправлено|дата|тема|надіслано|sendt|emne|skickat|ämne|lähetetty|aihe"
    r"|odesláno|předmět|elküldve|tárgy|gönderildi|konu|送信日時|件名|日時|发送时间|发送日期|主题|寄件日期|主旨|日期"
    r"|보낸\s?날짜|제목|날짜)\s*\Z",
    re.I,
)
# A banner after which an answered message stands, even without header lines
ORIGINAL = re.compile(
    r"original\s?message|ursprüngliche nachricht|original-?nachricht|message d['’]origine|message original"
    r"|mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|origineel bericht"
    r"|(?:oryginalna|pierwotna) wiadomość|исходное сообщение|оригинальное сообщение|oprindelig meddelelse"
    r"|ursprungligt meddelande|opprinnelig melding|alkuperäinen viesti|původní zpráva|eredeti üzenet|元のメッセージ"
    r"|元のメール|原始邮件|原始郵件|原邮件|원본\s?메시지|원본\s?메일|reply message|replied message",
    re.I,
)
# A banner after which a passed-on message stands: that is what the mail is about, and it is kept
FORWARDED = re.compile(
    r"forwarded (?:message|mail|by)|begin forwarded|weitergeleitete[nr]? nachricht|message (?:transféré|réexpédié)"
    r"|mensaje reenviado|mensagem (?:encaminhada|reencaminhada)|messaggio inoltrato|doorgestuurd bericht"
    r"|(?:przekazana|przesłana dalej) wiadomość|wiadomość przekazana|пересылаем|пересланн|переслано"
    r"|vidarebefordra|videresendt|välitetty viesti|přeposlaná|továbbított|転送(?:された)?\s?メ|轉寄"
    r"|转发的?(?:邮件|信息|消息)|전달된\s?(?:메시지|메일)",
    re.I,
)
_DEVICE = re.compile(
    r"(?:Sent (?:from (?:my|Mail|Outlook|Yahoo|AOL|Proton|Gmail|Samsung|a |an )|via |with |on the (?:go|move))"
    r"|(?:Get|Download) Outlook for|Von (?:meinem|meiner) .{1,30}(?:gesendet|geschickt)|Gesendet (?:von|mit|über|aus)"
    r"|(?:Holen Sie sich|Laden Sie) Outlook|Outlook für (?:iOS|Android)"
    r"|Envoy[ée] (?:de|depuis|à partir|via|avec)|(?:Obtenez|Télécharge[rz]) Outlook"
    r"|Enviado (?:desde|do|de|via|por|a partir)"
    r"|Obt(?:ener|enga|er|enha) (?:o )?Outlook|Inviato (?:da|dal|con|tramite)|Scarica Outlook|Ottieni Outlook"
    r"|Verzonden (?:vanaf|met|via)|Verstuurd vanaf|Outlook voor (?:iOS|Android)|Skickat från|Hämta Outlook"
    r"|Wysłan[eo] z|Pobierz (?:program )?Outlook|Отправлено (?:с|из|от)|Надіслано з|Sendt fra|Hent Outlook"
    r"|Lähetetty|Odesláno z|Trimis de pe|iPhone'umdan gönderildi|.{1,20}(?:から送信|より送信)|(?:发|發)自(?:我的)?"
    r"|从我的.{1,20}发送|從我的.{1,20}(?:傳送|寄出)"
    r"|נשלח מ|Στάλθηκε από|Được gửi từ|ส่งจาก|Dikirim dari|أُ?رسلت? من|Enviat des|Poslano s|Odoslané z"
    r"|나의 .{1,20}에서 보냄|내 .{1,20}에서 보냄|.{1,20}에서 보냈)",
    re.I,
)
_DEVICE_NAMES = re.compile(
    r"phone|iphon|ipad|ipod|watch|mobile|android|galaxy|samsung|blackberry|pixel|outlook|tablet|handy\b|handset"
    r"|mail for|mail app|mail auf|mail pour|mail para|yahoo|proton|gmail|gmx|web\.de|aol|superhuman"
    r"|mailspring|spark\b|sparrow"
    r"|smartphone|móvil|portable|cellulare|telefoon|telefon|ios|huawei|xiaomi|nokia|htc|lg|windows",
    re.I,
)
_MAX_DEVICE = 160


def is_device_line(line: str) -> bool:
    """Whether a line is what a phone or a mail program writes under a mail: ``Sent from my iPhone``."""
    line = line.strip().strip("*_")
    if not line or len(line) > _MAX_DEVICE or not _DEVICE.match(line):
        return False
    if not line.isascii() and not any(character.isascii() and character.isalpha() for character in line[:4]):
        return len(line) < 60
    if len(line.split()) > 7 and line.endswith((".", "!", "?")):
        return False  # a sentence that somebody wrote
    return _DEVICE_NAMES.search(line) is not None or (
        line.lower().startswith("sent from") and len(line.split()) <= 7
    )


def is_attribution(text: str, *, quoted: bool) -> bool:
    """Whether ``text``, whose end is a colon, says who wrote what follows. ``quoted``: ``>`` lines do follow."""
    dated = DATE.search(text) is not None
    addressed = ADDRESS.search(text) is not None
    if quoted:
        return dated or addressed
    if WROTE.search(text):
        return dated and (addressed or LEAD.match(text) is not None)
    return (
        dated and addressed and LEAD.match(text) is not None and text.rstrip("*_ :：")[-1:] in (">", ")", "]")
    )


def is_header_label(label: str) -> bool:
    """Whether a label is one that mail programs write over a message they quote."""
    return FROM.match(label) is not None or SENT.match(label) is not None


def is_header_block(labels: list[str], values: str, *, banner: bool, apart: bool) -> bool:
    """Whether ``Label: value`` lines are the head of somebody's message.

    ``banner``: a worded rule stands above. ``apart``: a blank line or a rule does.
    """
    named = any(FROM.match(one) for one in labels) and any(SENT.match(one) for one in labels)
    if len(labels) < (2 if banner else 3):
        return False
    dated, addressed = DATE.search(values) is not None, ADDRESS.search(values) is not None
    if banner:
        return dated or addressed
    if not apart:
        return named and FROM.match(labels[0]) is not None and (dated or addressed)
    return dated and (addressed or named)
