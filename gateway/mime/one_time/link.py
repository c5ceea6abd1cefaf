"""The link in a mail that confirms, signs in or resets: every link is scored by what it says and where it leads.

Evidence: the words on it ("Verify email") and around it, the subject, words and a token in the URL; a button that says
"Sign in" counts in a mail about signing in where no other link has a token. The link is given unchanged, with the
redirects of mailing services, because only the whole of it works.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

from gateway.mime.one_time.languages import languages_of
from gateway.mime.one_time.link_words import (
    ACTION_STEMS,
    BUTTON,
    ENTER,
    LINK_GIVEN,
    OTHER_LINK,
    actions_of,
)

_ENOUGH = 7
_MAX_TEXT, _MAX_LINKS = 60_000, 150
_SHORT = 400  # characters: such a mail is searched whatever it says
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
    label: str  # what is before it on its line
    above: str  # the lines before that


def find_link(subject: str, text: str, sender: str | None = None) -> str | None:
    """The link in ``text`` (visible text; links as ``label <url>`` or bare) that is there to be followed once, or None.

    ``sender``: address of the sender; a link to its own domain weighs more.
    """
    text = text[:_MAX_TEXT]
    if "http" not in text and "HTTP" not in text:
        return None
    lowered = f"{subject}\n{text}".lower()
    if len(text) > _SHORT and not any(stem in lowered for stem in ACTION_STEMS):
        return None
    links = [(link, parts) for link in _links(text) if (parts := _followed(link)) is not None]
    return _Search(subject[:300], lowered, sender).best(links) if links else None


class _Search:
    """How links are scored in one mail."""

    def __init__(self, subject: str, lowered: str, sender: str | None) -> None:
        self.actions = actions_of(languages_of(lowered))
        self.about = 2 if self.acts(subject) else 1 if BUTTON.search(subject) else 0
        self.enters = ENTER.search(subject) is not None
        self.domain = (sender or "").rpartition("@")[2].lower()

    def best(self, links: list[tuple[_Link, SplitResult]]) -> str | None:
        secret = [link for link, parts in links if _token(parts) > 1]
        only = secret[0] if len(secret) == 1 else None
        found, highest = None, _ENOUGH - 1
        for link, parts in links:
            score = self.score(parts, max(self.said(link), 4 if link is only and self.signs_in(link) else 0))
            if score > highest:
                found, highest = link.url, score
        return found

    def acts(self, text: str) -> bool:
        """Whether ``text`` says clearly that something is confirmed, reset or signed in to."""
        return any(action.search(text) for action in self.actions)

    def score(self, parts: SplitResult, said: int) -> int:
        if not said:
            return 0
        hinted = 2 if _SENT_BY_URL.search(f"{parts.path}?{parts.query}") else 0
        own = self.domain and _same_site(parts.hostname or "", self.domain)
        return said + self.about + hinted + _token(parts) + (1 if own else 0)

    def said(self, link: _Link) -> int:
        """How clearly the words on and before a link, or the subject, say that following it does something."""
        if self.acts(link.label):
            return 5
        enter = ENTER.search(link.label)
        if BUTTON.search(link.label):
            return 4 if self.about == 2 or self.acts(f"{link.above} {link.label}") else 2
        if self.acts(link.above):
            return 4 if enter else 3
        return 3 if enter and (self.about == 2 or self.acts(f"{link.above} {link.label}")) else 0

    def signs_in(self, link: _Link) -> bool:
        """Whether the only link with a secret signs in, with few words, in a mail about signing in."""
        if ENTER.search(link.label):
            return (
                self.enters
                or ENTER.search(link.above) is not None
                or LINK_GIVEN.search(link.above) is not None
            )
        return self.enters and LINK_GIVEN.search(f"{link.above} {link.label}") is not None


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


def _followed(link: _Link) -> SplitResult | None:
    """The parts of the URL; None when the link leads to a picture, a social network or a page for everybody."""
    try:
        parts = urlsplit(link.url)
        host = parts.hostname or ""
    except ValueError:
        return None
    if "." not in host and host != "localhost" and ":" not in host:
        return None
    if (
        _NO_PAGE.search(parts.path)
        or _SOCIAL.search(host)
        or _ELSEWHERE.search(f"{parts.path}?{parts.query}")
    ):
        return None
    return None if OTHER_LINK.search(link.label) else parts


def _token(parts: SplitResult) -> int:
    """3 for something that can only be a secret, 1 for some parameter or number, -1 for a page that is everybody's."""
    values = [
        value for name, value in parse_qsl(parts.query[:2000]) if not name.lower().startswith(("utm_", "mc_"))
    ]
    pieces = [*parts.path.split("/"), *values, *re.split(r"[/?&=]", parts.fragment)]
    if any(_TOKEN.match(piece) for piece in pieces[:60]):
        return 3
    if any(_SHORT_TOKEN.match(piece) and any(c.isdigit() for c in piece) for piece in pieces[:60]):
        return 2
    return 1 if values else -1


def _same_site(host: str, domain: str) -> bool:
    return host.lower().split(".")[-2:] == domain.split(".")[-2:]
