"""What every command takes: where the gateway is, and whether to answer in JSON."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, cast

import click
from click.core import ParameterSource

from gateway.cli.failure import REFUSED, Failure
from gateway.configuration import BadSettings, load_settings
from gateway.settings import Settings
from gateway.store.database_url import database_url, sqlite_file

SERVER_FILE = Path("/etc/postern/postern.toml")
"""Settings of the server that `postern setup` made."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(slots=True)
class Place:
    """Which gateway is meant, and how to answer. Filled by options before and after the command's name."""

    data: str | None = None
    config: Path | None = None
    url: str | None = None
    key: str | None = None
    as_json: bool = False
    no_pager: bool = False
    typed: set[str] = field(default_factory=set)
    """Which of these the command line itself named; others may come from the environment."""

    @property
    def typed_key(self) -> str | None:
        """The key of ``--key``, without that of the environment."""
        return self.key if "key" in self.typed else None

    def settings(self, **overrides: Any) -> tuple[Settings, dict[str, str]]:
        """The settings and their origins; overrides use ``__`` for the dot. Raises BadSettings."""
        given = {name.replace("__", "."): value for name, value in overrides.items() if value is not None}
        if self.data is not None:
            given["data_dir"] = self.data
        file = self.file()
        if file == SERVER_FILE and not os.access(file, os.R_OK):
            raise BadSettings(
                f"{file} is for root and the gateway alone: run this as root (or name another gateway by --data, --url)"
            )
        return load_settings(file, overrides=given)

    def data_dir(self, settings: Settings) -> Path:
        """The data directory, absolute."""
        return Path(settings.data_dir).resolve()

    def gateway_dir(self, settings: Settings) -> Path:
        """The data directory of a gateway that was started before. Raises Failure when there is none."""
        data = self.data_dir(settings)
        file = sqlite_file(database_url(settings.database.url, data))
        if file is None:
            import_module("psycopg")  # that it is missing says more than what is not in the directory
        if not (data / "secret").exists() or (file is not None and not file.exists()):
            raise Failure(
                f"there is no gateway in {data} ({self._named()})",
                REFUSED,
                fix="name another place with --data, --config or --url; `postern init`, `postern serve --quickstart` "
                "or (a server) `postern setup` makes one",
            )
        return data

    def _named(self) -> str:
        """What named the data directory."""
        if self.data is not None:
            return "of --data"
        if os.environ.get("POSTERN_DATA_DIR"):
            return "of POSTERN_DATA_DIR"
        file = self.file()
        return f"of {file}" if file is not None else "the default, below the current directory"

    def file(self) -> Path | None:
        """The configuration file: ``--config``, else ``POSTERN_CONFIG``, else the data directory's ``postern.toml``
        where one is named, else the server's (of ``postern setup``), else ``./data/postern.toml``."""
        if self.config is not None:
            return self.config
        named = os.environ.get("POSTERN_CONFIG")
        if named:
            return Path(named)
        data = self.data or os.environ.get("POSTERN_DATA_DIR")
        if not data and SERVER_FILE.is_file():
            return SERVER_FILE
        found = Path(data or Settings().data_dir) / "postern.toml"
        return found if found.is_file() else None


def _store(name: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def callback(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        if value is None or value is False:
            return value
        place = context.ensure_object(Place)
        typed = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
        if (
            typed or name not in place.typed
        ):  # what is typed before the command's name goes before the environment
            setattr(place, name, value)
        if typed:
            place.typed.add(name)
        return value

    return callback


_OPTIONS: list[Callable[[Any], Any]] = [
    click.option(
        "--json",
        "as_json",
        is_flag=True,
        expose_value=False,
        callback=_store("as_json"),
        help="Answer in JSON.",
    ),
    click.option(
        "--key",
        envvar="POSTERN_KEY",
        expose_value=False,
        callback=_store("key"),
        help="API key for --url (better in POSTERN_KEY: other users see a command's arguments).",
    ),
    click.option(
        "--url",
        envvar="POSTERN_URL",
        expose_value=False,
        callback=_store("url"),
        help="Base URL of a gateway elsewhere.",
    ),
    click.option(
        "--config",
        type=click.Path(path_type=Path, dir_okay=False),
        expose_value=False,
        callback=_store("config"),
        help="Configuration file (default: POSTERN_CONFIG, else DATA/postern.toml with --data, else "
        "/etc/postern/postern.toml, else ./data/postern.toml).",
    ),
    click.option(
        "--data",
        type=click.Path(file_okay=False),
        expose_value=False,
        callback=_store("data"),
        help="Data directory.",
    ),
]


def common(command: F) -> F:
    """Add the options of every command, and hand the command a :class:`Place` first."""
    decorated = cast(F, click.pass_context(_with_place(command)))
    for option in _OPTIONS:
        decorated = option(decorated)
    return decorated


pageable = click.option(
    "--no-pager",
    is_flag=True,
    expose_value=False,
    callback=_store("no_pager"),
    help="Print a long answer as it is, not through PAGER.",
)
"""Of commands whose answer may be longer than the screen; above ``common``."""


def _with_place(command: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(command)
    def run(context: click.Context, /, *args: Any, **values: Any) -> Any:
        return command(context.ensure_object(Place), *args, **values)

    return run


def common_group(group: F) -> F:
    """The same options before a command's name."""
    decorated = group
    for option in _OPTIONS:
        decorated = option(decorated)
    return decorated
