"""Files and directories made durable."""

from __future__ import annotations

import os
from pathlib import Path


def sync_tree(path: Path) -> None:
    """fsync every new file and every directory below ``path``. Blocks."""
    for folder, _, files in os.walk(path):
        for name in files:
            if os.lstat(os.path.join(folder, name)).st_nlink == 1:  # what is linked was synced before
                sync_file(Path(folder, name))
        sync_file(Path(folder))


def sync_file(path: Path) -> None:
    """fsync a file or directory. Blocks."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
