"""The queue as lines on the screen: a block a message."""

from __future__ import annotations

import re
from typing import Any

from gateway.cli.moments import parse, since, span
from gateway.cli.screen import Screen
from gateway.cli.visible import cells, fit, visible

_INDENT = "    "
_WIDEST = 40
_TOKEN = re.compile(r"\+b-[a-z2-7]{16}(?=@)")
"""What a return path has beside the inbox's address."""


def queue_lines(screen: Screen, answer: dict[str, Any]) -> list[str]:
    """Ours, then Postfix's."""
    lines: list[str] = []
    for one in answer["queue"]:
        lines += [*_message(screen, one), ""]
    postfix = answer.get("postfix")
    if postfix and postfix.get("error"):
        lines.append(screen.style(f"Postfix's queue: {visible(postfix['error'])}", fg="red"))
    elif postfix and postfix["messages"]:
        lines += [screen.bold(f"In Postfix's queue: {postfix['total']}"), ""]
        for one in postfix["messages"]:
            lines += [*_relayed(screen, one), ""]
        if postfix["total"] > len(postfix["messages"]):
            lines.append(screen.dim(f"and {postfix['total'] - len(postfix['messages'])} younger ones"))
    while lines and not lines[-1]:
        lines.pop()
    return lines or ["nothing waits"]


def _message(screen: Screen, one: dict[str, Any]) -> list[str]:
    head = f"{screen.bold(one['id'])}  {visible(one['inbox'] or '-')}"
    subject = visible(" ".join((one["subject"] or "").split()))
    if one["sending"]:
        then = screen.style("being sent now", fg="green")
    elif one.get("paused"):
        then = screen.style("paused", fg="yellow") + screen.dim(" (postern pause --list)")
    else:
        left = -since(one["next_attempt_at"])
        then = f"next {parse(one['next_attempt_at']):%H:%M} (in {span(left)})" if left > 0 else "due now"
    attempts = f"{one['attempts']} attempt{'' if one['attempts'] == 1 else 's'}"
    facts = f"waits {span(since(one['created_at']))}, {attempts}, {then}"
    lines = [head, *([f"{_INDENT}{_cut(screen, subject, 4)}"] if subject else []), f"{_INDENT}{facts}"]
    waiting = [each for each in one["recipients"] if each["state"] in ("queued", "attempting")]
    lines += _people(screen, [(_name(each), _reply(each)) for each in waiting])
    settled: dict[str, int] = {}
    for each in one["recipients"]:
        if each["role"] != "copy" and each["state"] in _SETTLED:
            settled[each["state"]] = settled.get(each["state"], 0) + 1
    if settled:
        words = ", ".join(f"{count} {_SETTLED[state]}" for state, count in settled.items())
        lines.append(f"{_INDENT}{screen.dim(words)}")
    return lines


_SETTLED = {"sent": "sent on", "delivered": "delivered", "bounced": "bounced"}


def _relayed(screen: Screen, one: dict[str, Any]) -> list[str]:
    head = f"{screen.bold(one['queue_id'])}  {visible(_TOKEN.sub('', one['sender']) or '<>')}"
    facts = f"waits {span(since(one['created_at']))}, {visible(one['queue'])}"
    facts += f", {one['message_id']}" if one["message_id"] else ""
    people = [
        (visible(each["address"]), visible(each["reply"] or "not tried yet")) for each in one["recipients"]
    ]
    return [head, f"{_INDENT}{facts}", *_people(screen, people)]


def _people(screen: Screen, people: list[tuple[str, str]]) -> list[str]:
    """Recipients with what their servers said, below one another; a long reply goes on in the next line."""
    widest = min(max((cells(name) for name, _ in people), default=0), _WIDEST)
    lines = []
    for name, reply in people:
        shown = fit(name, widest, middle=True)
        space = " " * (widest - cells(shown) + 2)
        beside = len(_INDENT) + widest + 2
        if not screen.width or screen.width - beside >= cells(reply):
            lines.append(f"{_INDENT}{shown}{space}{screen.style(reply, fg='yellow')}")
        else:
            lines.append(f"{_INDENT}{shown}")
            lines += [f"{_INDENT}  {screen.style(part, fg='yellow')}" for part in _wrapped(screen, reply)]
    return lines


def _wrapped(screen: Screen, text: str) -> list[str]:
    room = max(20, screen.width - len(_INDENT) - 2)
    parts, line = [], ""
    for word in text.split():
        if line and cells(line) + 1 + cells(word) > room:
            parts.append(line)
            line = word
        else:
            line = f"{line} {word}" if line else word
    return [*parts, line]


def _name(each: dict[str, Any]) -> str:
    return "copy for the Sent folder" if each["role"] == "copy" else visible(each["address"])


def _reply(each: dict[str, Any]) -> str:
    if each["state"] == "attempting":
        return "being tried"
    if each["code"] is None:
        return "not tried yet"
    text = visible(each["reply"] or "")
    status = "" if not each["status"] or each["status"] in text else f"{each['status']} "
    code = "" if text.startswith(str(each["code"])) else f"{each['code']} "
    where = f" ({visible(each['remote'])})" if each["remote"] else ""
    return f"{code}{status}{text}{where}".strip()


def _cut(screen: Screen, text: str, indent: int) -> str:
    return fit(text, screen.width - indent) if screen.width else text
