"""Where the settings come from: the command line, the environment, the TOML file and systemd's credentials.

Order of precedence: command line, environment (``POSTERN_SECTION_NAME``), the TOML file, the default.
Secrets may be files: a value ``@NAME`` of a secret setting is the credential of that name (``_credential``).
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.settings import PROFILES, SECRETS, Settings, names


class BadSettings(Exception):
    """A setting is unknown or has a wrong value; the text names it and what it takes."""


def load_settings(
    file: Path | None = None,
    *,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Settings, dict[str, str]]:
    """Read the settings. ``overrides`` are dotted names from the command line.

    Answers the settings and, for each dotted name, where its value came from: ``default``, ``file``,
    ``environment``, ``command line`` or ``profile``. Raises BadSettings.
    """
    environ = os.environ if environ is None else environ
    known = set(names())
    values: dict[str, Any] = {}
    origin = dict.fromkeys(known, "default")
    if file is not None:
        try:
            tree = tomllib.loads(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadSettings(f"{file}: {error}") from error
        for name, value in _flatten(tree):
            if name not in known:
                raise BadSettings(f"{file}: there is no setting {name}; `postern config` lists them all")
            values[name], origin[name] = value, "file"
    for name in known:
        text = environ.get("POSTERN_" + name.replace(".", "_").upper())
        if text is not None:
            values[name], origin[name] = text, "environment"
    for name, value in (overrides or {}).items():
        if value is not None:
            if name not in known:
                raise BadSettings(f"there is no setting {name}")
            values[name], origin[name] = value, "command line"
    for profile, chosen, defaults in PROFILES:
        for name, value in defaults.items() if values.get(profile) == chosen else ():
            if name not in values:
                values[name], origin[name] = value, "profile"
    for name in SECRETS:
        value = values.get(name)
        if isinstance(value, str) and value.startswith("@"):
            values[name] = _credential(name, value[1:], file, environ)
    nested: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, str):
            value = _from_text(name, value)
        section, _, rest = name.partition(".")
        if rest:
            nested.setdefault(section, {})[rest] = value
        else:
            nested[section] = value
    try:
        return msgspec.convert(nested, Settings), origin
    except msgspec.ValidationError as error:
        raise BadSettings(f"settings: {error}") from error


def _credential(setting: str, name: str, file: Path | None, environ: Mapping[str, str]) -> str:
    """The content of a credential: below systemd ``$CREDENTIALS_DIRECTORY/NAME`` (systemd.exec(5)), where
    ``LoadCredential=postern:DIRECTORY`` puts a file NAME as ``postern_NAME``; elsewhere what that is loaded from:
    ``credentials/NAME`` beside the settings file. Raises BadSettings."""
    given = environ.get("CREDENTIALS_DIRECTORY")
    folder = Path(given) if given else (file.parent if file else Path()) / "credentials"
    path = folder / name
    try:
        if not path.exists() and (loaded := folder / f"postern_{name}").exists():
            path = loaded
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or str(error)
        hint = ""
        if isinstance(error, PermissionError):
            hint = f"; let user {os.geteuid()} read it" if given else "; run this as root"
        raise BadSettings(f"{setting}: cannot read the credential {path}: {words}{hint}") from error


def _flatten(tree: Mapping[str, Any]) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, value in tree.items():
        if isinstance(value, dict):
            flat += [(f"{name}.{one}", inner) for one, inner in value.items()]
        else:
            flat.append((name, value))
    return flat


def _from_text(name: str, text: str) -> Any:
    section, _, rest = name.partition(".")
    holder = Settings() if not rest else getattr(Settings(), section)
    default = getattr(holder, rest or section)
    if isinstance(default, bool):
        if text.lower() not in ("1", "0", "true", "false", "yes", "no", "on", "off"):
            raise BadSettings(f"{name} takes true or false, not {text!r}")
        return text.lower() in ("1", "true", "yes", "on")
    try:
        if isinstance(default, int):
            return int(text)
        if isinstance(default, float):
            return float(text)
    except ValueError:
        raise BadSettings(f"{name} takes a number, not {text!r}") from None
    if isinstance(default, list):
        return [one.strip() for one in text.split(",") if one.strip()]
    return text
