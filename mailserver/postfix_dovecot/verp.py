"""A return path for each recipient of one submission: Postfix's VERP, with a token that only that recipient sees.

The gateway names a recipient ``verp-TOKEN-user@host`` and asks for XVERP. Postfix delivers to each recipient alone,
from ``MAIL_FROM+verp-TOKEN-user=host@domain``; its SMTP client then rewrites both (``smtp_generic_maps``, the template
``verp-generic``): the recipient to ``user@host``, the sender to ``local+b-TOKEN@domain``. XVERP alone would not do:
with the plain address appended anybody could write the return path of anybody else.
"""

from __future__ import annotations

import re

_MARKED = re.compile(r"verp-([a-z2-7]{16})-(?=[^@])", re.I)


def verp_recipient(address: str, token: str) -> str:
    """``address`` as it is named to Postfix, with the token (16 of base 32, lower case) of its return path."""
    return f"verp-{token}-{address}"


def is_verp(address: str) -> bool:
    """Whether Postfix would take the address for a marked one: nobody may write to such an address."""
    return _MARKED.match(address) is not None


def bare_recipient(address: str) -> str:
    """The address without the mark of ``verp_recipient``, as people know it."""
    found = _MARKED.match(address)
    return address[found.end() :] if found else address


def bare_sender(address: str) -> str:
    """An envelope sender without the recipient that VERP appended to it."""
    return _APPENDED.sub("@", address)


_APPENDED = re.compile(r"\+verp-[a-z2-7]{16}-[^@]*=[^@]*@", re.I)
