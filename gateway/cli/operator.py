"""``DATA/operator.json``: how commands on this machine reach the gateway that runs on the data directory.

Written (mode 0600) when the gateway answers requests: ``{base_url, api_key, pid}``, and ``unix_socket`` where it
listens on one. The key is an organization key named ``operator``; it stays the same from start to start. ``settings``
are those that ``postern serve`` had from its command line, which no file and no environment names.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli.failure import REFUSED, Failure
from mailserver.process import exists

NAME = "operator.json"


@dataclass(frozen=True, slots=True)
class Operator:
    """A gateway on this machine."""

    base_url: str
    api_key: str
    pid: int = 0
    unix_socket: str | None = None


def settings_of(data_dir: Path) -> dict[str, Any]:
    """Settings by dotted name that the gateway on this directory had from its command line when it last started."""
    held = read_private(data_dir / NAME).get("settings")
    return held if isinstance(held, dict) else {}


def write_private(path: Path, value: dict[str, Any]) -> None:
    """Write JSON that only its owner can read; the file is whole or not there."""
    temporary = path.with_name(f".{path.name}.new")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        os.fchmod(out.fileno(), 0o600)
        json.dump(value, out, indent=2, ensure_ascii=False)
        out.write("\n")
        out.flush()
        os.fsync(out.fileno())
    os.replace(temporary, path)


def read_private(path: Path) -> dict[str, Any]:
    """What :func:`write_private` wrote; {} when there is nothing usable. Raises Failure when it is not ours."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except PermissionError:
        raise Failure(
            f"{path} belongs to another user", REFUSED, fix="run the command as the user the gateway runs as"
        ) from None
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def running(data_dir: Path) -> bool:
    """Whether a gateway holds the lock of this data directory."""
    try:
        with open(data_dir / "postern.lock") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # several gateways may share it
            except OSError:
                return True
    except FileNotFoundError:
        return False
    except PermissionError:
        raise Failure(
            f"{data_dir} belongs to another user",
            REFUSED,
            fix="run the command as the user the gateway runs as",
        ) from None
    return False


def lives(found: Operator) -> bool:
    """Whether the process that wrote the file is still there; a file of an earlier run stays behind."""
    return not found.pid or exists(found.pid)


def operator_of(data_dir: Path) -> Operator | None:
    """The operator file of a running gateway; None while it is still starting."""
    value = read_private(data_dir / NAME)
    if not value.get("base_url") or not value.get("api_key"):
        return None
    pid = value.get("pid")
    return Operator(
        str(value["base_url"]),
        str(value["api_key"]),
        pid if isinstance(pid, int) else 0,
        value.get("unix_socket"),
    )
