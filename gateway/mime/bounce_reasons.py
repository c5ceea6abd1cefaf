"""Why a mail was not delivered, as an enhanced status code (RFC 3463 and its registry), from a server's words.

Codes are taken before words; words decide where there is no code, or one that says nothing (5.0.0). Each pattern is
linear, and what it is given is short.
"""

from __future__ import annotations

import re

# A code of three numbers that is no version and no part of an address.
_CODE = re.compile(r"(?<![\d.\w])#?([245])\.(\d{1,3})\.(\d{1,3})(?![\d]|\.\d)")
_REPLY = re.compile(
    r"(?<![\d.:\[-])([45]\d\d)(?=[ -]|$)(?![ -]*(?:bytes|octets|days?|hours?|minutes?"
    r"|seconds?|kb|mb))",
    re.I,
)
_BY_REPLY = {"552": "5.2.2", "553": "5.1.3", "421": "4.3.2", "452": "4.2.2"}

_WORDS: tuple[tuple[str, str], ...] = (
    (
        "2.2",
        r"quota"
        r"|(?:mail ?box|mailfolder|inbox|storage|disk|account|recipient)\W{1,3}(?:is "
        r"|has been |was )?(?:currently )?(?:too )?(?:full|filled)"
        r"|(?:mailbox|account|storage)\W(?:\w+\W){0,4}exceed"
        r"|exceed(?:s|ed|ing)? (?:\w+ ){0,4}(?:storage|mailbox|space)"
        r"|insufficient (?:disk |system )?(?:storage|space)|out of (?:disk )?space"
        r"|not enough (?:\w+ ){0,3}space|mailbox size limit|too many messages|full mailbox"
        r"|no space left|user has too many|boite pleine",
    ),
    (
        "3.4",
        r"too (?:big|large|long for)"
        r"|(?:message|mail|data|content)(?:\W\w+){0,2} size (?:\w+ ){0,3}(?:exceed|limit"
        r"|larger)"
        r"|exceed(?:s|ed)? (?:\w+ ){0,4}(?:message size|size limit|maximum|fixed|limit)"
        r"|size limit|larger than (?:the )?(?:current |maximum )",
    ),
    (
        "4.6",
        r"too many hops|mail loop|loops? back|routing loop|loop detected|hop count"
        r"|mail forwarding loop",
    ),
    (
        "1.2",
        r"host(?:name)?(?: or domain)?(?: name)? (?:\w+ )?(?:unknown|not found|lookup (?:error"
        r"|failed)|does(?:n't| not) exist)"
        r"|(?:unknown|illegal|no such|invalid|nonexistent|unrouteable) (?:mail )?(?:host"
        r"|domain)"
        r"|domain(?:\W{1,3}\S{1,80})? (?:\w+ ){0,2}(?:not found|does(?:n't| not) exist"
        r"|is unknown|unknown|invalid|could(?:n't| not) be (?:found|resolved))"
        r"|couldn't find any host|can(?:not|'t) find (?:\w+ ){0,3}(?:host|domain)"
        r"|all relevant mx records point to non-existent|nxdomain"
        r"|name (?:service error|or service not known)|no (?:mx|dns|a|valid) (?:record|host)"
        r"|dns error|dns lookup fail|unrouteable (?:mail )?domain|mx (?:record )?lookup"
        r"|no mail hosts|host or domain name not found|mail server.{0,20} not found",
    ),
    (
        "2.1",
        r"(?:account|mail ?box|user|address|recipient|e-?mail)(?:\W{1,3}\S{1,80})?(?: \w+){0,4}"
        r" (?:disabled|inactive|suspended|deactivated|closed|locked|expired|discontinued)"
        r"|(?:disabled|inactive|suspended|deactivated) (?:\w+ )?(?:account|mail ?box|user"
        r"|recipient)|mailbox (?:currently )?unavailable.{0,10}disabled"
        r"|not accepting (?:mail|messages)|temporarily disabled",
    ),
    (
        "1.6",
        r"has moved|no longer (?:with|at|employed|works|in use)|address (?:has )?changed"
        r"|new address",
    ),
    (
        "1.1",
        r"(?:user|recipient|mail ?box|address|account|alias|name|person|addressee|local ?part"
        r"|member|subscriber|directory entry)s?(?:[\x22'<(:>) ]{1,4}\S{1,100})?\W{1,5}(?:\w+\W{1,3}){0,4}?"
        r"(?:unknown|not found|not known|not listed|not exist|n't exist|invalid|not valid"
        r"|no longer valid|wrong|unavailable|not local|not recogni[sz]ed|nonexistent"
        r"|non-existent|undeliverable|n't have|not have|not available|not in|does ?n'?o?t"
        r"|not match|could not be found|wasn't found|was not found|couldn't be found|is not a)"
        r"|(?:unknown|no such|invalid|bad|unable to find|nonexistent|non-existent|non existent"
        r"|unrouteable|undeliverable|illegal|not a valid|not a known|no|incorrect|missing"
        r"|unresolvable) (?:\w+ )?(?:e-?mail )?(?:user|recipient|mail ?box|mail drop|address"
        r"|local|account|alias|person|addressee|name|destination|virtual|member|customer)"
        r"|user[ _]?unknown|invalid final delivery|unknown to|doesn't have an? "
        r"|does(?:n't| not) have an? (?:\w+ )?account"
        r"|is not (?:a|our) (?:valid|known|customer)|no valid recipients|there is no one"
        r"|not our customer|not (?:been )?(?:listed|found) in|no mail ?box|can't create output"
        r"|did not exactly match|does not like recipient|doesn't exist|does not exist"
        r"|no one (?:at|with|by) (?:this|that)|550 unknown"
        r"|destinatario.{0,30}(?:desconocido|no existe)|benutzer.{0,40}unbekannt"
        r"|unbekannter benutzer|utilisateur inconnu|adresse inconnue|quiz.s no exista"
        r"|vous avez fait|no exist",
    ),
    (
        "7.1",
        r"spam|black ?list|block ?list|blocked|dnsbl|\brbl\b|policy|policies|reputation|dmarc"
        r"|\bspf\b|dkim|unsolicited|banned|virus|malware|infected|denied"
        r"|not (?:allowed|permitted|authori[sz]ed|accepted)|unauthenticated|authenticat|relay"
        r"|prohibited|refused to accept|content|rejected|rejection|restricted|administratively"
        r"|forbidden|poor|abuse|listed (?:at|in|on)|reverse dns|\bptr\b|rdns|throttl"
        r"|too many (?:connections|recipients|concurrent)|rate limit|tls|certificate|challenge",
    ),
    (
        "4.7",
        r"expired|timed? ?out|time-?out|retry time|giving up"
        r"|not (?:been )?(?:able to )?(?:be )?(?:connect|contact|deliver)\w* (?:\S+ ){0,10}(?:days?"
        r"|hours?)|unable to (?:connect|contact|reach)"
        r"|could(?:n't| not) (?:connect|be reached|contact|be delivered within)"
        r"|connection (?:refused|reset|closed|dropped|lost|failed)|can't connect|not respond"
        r"|no route|network (?:is )?unreachable"
        r"|(?:host|server|computer|system) (?:\S+ ){0,3}(?:not reachable|unreachable|down"
        r"|unavailable)|within \d+ (?:days|hours)"
        r"|for (?:more than |over )?\d+ (?:days|hours|minutes)|queue (?:period|time|too long)"
        r"|too long|retry (?:period|limit)|delayed|wasn't able to establish",
    ),
    (
        "3.0",
        r"local (?:configuration|error)|system error|command (?:died|failed|time)"
        r"|out of memory|i/o error|internal error|configuration|service unavailable|temporar",
    ),
)
_PATTERNS = [(detail, re.compile(pattern, re.I)) for detail, pattern in _WORDS]
_MAX = 4000


def status_of(text: str, given: str = "") -> str:
    """The enhanced status that ``text`` speaks of; ``given``: the one that was stated, which stays if it says more.

    Empty when neither says anything.
    """
    text = " ".join(text[:_MAX].split())
    codes = [f"{one[1]}.{int(one[2])}.{int(one[3])}" for one in _CODE.finditer(text)]
    for status in (given, *codes):
        if status and not _is_vague(status):
            return status if not given else f"{given[0]}{status[1:]}"
    status = given or next(iter(codes), "")
    reply = _REPLY.search(text)
    kind = status[:1] or (reply[1][0] if reply else "")
    for detail, pattern in _PATTERNS:
        if pattern.search(text):
            return f"{kind or ('4' if detail in ('4.7', '3.0') else '5')}.{detail}"
    return status or (_BY_REPLY.get(reply[1], f"{reply[1][0]}.0.0") if reply else "")


def _is_vague(status: str) -> bool:
    """Whether a code leaves open what is wrong: none of its subject (X.n.0), or not in the registry. X.2.0 is the
    mailbox's own trouble (RFC 3463 §3.3), which says enough."""
    return (status.endswith(".0") and status[1:] != ".2.0") or len(status.rpartition(".")[2]) > 2
