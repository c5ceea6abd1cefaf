"""A return path for each recipient of one submission: Postfix's VERP, with a token that only that recipient sees.

The gateway names a recipient elsewhere ``verp-TOKEN-user@host``, one of this server ``user+verp-TOKEN@host`` (a
subaddress, so that the mailbox is found), and asks for XVERP. Postfix delivers to each recipient alone, from the
message's return path with the recipient appended (``local+b-TOKEN+verp-TOKEN-user=host@domain``); its SMTP and LMTP
clients then rewrite both (``smtp_generic_maps``, the template ``verp-generic``): the recipient to ``user@host``, the
sender to ``local+b-TOKEN@domain`` with the recipient's token. XVERP alone would not do: with the plain address appended
anybody could write the return path of anybody else.
"""

from __future__ import annotations

import re

_AWAY = re.compile(r"verp-([a-z2-7]{16})-(?=[^@])", re.I)
_HERE = re.compile(r"\+verp-[a-z2-7]{16}(?=@)", re.I)


def verp_recipient(address: str, token: str, *, local: bool) -> str:
    """``address`` as it is named to Postfix, with the token (16 of base 32, lower case) of its return path."""
    if not local:
        return f"verp-{token}-{address}"
    name, _, domain = address.rpartition("@")
    return f"{name}+verp-{token}@{domain}"


def is_verp(address: str) -> bool:
    """Whether Postfix would take the address for a marked one and deliver to another: nobody may write to such."""
    return _AWAY.match(address) is not None


def bare_recipient(address: str) -> str:
    """The address without the mark of ``verp_recipient``, as people know it."""
    return _HERE.sub("", _AWAY.sub("", address, count=1) if is_verp(address) else address)
