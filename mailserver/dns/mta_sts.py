"""The MTA-STS policy of a domain (RFC 8461 §3.2): which hosts take its mail, and that TLS is a must."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

Mode = Literal["testing", "enforce", "none"]
MODES: tuple[Mode, ...] = get_args(Mode)

_DAY = 86400


@dataclass(frozen=True, slots=True)
class Policy:
    """``testing``: senders report what would fail; ``enforce``: they do not deliver without a certificate that is
    valid for ``mail_host``; ``none``: no policy any more."""

    mode: Mode
    mail_host: str

    @property
    def text(self) -> str:
        """The file. An enforced policy is kept a week, so that whoever blocks access to it gains nothing."""
        age = 7 * _DAY if self.mode == "enforce" else _DAY
        mx = "" if self.mode == "none" else f"mx: {self.mail_host}\r\n"
        return f"version: STSv1\r\nmode: {self.mode}\r\n{mx}max_age: {age}\r\n"

    @property
    def id(self) -> str:
        """Of the TXT record: another text has another one, and nothing needs to be remembered."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:20]
