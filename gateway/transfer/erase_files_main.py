"""The process of ``erase_files``: reads what to look for on standard input, writes the files that hold it."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from gateway.transfer.erase_files import Search
from gateway.transfer.erase_find import person_of
from gateway.transfer.erase_trace import left_in_files


def main() -> None:
    """Search once."""
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Search)
    found = left_in_files(Path(wanted.root), person_of(wanted.address), mail=wanted.mail)
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()
