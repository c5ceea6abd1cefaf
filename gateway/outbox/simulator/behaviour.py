"""What the local part of a simulated address asks for.

``name[-option][+option][+label…]``: the name says what happens; for ``bounce``, ``soft`` and ``dsn-late`` an option
says with which SMTP reply code (RFC 5321 §4.2) and enhanced status code (RFC 3463): ``550``, ``550-5.1.1``. Labels tell
tests apart and change nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "success",
    "bounce",
    "soft",
    "slow",
    "complaint",
    "dsn-late",
    "out-of-office",
    "reply",
    "code",
    "link",
    "forged",
    "loop",
]
KINDS: tuple[Kind, ...] = get_args(Kind)

_CODED: dict[Kind, int] = {"bounce": 550, "soft": 452, "dsn-late": 550}  # with the code when none is given
_LOCAL = re.compile(r"[a-z0-9._+-]{1,64}")
_OPTION = re.compile(r"(always(?:-|\Z))?(?:([45]\d\d)(?:-([45]\.\d{1,3}\.\d{1,3}))?)?")
_STATUS = {
    421: "4.3.2",
    450: "4.2.0",
    451: "4.3.0",
    452: "4.2.2",
    454: "4.7.0",
    550: "5.1.1",
    551: "5.1.6",
    552: "5.2.2",
    553: "5.1.3",
    554: "5.7.1",
    556: "5.1.10",
}


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What happens to a mail. ``code``, ``status``: of the failure, 0 and empty where there is none. ``always``: a
    temporary failure that does not pass."""

    kind: Kind
    code: int = 0
    status: str = ""
    always: bool = False


def behaviour_of(address: str) -> Behaviour | None:
    """What a simulated address asks for; None for one that the simulator does not know."""
    local = address.rpartition("@")[0].lower()
    if not _LOCAL.fullmatch(local):  # it becomes the sender of what comes back
        return None
    name, *tags = local.split("+")
    for kind in KINDS:
        if name == kind:
            return _coded(kind, tags[0] if tags else "", strict=False)
        if kind in _CODED and name.startswith(f"{kind}-"):
            return _coded(kind, name[len(kind) + 1 :], strict=True)
    return None


def _coded(kind: Kind, option: str, *, strict: bool) -> Behaviour | None:
    """``strict``: the option must be one; otherwise it may be a label."""
    if kind not in _CODED:
        return Behaviour(kind)
    found = _OPTION.fullmatch(option) if option else None
    if found is None:
        return None if strict else _failing(kind, _CODED[kind], "", always=False)
    return _failing(kind, int(found[2] or _CODED[kind]), found[3] or "", always=bool(found[1]))


def _failing(kind: Kind, code: int, status: str, *, always: bool) -> Behaviour | None:
    status = status or _STATUS.get(code, f"{code // 100}.0.0")
    wanted = "4" if kind == "soft" else "5"
    if str(code)[0] != wanted or status[0] != wanted or (always and kind != "soft"):
        return None
    return Behaviour(kind, code, status, always)
