"""What differs between the versions of Dovecot, as each version's module says it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mailserver.dovecot.config import DovecotConfig
from mailserver.rendering import Rendered


class Dialect(Protocol):
    """One version's way to write a :class:`DovecotConfig`."""

    @property
    def version(self) -> str:
        """Such as ``2.3``."""

    @property
    def template(self) -> str:
        """Name of the template of ``dovecot.conf``, which holds what the versions write differently."""

    @property
    def kick(self) -> tuple[str, ...]:
        """The doveadm command that ends a user's sessions; the user follows."""

    def values(self, config: DovecotConfig) -> dict[str, str]:
        """What this version's templates and the shared ones are filled with, beside what all versions share."""

    def further_files(self, config: DovecotConfig, values: Mapping[str, str]) -> list[Rendered]:
        """Files beside ``dovecot.conf`` that only this version has. ``values``: everything for the templates."""


def only_if(wanted: object, text: str) -> str:
    """The text, or nothing."""
    return text if wanted else ""
