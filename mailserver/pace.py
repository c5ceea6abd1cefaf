"""How long an upload may take: as long as it goes on at some least rate, with a minute's grace."""

from __future__ import annotations

from dataclasses import dataclass

GRACE = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """``rate``: octets a second that an upload must reach on the whole; ``grace``: seconds before that counts."""

    rate: int = 2048
    grace: float = GRACE

    def seconds(self, octets: int) -> float:
        """Seconds from its start after which an upload that has brought ``octets`` is given up."""
        return self.grace + octets / max(1, self.rate)
