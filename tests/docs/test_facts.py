"""What the pages name is there: each command with its options, each setting, each endpoint, each file."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from gateway.api.routing import Router
from gateway.app.routes import DIALECTS
from gateway.cli.main import postern
from gateway.core.errors import CoreError
from gateway.records.event_types import EVENT_TYPES
from gateway.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"])
SECTIONS = {
    one.name: {each.name for each in msgspec.structs.fields(one.type)}
    for one in msgspec.structs.fields(Settings)
    if isinstance(one.type, type) and issubclass(one.type, msgspec.Struct)
}
FOLDERS = ("config", "docs", "gateway", "mailserver", "scripts", "systemd", "tests")
_FENCE = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def code(page: Path) -> Iterator[str]:
    """Each line of each code block, continued lines joined, and each piece of code in the text."""
    text = page.read_text("utf-8")
    for block in _FENCE.findall(text):
        yield from block.replace("\\\n", " ").splitlines()
    yield from _SPAN.findall(_FENCE.sub("", text))


def command_lines(page: Path) -> Iterator[list[str]]:
    """The words after ``postern`` of each command, also of one that is run in a container."""
    for line in code(page):
        line = re.sub(r"\$\([^)]*\)", "X", line)  # what another command prints
        for part in re.split(r"\|\|?|&&|;", line.partition(" #")[0]):
            if (found := re.match(r"\s*(?:docker .*postern )?(postern .*)", part)) is not None:
                yield shlex.split(found[1].replace("…", "X"))[1:]


def complaint(words: list[str]) -> str | None:
    """Why ``postern WORDS`` would be a usage error; None where it would not."""
    command: click.Command = postern
    context = click.Context(postern)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        below = command.get_command(context, words[0])
        if below is None:
            return f"there is no {words[0]}"
        command, words = below, words[1:]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    for word in words:
        option = word.partition("=")[0]
        if option.startswith("-") and option not in known | {"--help"}:
            return f"{command.name} has no option {option}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_and_their_options_are_there(page: Path) -> None:
    wrong = [(words, said) for words in command_lines(page) if (said := complaint(list(words)))]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_settings_are_there(page: Path) -> None:
    named = {
        found
        for line in code(page)
        if not re.match(r"from |import ", line)
        for found in re.findall(r"(?<![\w./@-])([a-z]+)\.([a-z_]+)(?![\w.(/@-])", line)
        if found[0] in SECTIONS and found[1] not in ("md", "py", "toml", "example", "json", "lock")
        if ".".join(found) not in EVENT_TYPES
    }
    assert {f"{section}.{name}" for section, name in named if name not in SECTIONS[section]} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_endpoints_are_there(page: Path) -> None:
    text = page.read_text("utf-8")
    named = {(verb, path) for verb, path in re.findall(r"\b(GET|POST|PUT|PATCH|DELETE) (/[\w/{}.-]+)", text)}
    lost = []
    for verb, path in named:
        for one in DIALECTS:
            if path.startswith(f"{one.prefix}/"):
                try:
                    Router(one.table.endpoints).find(
                        verb, path.removeprefix(one.prefix).strip("/").split("/")
                    )
                except CoreError as error:
                    lost.append(f"{verb} {path}: {error}")
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_are_there(page: Path) -> None:
    named = {
        found.rstrip(".")
        for line in code(page)
        for found in re.findall(rf"(?<![\w/.-])(?:{'|'.join(FOLDERS)})/[\w./-]*[\w/]", line)
    }
    lost = {one for one in named if not (ROOT / one).exists() and "NAME" not in one}
    assert {one for one in lost if not re.search(r"_$|checks_", one)} == set()


def test_these_tests_see_a_wrong_command_and_option() -> None:
    assert complaint(["inbox", "create", "bot", "--display-name", "B"]) is None
    assert complaint(["inbox", "crate", "bot"]) == "there is no crate"
    assert complaint(["backup", "x", "--mails"]) == "backup has no option --mails"
    assert complaint(["setup", "--set", "limits.sends_per_day=200"]) is None
