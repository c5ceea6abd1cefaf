"""Whether this process runs in Postern's own image, and how its operator starts it and reads its log from outside."""

from __future__ import annotations

import os
from collections.abc import Mapping

START = "docker compose up -d"
LOG = "docker compose logs postern"


def in_container(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the image's ``POSTERN_CONTAINER`` is set."""
    return bool(environ.get("POSTERN_CONTAINER"))
