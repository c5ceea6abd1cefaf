"""What ``postern setup --dry-run`` shows: one line for each file and command, or with ``--full`` every text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.wrapping import wrapped
from gateway.setup import layout
from gateway.setup.host import DryHands

_DESCRIPTION = re.compile(r"^Description=(.*)$", re.MULTILINE)
_WHAT = {
    layout.SETTINGS: "settings of this server",
    layout.SYSUSERS: "the system user and groups",
    layout.TMPFILES: "directories that must be there at each boot",
    layout.TLS_CHAIN: "certificate",
    layout.TLS_KEY: "its private key",
    layout.CERTBOT_HOOK: "copies each renewed certificate to the mail services",
    Path("/usr/sbin/policy-rc.d"): "keeps daemons from starting while packages are installed; then removed",
}


def summary(hands: DryHands) -> list[str]:
    """The acts in groups, one line each."""
    return [
        *_group("packages it would install", _installed(hands)),
        *_group("files it would write", _table(list(_files(hands)))),
        *_group("directories it would make", wrapped(" ".join(_paths(hands, "mkdir")))),
        *_group("owners and modes it would change", wrapped(" ".join(_paths(hands, "own")))),
        *_group("files and directories it would remove", wrapped(" ".join(_removed(hands)))),
        *_group("commands it would run", list(_commands(hands))),
    ]


def full(hands: DryHands) -> list[str]:
    """Every act in its order, with the text of each file."""
    lines: list[str] = []
    for act in hands.acts:
        if act["act"] == "run":
            lines.append(f"run    {act['command']}")
            continue
        shape = f"  {act['owner']}:{act['group']} {act['mode']}" if "mode" in act else ""
        lines.append(f"{act['act']:<6} {act['path']}{shape}")
        lines += [f"       | {line}" for line in act.get("content", "").splitlines()]
    return lines


def refusals(problems: list[tuple[str, str]]) -> list[str]:
    """What would keep the same command without --dry-run from beginning, each with what to do."""
    lines = ["", "without --dry-run it would refuse:"] if problems else []
    for words, fix in problems:
        lines += [*wrapped(words, "  "), *wrapped(fix, "      ")]
    return lines


def _group(title: str, lines: list[str]) -> list[str]:
    return ["", f"{title}:", *(f"  {one}" for one in lines)] if lines else []


def _files(hands: DryHands) -> Iterator[tuple[str, ...]]:
    for act in hands.acts:
        path = Path(act.get("path", ""))
        if act["act"] == "edit":
            yield act["path"], "", f"one more line: {act['content'].splitlines()[-1]}"
        elif act["act"] == "link":
            yield act["path"], "", f"link to {act['target']}"
        elif act["act"] == "write":
            new = "" if hands.status(path) is None else "changed: "
            yield (
                act["path"],
                f"{act['owner']}:{act['group']} {act['mode']}",
                new + _what(path, act["content"]),
            )


def _what(path: Path, content: str) -> str:
    """What a file is for, in a few words."""
    if path in _WHAT:
        return _WHAT[path]
    if path.parent == layout.CREDENTIALS:
        return "a secret"
    if path.parent == layout.PROXY:
        return "the site for the reverse proxy"
    if match := _DESCRIPTION.search(content):
        return match[1]
    if path.parent.suffix == ".d":
        return f"a drop-in for {path.parent.stem}"
    return "setup's own text of a file that was edited by hand" if path.suffix == ".new" else ""


def _installed(hands: DryHands) -> list[str]:
    found = []
    for command in _plain(hands):
        words = command.split()
        if "apt-get" in words and "install" in words:
            at = words.index("-o") + 2 if "-o" in words else words.index("install") + 1
            found += words[at:]
    return wrapped(" ".join(found))


def _commands(hands: DryHands) -> Iterator[str]:
    for command in _plain(hands):
        words = command.split()
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            del words[0]
        yield from wrapped(" ".join(words), "", "    ")


def _plain(hands: DryHands) -> list[str]:
    return [act["command"] for act in hands.acts if act["act"] == "run"]


def _paths(hands: DryHands, kind: str) -> list[str]:
    return [act["path"] for act in hands.acts if act["act"] == kind]


def _removed(hands: DryHands) -> list[str]:
    return [
        path
        for kind in ("remove", "remove_tree", "rmdir")
        for path in _paths(hands, kind)
        if path != "/usr/sbin/policy-rc.d"
    ]


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[at]) for row in rows) for at in (0, 1)] if rows else [0, 0]
    return [f"{path:<{widths[0]}}  {shape:<{widths[1]}}  {what}".rstrip() for path, shape, what in rows]
