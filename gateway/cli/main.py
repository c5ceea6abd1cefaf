"""The ``postern`` command and its error handling."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from gateway.cli import failure
from gateway.cli.failure import EXIT_CODES, Failure
from gateway.cli.options import Place, common_group
from gateway.configuration import BadSettings
from gateway.datadir import DataDirInUse
from mailserver.base import MailServerError
from mailserver.disks import Disks

# command or group: the module that holds it. Imported when used, so that --help is quick.
_COMMANDS = {
    "serve": "serve",
    "init": "init",
    "setup": "setup",
    "inbox": "inboxes",
    "pod": "pods",
    "key": "keys",
    "auth": "auth",
    "domain": "domains",
    "alias": "aliases",
    "rule": "rules",
    "policy": "policy",
    "suppression": "suppressions",
    "wallet": "wallet",
    "webhook": "webhook",
    "send": "send",
    "message": "messages",
    "thread": "threads",
    "queue": "queue",
    "pause": "pause",
    "resume": "resume",
    "review": "review",
    "audit": "audit",
    "status": "status",
    "tail": "tail",
    "mcp": "mcp",
    "usage": "usage",
    "rebuild": "rebuild",
    "milter": "milter",
    "smarthost": "smarthost",
    "backup": "backup",
    "restore": "restore",
    "import": "import_",
    "export": "export",
    "erase": "erase",
    "mail": "mail",
    "doctor": "doctor",
    "ready": "ready",
    "config": "config",
}
_PLURALS = {
    "inboxes": "inbox",
    "pods": "pod",
    "keys": "key",
    "domains": "domain",
    "aliases": "alias",
    "messages": "message",
    "threads": "thread",
    "rules": "rule",
    "policies": "policy",
    "reviews": "review",
    "suppressions": "suppression",
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = _PLURALS.get(cmd_name, cmd_name)
        if name not in _COMMANDS:
            return None
        found: click.Command = import_module(f"gateway.cli.{_COMMANDS[name]}").command
        return found


def _show_version(ctx: click.Context, param: click.Parameter, asked: bool) -> None:
    if not asked or ctx.resilient_parsing:
        return
    from gateway.version import installed_build  # a hundredth of a second that only this option needs

    click.echo(f"postern {installed_build()}")
    ctx.exit()


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT_CODES)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and the commit it was built from.",
)
@common_group
def postern() -> None:
    """Postern: an email gateway for AI agents, on your own mail server.

    Commands work on the gateway that runs on --data (default ./data), on one elsewhere with --url and --key, or,
    when none runs, on one started for the time of the command. Every command takes --json.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run a command; ends the process with one of the documented exit codes."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """Run a command; answers its exit code, having said on standard error what went wrong."""
    place = Place()
    try:
        code = postern.main(args=arguments, prog_name="postern", standalone_mode=False, obj=place)
        return code if isinstance(code, int) else failure.OK
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.UsageError as error:
        error.show()
        return failure.USAGE
    except click.ClickException as error:
        error.show()
        return failure.FAILED
    except (click.Abort, KeyboardInterrupt, asyncio.CancelledError):
        click.echo("stopped", err=True)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return failure.FAILED
    except Exception as error:
        found = disk_failure(place, error) or failure_of(error)
        if found is None:
            # a defect of ours: its traceback goes to the log, which serve writes and other commands need not
            if os.environ.get("POSTERN_TRACEBACK") or "serve" in (arguments or sys.argv[1:]):
                logging.getLogger("postern").critical("stopped by a defect", exc_info=error)
            found = Failure(
                f"a defect in Postern: {type(error).__name__}: {error}",
                fix="with POSTERN_TRACEBACK=1 the command shows where; please report it",
            )
        show_failure(place, found)
        return found.code


def disk_failure(place: Place, error: Exception) -> Failure | None:
    """What it means that there was no room left on a disk; None when ``error`` says nothing of that."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT):
            break
        if any(words in str(cause).lower() for words in ("disk is full", "no space left on device")):
            break
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    data = Path(place.data or os.environ.get("POSTERN_DATA_DIR") or "data")
    spots = [data, Path(cause.filename)] if isinstance(cause, OSError) and cause.filename else [data]
    rooms = Disks({str(one): one.absolute() for one in spots}, 0).look()
    free = ", ".join(
        f"{one.free / 1e6:.1f} MB of {one.total / 1e9:.1f} GB are free at {one.path}" for one in rooms
    )
    return Failure(
        f"the disk is full: {free or error}",
        failure.UNAVAILABLE,
        fix="make room or take a bigger disk (df -h shows which file system), then run the command again",
    )


def failure_of(error: Exception) -> Failure | None:
    """What an expected exception means to the operator; None for a defect of ours."""
    if isinstance(error, Failure):
        return error
    # read only now: the database drivers are a tenth of a second of every command's start
    from gateway.store.engine import StoreDown
    from gateway.store.migrate import SchemaTooNew
    from gateway.store.sealing import WrongKey

    if isinstance(error, BadSettings):
        return Failure(str(error), failure.USAGE)
    if isinstance(error, DataDirInUse | MailServerError | StoreDown):
        return Failure(str(error), failure.UNAVAILABLE)
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "psycopg":
        return Failure(
            "the database is PostgreSQL, and the Python driver for it is not installed",
            failure.UNAVAILABLE,
            fix="put it beside Postern: pipx inject postern 'psycopg[binary]' (or pip install 'psycopg[binary]')",
        )
    if isinstance(error, SchemaTooNew | WrongKey):
        return Failure(str(error), failure.FAILED)
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        return Failure(f"{where}{error.strerror or error}", failure.UNAVAILABLE)
    return None


def show_failure(place: Place, found: Failure) -> None:
    """Say a failure on standard error: JSON with ``--json``, else words."""
    if place.as_json:
        body: dict[str, Any] = {"error": found.message, "exit_code": found.code}
        if found.fix:
            body["fix"] = found.fix
        click.echo(json.dumps(body, ensure_ascii=False), err=True)
        return
    click.echo(f"postern: {found.message}", err=True)
    if found.fix:
        click.echo(f"  {found.fix}", err=True)


if __name__ == "__main__":
    main()
