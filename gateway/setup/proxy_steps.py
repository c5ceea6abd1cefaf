"""The steps that put a reverse proxy in front, and take it away again. Used by ``apply`` and ``remove``.

What is pending for a proxy is in the manifest as ``reload UNIT`` or ``restart UNIT``, so that a run that was cut
short is made good by the next.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gateway.setup import host_facts
from gateway.setup.host import CommandFailed, Hands
from gateway.setup.manifest import Manifest, UnitState
from gateway.setup.steps import Line, Link, Member, Proxy

RELOAD, RESTART = "reload", "restart"
_THEIRS = "theirs"
_TAKEN, _KEPT, _DONE, _CHANGED = "removed", "kept", "done", "changed"


class Run(Protocol):
    """What a step needs of the run that it is part of (``apply.Applying``)."""

    hands: Hands
    book: Manifest

    def save(self) -> None: ...

    def note(self, what: str, to: object, words: str = "") -> None: ...

    def affect(self, units: tuple[str, ...]) -> None: ...


class NotTaken(Exception):
    """The proxy does not take its configuration with our site in it, which was taken out again."""


def member(doing: Run, step: Member) -> None:
    """A user joins a group, and its unit is restarted to notice."""
    hands, book = doing.hands, doing.book
    if step.user in hands.members(step.group):
        return
    entry = f"{step.user} {step.group}"
    if entry not in book.members:
        book.members.append(entry)
    doing.affect((f"{RESTART} {step.unit}",))
    doing.save()
    root = () if hands.live else ("--root", str(hands.root))
    hands.run("usermod", *root, "--append", "--groups", step.group, step.user)
    doing.note(_DONE, f"user {step.user}", f"is in the group {step.group} now")


def line(doing: Run, step: Line) -> None:
    """A line at the end of a file. One that the administrator wrote will do: it goes with the site it speaks of."""
    hands = doing.hands
    held = hands.read(step.path)
    text = (held or b"").decode("utf-8", "surrogateescape")
    if step.text in (one.strip() for one in text.splitlines()):
        doing.book.lines.setdefault(str(step.path), [step.text])
        return
    doing.book.lines[str(step.path)] = [f"# {step.why}", step.text]
    doing.affect((f"{RELOAD} {step.unit}",))
    doing.save()
    gap = "\n" if text and not text.endswith("\n") else ""
    blank = "\n" if text else ""
    _rewrite(hands, step.path, f"{text}{gap}{blank}# {step.why}\n{step.text}\n")
    doing.note(_CHANGED, step.path, step.text)


def link(doing: Run, step: Link) -> None:
    """A link; a file in its place is the administrator's own site, and is kept."""
    hands, links = doing.hands, doing.book.links
    found = hands.status(step.path)
    if found is None:
        links[str(step.path)] = str(step.target)
        doing.affect((f"{RELOAD} {step.unit}",))
        doing.save()
        hands.link(step.path, step.target)
        doing.note("made", step.path, f"link to {step.target}")
    elif hands.target(step.path) != step.target and links.get(str(step.path)) != _THEIRS:
        links[str(step.path)] = _THEIRS
        doing.note(_KEPT, step.path, f"it is not setup's; its own site is {step.target}")


def proxy(doing: Run, step: Proxy) -> None:
    """Its configuration is read, then it is enabled, started, restarted or reloaded. Raises NotTaken."""
    hands, book = doing.hands, doing.book
    state = host_facts.unit_state(hands, step.unit)
    before = UnitState(False, False) if step.package in book.packages else state
    if step.unit not in book.proxies:
        book.proxies[step.unit] = before
        doing.save()
    pending = {one for one in book.pending if one.endswith(f" {step.unit}")}
    try:
        if hands.live and (pending or not state.active):
            hands.run(*step.test)
        if not state.enabled:
            hands.run("systemctl", "enable", step.unit)
        if hands.live and step.start:
            _take_up(doing, step.unit, pending, active=state.active)
    except CommandFailed as error:
        if not hands.dry:
            unhook(hands, book)
            doing.save()
        raise NotTaken(str(error)) from error
    book.pending = [one for one in book.pending if one not in pending]
    doing.save()


def _take_up(doing: Run, unit: str, pending: set[str], *, active: bool) -> None:
    if not active:
        verb = "start"
    elif f"{RESTART} {unit}" in pending:
        verb = "restart"
    elif pending:
        verb = "reload-or-restart"
    else:
        return
    doing.hands.say(f"{verb} {unit}")
    doing.hands.run("systemctl", verb, unit)
    doing.note(_DONE, unit, {"start": "started", "restart": "restarted"}.get(verb, "reloaded"))


def unhook(hands: Hands, book: Manifest) -> list[tuple[str, str, str]]:
    """Take our line and our link out of the proxies' configuration; answers what was done."""
    found = []
    for name, lines in list(book.lines.items()):
        path = Path(name)
        held = hands.read(path)
        if held is not None:
            text = held.decode("utf-8", "surrogateescape")
            block = "".join(f"{one}\n" for one in lines)
            left = text.removesuffix(f"\n{block}") if text.endswith(f"\n{block}") else text
            kept = [one for one in left.splitlines(keepends=True) if one.strip() not in lines]
            left = "".join(kept)
            if left != text:
                _rewrite(hands, path, left)
                found.append((_CHANGED, name, f"without the line: {lines[-1]}"))
        del book.lines[name]
    for name, target in list(book.links.items()):
        path = Path(name)
        if hands.status(path) is not None and hands.target(path) == Path(target):
            hands.remove(path)
            found.append((_TAKEN, name, ""))
        del book.links[name]
    return found


def detach(hands: Hands, book: Manifest) -> list[tuple[str, str, str]]:
    """Leave the proxies as they were before setup put them in front; answers what was done."""
    found = unhook(hands, book)
    for entry in list(book.members):
        user, group = entry.split()
        if user in hands.members(group):
            root = () if hands.live else ("--root", str(hands.root))
            hands.run("gpasswd", *root, "--delete", user, group)
        book.members.remove(entry)
    for unit, before in list(book.proxies.items()):
        now = host_facts.unit_state(hands, unit)
        if now.enabled and not before.enabled:
            hands.run("systemctl", "disable", unit)
        if now.active and not before.active:
            hands.run("systemctl", "stop", unit)
            found.append((_TAKEN, unit, "stopped and disabled"))
        elif now.active:
            hands.run("systemctl", "restart", unit)  # without our site, and without our group
            found.append((_DONE, unit, "goes on without Postern's site"))
        del book.proxies[unit]
    return found


def _rewrite(hands: Hands, path: Path, text: str) -> None:
    """A new text for a file that keeps its owner and mode."""
    hands.rewrite(path, text.encode("utf-8", "surrogateescape"))
