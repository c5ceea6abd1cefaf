"""The link in a mail that confirms, signs in or resets: every link is weighed by what it says and where it leads.

Evidence: the words on it ("Verify email") and around it, the subject, words and a token in the URL. The link is given
as it stands, redirects of mailing services included, because only the whole of it works.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

from gateway.mime.one_time.link_words import ACTION, ACTION_STEMS, BUTTON, ENTER, OTHER_LINK

_ENOUGH = 7
_MAX_TEXT, _MAX_LINKS = 60_000, 150
_URL = re.compile(r"https?://[^\s<>\"]{4,3000}", re.I)
_TRAILING = ".,;:!?)]}'*_"
_MAX_URL = 2000  # html_text cuts longer ones, and a cut link leads nowhere
_LABEL = 120
_CONTEXT = 160
_SENT_BY_URL = re.compile(
    r"verif|confirm|activat|validat|reset|passw|magic|sign-?_?in|log-?_?in|token|otp|auth|opt-?_?in|invit|bestaetig|aktivier"
    r"|regist|sign-?_?up|one-?_?time|callback|recover|welcome|valider|activer|attiva|conferma",
    re.I,
)
_NO_PAGE = re.compile(r"\.(?:png|jpe?g|gif|svg|webp|css|js|ico|woff2?|ttf|pdf|mp4)\Z", re.I)
_ELSEWHERE = re.compile(
    r"unsubscri|opt-?out|preferences|/privacy|/terms|/legal|/imprint|/impressum|/help\b|/faq|/contact|/about|/blog|abmelde|list-manage.*/unsub",
    re.I,
)
_SOCIAL = re.compile(
    r"(?:^|\.)(?:facebook|twitter|x|instagram|linkedin|youtube|tiktok|pinterest|threads|weibo|vk|reddit|whatsapp|snapchat)\.com\Z"
    r"|(?:^|\.)(?:t\.me|wa\.me|youtu\.be|apps\.apple\.com|itunes\.apple\.com|play\.google\.com|w3\.org|schemas\.microsoft\.com)\Z",
    re.I,
)
_TOKEN = re.compile(r"(?=[^a-z]*[a-z])(?=[^0-9A-Z]*[0-9A-Z])[A-Za-z0-9_.~%=+-]{16,}\Z")
_SHORT_TOKEN = re.compile(r"[A-Za-z0-9_-]{4,}\Z")


class _Link(NamedTuple):
    url: str
    label: str  # what stands before it on its line
    above: str  # the lines before that


def find_link(subject: str, text: str, sender: str | None = None) -> str | None:
    """The link in ``text`` (visible text; links as ``label <url>`` or bare) that is there to be followed once, or None.

    ``sender``: address of the sender; a link to its own domain weighs more.
    """
    text = text[:_MAX_TEXT]
    if "http" not in text and "HTTP" not in text:
        return None
    lowered = f"{subject}\n{text}".lower()
    if not any(stem in lowered for stem in ACTION_STEMS):
        return None
    about = 2 if ACTION.search(subject[:300]) else 1 if BUTTON.search(subject[:300]) else 0
    domain = (sender or "").rpartition("@")[2].lower()
    found, highest = None, _ENOUGH - 1
    for link in _links(text):
        score = _score(link, about, domain)
        if score > highest:
            found, highest = link.url, score
    return found


def _links(text: str) -> list[_Link]:
    found: list[_Link] = []
    above: list[str] = []
    for line in text.split("\n"):
        end = 0
        whole = True  # the link before this one on the line
        for match in _URL.finditer(line):
            url = match[0].rstrip(_TRAILING)
            label = line[max(end, match.start() - _LABEL) : match.start()].strip(" <([*_")
            if not label and end and whole and line[match.start() - 1] == "<":
                # the words of the one before are a URL themselves: following it leads to the one in brackets
                shown = found.pop()
                end = match.end()
                whole = len(match[0]) < _MAX_URL
                if whole:
                    found.append(shown._replace(url=url))
                continue
            if not label and above and len(above[-1]) <= 60 and "://" not in above[-1]:
                # a button made of blocks: its words stand on a line of their own
                label, higher = above[-1], above[-3:-1]
            else:
                higher = above[-2:]
            whole = len(match[0]) < _MAX_URL
            if whole:
                found.append(_Link(url, label, " ".join(one[-_CONTEXT:] for one in higher)))
            if len(found) >= _MAX_LINKS:
                return found
            end = match.end()
        if line.strip():
            above.append(_URL.sub(" ", line[-1000:]).strip(" <>"))
            del above[:-3]
    return found


def _score(link: _Link, about: int, domain: str) -> int:
    try:
        parts = urlsplit(link.url)
        host = parts.hostname or ""
    except ValueError:
        return 0
    if "." not in host and host != "localhost" and ":" not in host:
        return 0
    leads = f"{parts.path}?{parts.query}"
    if (
        _NO_PAGE.search(parts.path)
        or _SOCIAL.search(host)
        or _ELSEWHERE.search(leads)
        or OTHER_LINK.search(link.label)
    ):
        return 0
    said = _said(link, about)
    if not said:
        return 0
    score = (
        said
        + about
        + (2 if _SENT_BY_URL.search(leads) else 0)
        + _token(parts.path, parts.query, parts.fragment)
    )
    return score + (1 if domain and _same_site(host, domain) else 0)


def _said(link: _Link, about: int) -> int:
    """How clearly the words on and before a link, or the subject, say that following it does something."""
    if ACTION.search(link.label):
        return 5
    asked = about == 2 or ACTION.search(f"{link.above} {link.label}") is not None
    if BUTTON.search(link.label):
        return 4 if asked else 2
    if ACTION.search(link.above):
        return 4 if ENTER.search(link.label) else 3
    return 3 if asked and ENTER.search(link.label) else 0


def _token(path: str, query: str, fragment: str) -> int:
    """3 for something that can only be a secret, 1 for some parameter or number, -1 for a page that is everybody's."""
    values = [
        value for name, value in parse_qsl(query[:2000]) if not name.lower().startswith(("utm_", "mc_"))
    ]
    pieces = [*path.split("/"), *values, *re.split(r"[/?&=]", fragment)]
    if any(_TOKEN.match(piece) for piece in pieces[:60]):
        return 3
    if any(_SHORT_TOKEN.match(piece) and any(c.isdigit() for c in piece) for piece in pieces[:60]):
        return 2
    return 1 if values else -1


def _same_site(host: str, domain: str) -> bool:
    return host.lower().split(".")[-2:] == domain.split(".")[-2:]
