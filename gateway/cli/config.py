"""``postern config``: every setting with its value and where it came from; the documented example; the table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import click
import msgspec

from gateway.cli.options import Place, common
from gateway.cli.output import clean, show
from gateway.settings import PROFILES, SECRETS, Section, Settings


@click.command(name="config")
@click.option(
    "--example", "as_example", is_flag=True, help="Print postern.toml with every setting explained."
)
@click.option("--table", "as_table", is_flag=True, help="Print every setting as a Markdown table.")
@common
def command(place: Place, as_example: bool, as_table: bool) -> None:
    """Show every setting, its value and its origin. Secrets are masked."""
    if as_example:
        click.echo(example(), nl=False)
        return
    if as_table:
        click.echo(table(), nl=False)
        return
    settings, origin = place.settings()
    values = {one.name: _masked(one.name, one.of(settings)) for one in described()}
    answer = {name: {"value": value, "origin": origin[name]} for name, value in values.items()}
    width = max(map(len, values))
    lines = [f"{name:<{width}}  {clean(_toml(value))}  ({origin[name]})" for name, value in values.items()]
    show(place, answer, *lines)


class Described(msgspec.Struct, frozen=True):
    """One setting: dotted name, what it means, its default and the values it takes (Python type)."""

    name: str
    meaning: str
    default: Any
    kind: Any

    def of(self, settings: Settings) -> Any:
        """Its value in ``settings``."""
        section, _, rest = self.name.partition(".")
        holder = getattr(settings, section)
        return getattr(holder, rest) if rest else holder


def described() -> Iterator[Described]:
    """Every setting, in order."""
    yield from _described(Settings, "")


def _described(kind: type[Section], prefix: str) -> Iterator[Described]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        default = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
        if isinstance(default, Section):
            yield from _described(type(default), f"{field.name}.")
            continue
        meta = next(one for one in get_args(hint) if isinstance(one, msgspec.Meta))
        inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
        yield Described(prefix + field.name, meta.description or "", default, inner)


def example(values: Mapping[str, Any] | None = None) -> str:
    """postern.toml with every setting, explained and commented out; those in ``values`` are set."""
    values = values or {}
    lines = [
        "# Postern's settings. Each is here with its default, commented out.",
        "# The command line goes before the environment (POSTERN_SECTION_NAME), and both before this file.",
        "# A secret may be @NAME: it is then read from the file NAME in $CREDENTIALS_DIRECTORY (systemd).",
        "# Made by `postern config --example`.",
    ]
    section = ""
    for one in described():
        head, _, rest = one.name.partition(".")
        if rest and head != section:
            section = head
            lines += ["", f"[{section}]"]
        lines += ["", f"# {_sentence(one)}"]
        given = one.name in values
        lines.append(
            f"{'' if given else '# '}{rest or head} = {_toml(values[one.name] if given else one.default)}"
        )
    return "\n".join(lines) + "\n"


def table() -> str:
    """Every setting as a Markdown table."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for one in described():
        meaning = _sentence(one).replace("|", "\\|")
        lines.append(f"| `{one.name}` | `{_toml(one.default)}` | {meaning} |")
    return "\n".join(lines) + "\n"


def _sentence(one: Described) -> str:
    words = one.meaning
    if get_origin(one.kind) is Literal:
        words += f" (one of {', '.join(get_args(one.kind))})"
    for setting, profile, defaults in PROFILES:
        if one.name in defaults:
            words += f"; with {setting} = {profile}: {_toml(defaults[one.name])}"
    return words


def _masked(name: str, value: Any) -> Any:
    return "********" if name in SECRETS and value else value


def _toml(value: Any) -> str:
    # JSON's strings, numbers, booleans and lists of them are TOML's
    return json.dumps(value, ensure_ascii=False)
