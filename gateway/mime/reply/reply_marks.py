"""The words and shapes by which mail programs mark what somebody else wrote, in the languages people use.

Shapes come first (a date and an address before a colon, ``Label: value`` lines); words are asked only where the
shape alone could also be something a person wrote.
"""

from __future__ import annotations

import re

DATE = re.compile(r"\d{4}|\d{1,2}[:.h]\d{2}|\d{1,2}[./-]\d{1,2}[./-]\d{2}|\d{1,2}\s?[月월]")
TIME = re.compile(r"\d{1,2}\s?[:.h時时시点點]\s?\d{2}|\d\s?[ap]\.?\s?m\b", re.I)
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
    r"|のメール|작성|님이|씀|nap[íi]sal|napisao|va escriure|escribiu|raš[ėe]|rakstīja|kirjutas|menulis|đã viết|เขียน"
    r"|लिखा|napisala|schreven|написа|напис|escrito|geskryf|skrifaði|idatzi|نوشت|مأت|מאת|بواسطة|কর্তৃক লিখেছেন|লিখেছেন"
    r"|missatge de|எழுதினார்|sinulat|aliandika|დაწერა|გրեց|գրել է|sent the following",
    re.I,
)
# what an attribution begins with: a preposition before the date, a weekday, or the date itself
LEAD = re.compile(
    r"[\s>*_\"'«-]*(?:(?:On|Am|Le|El|Il|Op|Em|Den|Dnia|W dniu|A|Dne|At|V|Vào|Pada|În|La|Στις|Στην|Dana|Kl|Þann|Ngày)\b"
    r"|(?:ב-?|בתאריך|في|در|تاریخ|يوم|เมื่อ|को|Vào lúc)|\d{1,4}[./年-]|\d{1,2}\.? [^\W\d]"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Mo|Di|Mi|Do|Fr|Sa|So|lun|mar|mer|jeu|ven|sam|dim|mié|jue|vie|sáb|dom|gio|sab"
    r"|seg|ter|qua|qui|sex|ma|wo|vr|za|zo|pon|wt|śr|czw|pt|sob|niedz|пн|вт|ср|чт|пт|сб|вс|поне|втор|сред|четв|пятн|субб|воск|tis|ons|tor|fre|lör|sön)"
    r"\w{0,9}\b[.,]?)",
    re.I,
)
# Yahoo's program for phones writes the quotation behind its attribution, on one line
INLINE_ATTRIBUTION = re.compile(
    LEAD.pattern + r"(?:[^<]{5,200}<[^<>\s@]{1,64}@[^<>\s]{1,200}>\s?(?:" + WROTE.pattern + r")\s?[:：]\s"
    r"|[^<>\n]{5,200}?(?:" + WROTE.pattern + r")\s?[:：]\s{1,3}>\s)",
    re.I,
)
# Zoho's programs put it between dashes
DASHED = re.compile(r"[*_]{0,2}-{2,}\s(?P<words>.{10,400}?)\s?-{2,}[*_]{0,2}\s*$")
# Old programs of Google's wrote no more than this above the quotation
DATE_AND_SENDER = re.compile(
    r"\d{4}[/.-]\d{1,2}[/.-]\d{1,2},?\s[^<>:]{2,120}<[^<>\s@]{1,64}@[^<>\s]{1,200}>\s*$"
)
WHO_WROTE = re.compile(
    r"[\"'“«]?(?!(?:As|What|Like|When|And|But|See|How|If|Wie|Was|Comme|Como|Come)\b)[^\W\d_][^<>:;!?\n]{0,60}"
    r"<[^<>\s@]{1,64}@[^<>\s]{1,200}>\s(?:" + WROTE.pattern + r")\s?[:：]\s*$",
    re.I,
)
# "Bo> quoted": as newsreaders mark it
INITIALS = re.compile(r"^(?!SQL|PS|CMD|DOS)([A-Z][A-Za-z]{0,2})>{1,3} ", re.M)
# What plug-ins that follow openings leave in the text
TRACKING = re.compile(r"[\sᐧ]*ᐧ[\sᐧ]*$")
# Directions, joiners and spaces that are not seen, to be left out before a line is compared with a mark
UNSEEN = {
    **dict.fromkeys(
        (0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A), 0xFEFF), None
    ),
    **dict.fromkeys((0xA0, 0x2007, 0x202F, 0x3000), 0x20),
}
FROM_WORDS = (
    r"(?:from|von|de|da|van|od|от|від|fra|från|lähettäjä|odesílatel|feladó|gönderen|kimden|expéditeur|remitente|mittente"
    r"|remetente|nadawca|отправитель|差出人|送信者|发件人|寄件者|寄件人|보낸\s?사람|보낸이|από|de la|מאת|من|từ|จาก|dari"
    r"|از|prezas|saatja|no|nuo|frá|से|প্রেরক|sender|absender|afzender|afsender|avsändare)"
)
FROM = re.compile(FROM_WORDS + r"\s*\Z", re.I)
SENT = re.compile(
    r"(?:sent|subject|gesendet|datum|betreff|envoyé|objet|date d'envoi|enviado(?: el| em)?|asunto|assunto|inviato|data"
    r"|oggetto|verzonden|onderwerp|wysłano|temat|отправлено|дата|тема|надіслано|sendt|emne|skickat|ämne|lähetetty|aihe"
    r"|odesláno|předmět|elküldve|tárgy|gönderildi|konu|送信日時|件名|日時|发送时间|发送日期|主题|寄件日期|主旨|日期"
    r"|보낸\s?날짜|제목|날짜|στάλθηκε|θέμα|trimis|subiect|נשלח|נושא|أرسلت|تم الإرسال|تاريخ الإرسال|الموضوع|đã gửi"
    r"|chủ đề|ส่ง|ส่งเมื่อ|เรื่อง|dikirim|terkirim|subjek|perihal|tarih|enviat|assumpte|poslano|predmet|odoslané|ارسال|موضوع"
    r"|تاریخ|saadetud|teema|nosūtīts|temats|išsiųsta|tema|изпратено|относно|sent at|भेजा गया|विषय)\s*\Z",
    re.I,
)
# A banner after which an answered message comes, even without header lines
ORIGINAL = re.compile(
    r"original\s?message|ursprüngliche nachricht|original-?nachricht|message d['’]origine|message original"
    r"|mensaje original|mensagem original|messaggio originale|oorspronkelijk bericht|origineel bericht"
    r"|(?:oryginalna|pierwotna) wiadomość|исходное сообщение|оригинальное сообщение|oprindelig meddelelse"
    r"|ursprungligt meddelande|opprinnelig melding|alkuperäinen viesti|původní zpráva|eredeti üzenet|元のメッセージ"
    r"|元のメール|原始邮件|原始郵件|原邮件|원본\s?메시지|원본\s?메일|reply message|replied message|original appointment"
    r"|αρχικό μήνυμα|mesaj original|mesajul original|הודעה מקורית|ההודעה המקורית|رسالة أصلية|الرسالة الأصلية|پیام اصلی"
    r"|(?:orijinal|özgün) (?:mesaj|ileti)|(?:оригінальне|вихідне|початкове) повідомлення|thư gốc|tin nhắn gốc"
    r"|ข้อความ(?:ต้นฉบับ|เดิม)|pesan (?:asli|asal)|missatge original|originalna poruka|pôvodná správa|izvirno sporočilo"
    r"|оригинално съобщение|मूल संदेश|algne (?:sõnum|kiri)|sākotnējais ziņojums|originalus laiškas|upprunaleg skilaboð",
    re.I,
)
# A banner after which a passed-on message comes: that is what the mail is about, and it is kept
FORWARDED = re.compile(
    r"forwarded (?:message|mail|by)|begin forwarded|weitergeleitete[nr]? nachricht|message (?:transféré|réexpédié)"
    r"|mensaje reenviado|mensagem (?:encaminhada|reencaminhada)|messaggio inoltrato|doorgestuurd bericht"
    r"|(?:przekazana|przesłana dalej) wiadomość|wiadomość przekazana|пересылаем|пересланн|переслано"
    r"|vidarebefordra|videresendt|välitetty viesti|přeposlaná|továbbított|転送(?:された)?\s?メ|轉寄"
    r"|转发的?(?:邮件|信息|消息)|전달된\s?(?:메시지|메일)",
    re.I,
)
_DEVICE = re.compile(
    r"(?:Sent (?:from (?:my|Mail|Outlook|Yahoo|AOL|Proton|Gmail|Samsung|Zoho|Spark|Superhuman|a |an )|via |with |using "
    r"|on the (?:go|move))|Diese (?:Nachricht|E-?Mail) wurde .{3,60}(?:gesendet|geschickt|verschickt)"
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
    r"|airmail|zoho|k-9|fastmail|thunderbird|tutanota|newton|mailbird|canary|edison"
    r"|mail for|mail app|mail auf|mail pour|mail para|yahoo|proton|gmail|gmx|web\.de|aol|superhuman"
    r"|mailspring|spark\b|sparrow"
    r"|smartphone|móvil|portable|cellulare|telefoon|telefon|ios|huawei|xiaomi|nokia|htc|lg|windows",
    re.I,
)
# no person writes these words by themselves
_OWN_WORDS = re.compile(
    r"\bK-9 Mail\b|excuse my brevity|(?:meine Kürze|ma brièveté|mi brevedad|mijn beknoptheid"
    r"|minha brevidade|la brevità)",
    re.I,
)
_MAX_DEVICE = 160


def is_device_line(line: str) -> bool:
    """Whether a line is what a phone or a mail program writes under a mail: ``Sent from my iPhone``."""
    line = line.strip().strip("*_")
    if not line or len(line) > _MAX_DEVICE or not _DEVICE.match(line):
        return False
    if _OWN_WORDS.search(line):
        return True
    if not line.isascii() and not any(character.isascii() and character.isalpha() for character in line[:4]):
        return len(line) < 60
    if len(line.split()) > 7 and line.endswith((".", "!", "?")):
        return False  # a sentence that somebody wrote
    return _DEVICE_NAMES.search(line) is not None or (
        line.lower().startswith("sent from") and len(line.split()) <= 7
    )


def is_attribution(text: str, *, quoted: bool) -> bool:
    """Whether ``text`` says who wrote what follows: it ends in a colon, or stands between dashes.

    ``quoted``: lines that are marked as quoted follow.
    """
    dated = DATE.search(text) is not None
    addressed = "@" in text and ADDRESS.search(text) is not None
    if dashed := DASHED.match(text):
        return dated and (addressed or WROTE.search(dashed["words"]) is not None)
    wrote = WROTE.search(text) is not None
    if quoted:
        return dated or addressed or wrote
    if wrote:
        return (dated and (addressed or LEAD.match(text) is not None)) or WHO_WROTE.match(text) is not None
    end = text.rstrip("*_ :：")
    ends = end[-1:] in (">", ")", "]") or ADDRESS.fullmatch(end.rpartition(" ")[2]) is not None
    return dated and addressed and ends and LEAD.match(text) is not None and TIME.search(text) is not None


def is_header_label(label: str) -> bool:
    """Whether a label is one that mail programs write over a message they quote."""
    return FROM.match(label) is not None or SENT.match(label) is not None


def is_header_block(labels: list[str], values: str, *, banner: bool, apart: bool) -> bool:
    """Whether ``Label: value`` lines are the head of somebody's message.

    ``banner``: the line above is a rule that contains text (``--- Original Message ---``). ``apart``: a blank line or a
    rule is above.
    """
    named = any(FROM.match(one) for one in labels) and any(SENT.match(one) for one in labels)
    if len(labels) < (2 if banner else 3):
        return False
    dated, addressed = DATE.search(values) is not None, ADDRESS.search(values) is not None
    if banner:
        return dated or addressed
    if not apart:
        return named and FROM.match(labels[0]) is not None and (dated or addressed)
    if dated:
        return addressed or named
    return named and addressed and sum(1 for one in labels if SENT.match(one)) > 1
