"""One-time codes and links: what a sign-up or a log-in sends by mail, and what an agent is waiting for.

A code is given as a form field takes it: without spaces (``123 456`` is ``123456``), without hyphens where only digits
are between them, letters as written (``G-123456``, ``ABC-DEF``). A link is given whole and unchanged. Precision comes
first: without evidence there is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.mime.html_text import HtmlText, html_to_text
from gateway.mime.one_time.code import find_code
from gateway.mime.one_time.link import find_link


class OneTime(NamedTuple):
    """What a mail carries to be used once; None where it carries none."""

    code: str | None
    link: str | None


def find(subject: str, text: str | None, html: str | None, sender: str | None) -> OneTime:
    """The one-time code and link of a mail. Never raises; linear.

    Args:
        subject: decoded.
        text: its text part.
        html: its HTML part, which is believed before the text.
        sender: the address in From.
    """
    bodies = [html_to_text(html)] if html else []
    if text:
        bodies.append(HtmlText(text))
    return find_seen(subject, bodies, sender)


def find_seen(subject: str, bodies: Iterable[HtmlText], sender: str | None) -> OneTime:
    """As ``find``, in bodies that were read already. The first one that has a code gives the code, so with links."""
    code = link = None
    for body in bodies:
        code = code or find_code(subject, body.text, body.large)
        link = link or find_link(subject, body.text, sender)
    return OneTime(code, link)
