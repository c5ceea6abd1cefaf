"""From here on webhook secrets and headers and DKIM private keys are sealed (``store.sealing``).

The columns stay. What is in them is sealed right after the migrations by ``store.seal_rows``, which has the key; this
level is what makes an older version refuse the database, since it would sign with what is sealed.
"""

from typing import Any


def up(migrator: Any, db: Any) -> None:
    pass
