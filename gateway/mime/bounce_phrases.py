"""How mail servers say that a mail was not delivered, whom to, and where the mail that came back begins.

Each pattern takes time in proportion to what it is given (``tests/mime/test_bounce_words.py``).
"""

from __future__ import annotations

import re

_ATOM = r"[A-Za-z0-9!#$%&*+/=?^_{|}~-][A-Za-z0-9!#$%&'*+/=?^_{|}~.-]{0,63}"
ADDRESS = re.compile(_ATOM + r"@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){0,8}")
_A = ADDRESS.pattern
DAEMON = re.compile(
    r"mailer-?daemon|mail ?daemon|post_?-?master|mail delivery|maildelivery|mail system"
    r"|mail administrator|system administrator|mdaemon|delivery subsystem|bounce|amavis"
    r"|mail router|mail transfer|smtp daemon|mail service",
    re.I,
)
SUBJECT = re.compile(
    r"undeliver|un-?deliver|not (?:be(?:en)? )?deliver|non-? ?deliver"
    r"|(?:delivery|mail) (?:\w+ )?(?:status )?\(?(?:has )?(?:fail|problem|error|delay"
    r"|report|notif|unsuccess)|returned (?:e-?)?mail|returned to sender"
    r"|returning (?:message|mail)|failure notice|failed mail"
    r"|delivery (?:status|failed|failure|error|incomplete|report|problem|subsystem"
    r"|notification)"
    r"|message (?:status|delivery|delayed|undeliver|not deliver|error|you sent)"
    r"|mail (?:could not|error|rejected|returned|failure|warning|status)|rejected"
    r"|user unknown|bounce|unknown (?:user|recipient)|mail system error"
    r"|warning: (?:message|could|mail)|could not (?:send|deliver)|problem delivering"
    r"|nondeliverable|unable to deliver|unbekannt|unzustellbar|rejet"
    r"|error (?:sending|delivering)|delayed mail|mail delay|not accepted|delay(?:ed)? \("
    r"|mail non remis|no se (?:puede|pudo) entregar|配信|エラー",
    re.I,
)
FAILED = re.compile(
    r"(?:could|can|was|were|has|have|is|did|will|be|been)(?: ?n[o']t|not|n't) (?:\w+ )?(?:\w+"
    r" )?(?:deliver|accept|receiv|sent|send|reach|process)"
    r"|(?:undeliver|fail(?:ed|ure)|error)\w*|(?:un|not )able to deliver"
    r"|permanent(?:ly)? (?:fatal )?(?:error|fail)"
    r"|return(?:ed|ing) (?:to|your|message|mail)"
    r"|(?:was|been|is) (?:rejected|refused|returned|bounced|not deliver)|user unknown"
    r"|unknown user|no such user|does(?:n't| not) exist|gave up|giving up|giv'?en up"
    r"|not listed|over quota|mailbox (?:is )?full|(?<!\d)5\d\d[ -]|(?<!\d)4\d\d[ -]"
    r"|undeliverable|rejected|quiz.s no exista|no exist|discarded|unzustellbar|n'a pas pu"
    r"|could not be found|problems? (?:\w+ )?deliver|not match|配信",
    re.I,
)
DELAYED = re.compile(
    r"warning only"
    r"|(?:will|shall) (?:be )?(?:keep|continue|retr(?:y|ied)|attempt|tried|try)"
    r"|still (?:being )?(?:retr|try|attempt|in the queue)|not yet (?:been )?deliver"
    r"|has(?:n't| not) (?:yet )?been deliver|(?:delivery|message) (?:\w+ ){0,3}delayed"
    r"|delayed (?:mail|delivery)"
    r"|temporar(?:y|ily) (?:\w+ ){0,3}(?:fail|non|error|problem|unable|undeliver)"
    r"|do not need to resend|no action is required|will be made"
    r"|continue to (?:try|attempt)|delivery attempts? will continue|keep trying",
    re.I,
)
FINAL = re.compile(
    r"permanent|gave up|giving up|given up|will not be (?:retr|made|attempt)"
    r"|no (?:further|more) attempts|has been returned|too long|fatal",
    re.I,
)
AWAY = re.compile(
    r"out of (?:the )?office"
    r"|auto(?:matic|mated)?[- ]?(?:reply|response|respon|antwort|answer)|vacation|holiday"
    r"|away|abwesen|absence|absent|urlaub|ausente|fuori sede|自動"
    r"|thank you for (?:your|contacting)",
    re.I,
)
COPY = re.compile(
    r"^[ \t>|]*(?:(?:Received|Return-Path|Delivered-To|Message-I[dD]|DKIM-Signature"
    r"|MIME-Version|Mime-Version|X-[A-Za-z-]{3,40}|Content-T[a-z-]{3,30}):[ \t]|[-=*_ ]{2,40}"
    r"(?:This is a copy|Below (?:this line )?is|Original [Mm]essage|Your original"
    r"|The (?:body|header|original|attached)|Unsent|Returned (?:message|mail|content)"
    r"|Message (?:header|body|text|follow)|Begin|Forwarded|Undelivered|Included|Start of)"
    r"|(?:--- )?Below this line is a copy|Original [Mm]essage (?:follows|header)"
    r"|The original message(?: header)?s? (?:follow|is below)|Included is a copy"
    r"|Message headers follow|A copy of (?:it|the|your)"
    r"|Your (?:original )?message (?:follows|reads|headers?)|----- ?Original)",
    re.M,
)
ALONE = re.compile(
    r"^[\W_]{0,12}(?:smtp[:;])?(" + _A + r")[>)\]\"']*[ \t]*[:.,;]{0,3}(?:\.\.\.)?[ \t]*$", re.I
)
LEADS = re.compile(
    r"^[\W_]{0,12}<?(" + _A + r")>?[\"')\]]?[ \t]?(?:\.\.\.|:|;|,| -|\(| on (?:mon|tue|wed|thu|fri|sat|sun))",
    re.I,
)
NAMED = re.compile(
    r"(?:rcpt to|recipients?|addressee|users?|address(?:\(?es\)?)?|mail ?box|to|for|account|alias"
    r"|delivering|destination|name|unknown|failed|invalid|member|userid|smtp)"
    r"[^\w<@]{1,12}(?:is |was |the )?[<(\"'\[]{0,2}(" + _A + r")",
    re.I,
)
NOBODY = re.compile(
    r"(?:mailer-?daemon|post-?master|abuse|hostmaster|help-?desk|support|no-?reply|info|webmaster"
    r"|admin|administrator|root|mdaemon)@",
    re.I,
)
UNSEEN = re.compile(rb"^Disposition:[^;\n]{0,80};[ \t]*(?:deleted|denied|failed)", re.I | re.M)
QUOTED = re.compile(r"^[ \t>]*(?:to|cc|from|subject|sent|date|reply-to|sender|mail from)[ \t]*:", re.I)
FIELD = re.compile(r"^[ \t>|]*(To|Message-I[dD]):[ \t]*(.{1,900})$", re.M)
ID = re.compile(r"<[^<>\s]{1,900}>")
