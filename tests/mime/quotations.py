"""How mail programs introduce what they quote and forward, and sign: facts that many programs' mails show."""
# ruff: noqa: E501 - a table

from __future__ import annotations

ATTRIBUTIONS = {
    "gmail en": "On Mon, Jan 5, 2026 at 10:00 AM Bob <bob@x.test> wrote:",
    "gmail en folded": "On Mon, Jan 5, 2026 at 10:00 AM Bob Longname\n<bob@x.test> wrote:",
    "gmail en folded twice": "On Mon, Jan 5, 2026 at 10:00 AM Bob Longname\n<bob@x.test>\nwrote:",
    "gmail de": "Am Mo., 5. Jan. 2026 um 10:00 Uhr schrieb Bob <bob@x.test>:",
    "gmail fr": "Le lun. 5 janv. 2026 à 10:00, Bob <bob@x.test> a écrit :",
    "gmail es": "El lun, 5 ene 2026 a las 10:00, Bob (<bob@x.test>) escribió:",
    "gmail it": "Il giorno lun 5 gen 2026 alle ore 10:00 Bob <bob@x.test> ha scritto:",
    "gmail pt": "Em seg., 5 de jan. de 2026 às 10:00, Bob <bob@x.test> escreveu:",
    "gmail nl": "Op ma 5 jan 2026 om 10:00 schreef Bob <bob@x.test>:",
    "gmail pl": "pon., 5 sty 2026 o 10:00 Bob <bob@x.test> napisał(a):",
    "gmail ru": "пн, 5 янв. 2026 г. в 10:00, Bob <bob@x.test>:",
    "gmail ja": "2026年1月5日(月) 10:00 Bob <bob@x.test>:",
    "gmail zh": "Bob <bob@x.test> 于2026年1月5日周一 10:00写道：",
    "gmail ko": "2026년 1월 5일 (월) 오전 10:00, Bob <bob@x.test>님이 작성:",
    "gmail sv": "Den mån 5 jan. 2026 kl 10:00 skrev Bob <bob@x.test>:",
    "apple en": "On 5 Jan 2026, at 10:00, Bob <bob@x.test> wrote:",
    "apple de": "Am 05.01.2026 um 10:00 schrieb Bob <bob@x.test>:",
    "apple fr": "Le 5 janv. 2026 à 10:00, Bob <bob@x.test> a écrit :",
    "apple ja": "2026/01/05 10:00、Bob <bob@x.test>のメール:",
    "apple zh": "在 2026年1月5日，10:00，Bob <bob@x.test> 写道：",
    "thunderbird": "On 1/5/26 10:00, Bob wrote:",
    "thunderbird de": "Am 05.01.26 um 10:00 schrieb Bob:",
    "yandex": '05.01.2026, 10:00, "Bob" <bob@x.test>:',
    "mail.ru": "Понедельник, 5 января 2026, 10:00 +03:00 от Bob <bob@x.test>:",
    "netease": 'At 2026-01-05 10:00:00, "Bob" <bob@x.test> wrote:',
}

HEADER_BLOCKS = {
    "outlook en": "From: Bob <bob@x.test>\nSent: Monday, January 5, 2026 10:00 AM\nTo: Me <me@h.test>\nSubject: old",
    "outlook bold": "*From:* Bob <bob@x.test>\n*Sent:* Monday, January 5, 2026 10:00 AM\n*To:* Me <me@h.test>\n*Subject:* old",
    "outlook rule": "________________________________\nFrom: Bob <bob@x.test>\nSent: Monday, January 5, 2026 10:00 AM\nTo: Me <me@h.test>\nSubject: old",
    "outlook de": "Von: Bob <bob@x.test>\nGesendet: Montag, 5. Januar 2026 10:00\nAn: Me\nBetreff: old",
    "outlook de bare": "Von: Bob\nGesendet: Montag, 5. Januar 2026 10:00\nAn: Me\nBetreff: old",
    "outlook fr": "De : Bob <bob@x.test>\nEnvoyé : lundi 5 janvier 2026 10:00\nÀ : me <me@h.test>\nObjet : old",
    "outlook es": "De: Bob <bob@x.test>\nEnviado: lunes, 5 de enero de 2026 10:00\nPara: me\nAsunto: old",
    "outlook it": "Da: Bob <bob@x.test>\nInviato: lunedì 5 gennaio 2026 10:00\nA: me\nOggetto: old",
    "outlook pt": "De: Bob <bob@x.test>\nEnviada em: segunda-feira, 5 de janeiro de 2026 10:00\nPara: me\nAssunto: old",
    "outlook nl": "Van: Bob <bob@x.test>\nVerzonden: maandag 5 januari 2026 10:00\nAan: me\nOnderwerp: old",
    "outlook pl": "Od: Bob <bob@x.test>\nWysłano: poniedziałek, 5 stycznia 2026 10:00\nDo: me\nTemat: old",
    "outlook ru": "От: Bob <bob@x.test>\nОтправлено: 5 января 2026 г. 10:00\nКому: me\nТема: old",
    "outlook ja": "差出人: Bob <bob@x.test>\n送信日時: 2026年1月5日 10:00\n宛先: me@h.test\n件名: old",
    "outlook zh": "发件人: Bob <bob@x.test>\n发送时间: 2026年1月5日 10:00\n收件人: me\n主题: old",
    "outlook ko": "보낸 사람: Bob <bob@x.test>\n보낸 날짜: 2026년 1월 5일 월요일 오전 10:00\n받는 사람: me\n제목: old",
    "windows mail": "От: Bob\nОтправлено: четверг, 5 января 2026 г. 10:00\nКому: Me",
    "original": "-----Original Message-----\nFrom: Bob <bob@x.test>\nSent: Monday, January 5, 2026 10:00 AM\nTo: Me\nSubject: old",
    "original de": "-----Ursprüngliche Nachricht-----\nVon: Bob\nGesendet: Montag, 5. Januar 2026 10:00\nAn: Me\nBetreff: old",
    "original bare": "-----Messaggio originale-----",
    "gmx": 'Gesendet: Montag, 05. Januar 2026 um 10:00 Uhr\nVon: "Bob" <bob@x.test>\nAn: me@h.test\nBetreff: old',
    "qq": '------------------ 原始邮件 ------------------\n发件人: "Bob"<bob@x.test>; \n发送时间: 2026年1月5日(星期一) 上午10:00\n收件人: "me"<me@h.test>; \n\n主题: old',
}

DEVICES = [
    "Sent from my iPhone", "Sent from my Verizon Wireless BlackBerry", "Sent from Outlook for Android", "Sent from Yahoo Mail for iPhone",
    "Get Outlook for iOS<https://aka.test/o>", "Von meinem iPhone gesendet", "Gesendet mit der GMX Mail App", "Envoyé de mon iPhone",
    "Envoyé depuis mon téléphone Samsung", "Enviado desde mi iPhone", "Enviado do meu iPhone", "Inviato da iPhone", "Verstuurd vanaf mijn iPhone",
    "Verzonden vanaf mijn iPad", "Wysłane z iPhone'a", "Отправлено с iPhone", "iPhoneから送信", "发自我的iPhone", "從我的 iPhone 傳送", "나의 iPhone에서 보냄",
]  # fmt: skip

FORWARDS = {
    "gmail": "---------- Forwarded message ---------\nFrom: Bob <bob@x.test>\nDate: Mon, Jan 5, 2026\nSubject: hi\nTo: <me@h.test>",
    "apple": "Begin forwarded message:\n\nFrom: Bob <bob@x.test>\nSubject: hi\nDate: 5 January 2026 at 10:00\nTo: me@h.test",
    "thunderbird": "-------- Forwarded Message --------\nSubject: hi\nDate: Mon, 5 Jan 2026 10:00:00 +0000\nFrom: Bob <bob@x.test>\nTo: me@h.test",
    "de": "-------- Weitergeleitete Nachricht --------\nBetreff: hi\nDatum: Mon, 5 Jan 2026\nVon: Bob <bob@x.test>\nAn: me@h.test",
    "fr": "---------- Message transféré ---------\nDe : Bob <bob@x.test>\nDate: lun. 5 janv. 2026",
    "es": "---------- Mensaje reenviado ---------\nDe: Bob <bob@x.test>\nDate: lun, 5 ene 2026",
    "it": "---------- Messaggio inoltrato ---------\nDa: Bob <bob@x.test>",
    "pt": "---------- Mensagem encaminhada ---------\nDe: Bob <bob@x.test>",
    "ru": "---------- Пересылаемое сообщение ---------\nОт: Bob <bob@x.test>",
    "ja": "---------- 転送されたメッセージ ---------\n差出人: Bob <bob@x.test>",
    "zh": "---------- 转发的邮件 ---------\n发件人: Bob <bob@x.test>",
    "ko": "---------- 전달된 메시지 ---------\n보낸사람: Bob <bob@x.test>",
}
