"""A gateway started for one command of root's, as the user whom the data directory belongs to.

It is a child (``owner_gateway_main``), because root's own process must keep its rights: what the command reads and
writes elsewhere is root's. The child gets the settings on its standard input, says on its standard output how it is
reached, and ends when its input does: with the command, however that ends.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from gateway.cli.failure import UNAVAILABLE, Failure
from gateway.cli.operator import Operator
from gateway.settings import Settings

_MAIN = "gateway.cli.owner_gateway_main"


_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_", "TZ", "PG")


class Started(msgspec.Struct):
    """What the child says: how it is reached, or why it failed."""

    base_url: str = ""
    api_key: str = ""
    failure: str = ""
    code: int = UNAVAILABLE
    fix: str | None = None


@asynccontextmanager
async def started_as(owner: int, settings: Settings) -> AsyncIterator[Operator]:
    """A gateway of the user ``owner``, for the time of the block. Raises Failure."""
    try:
        user = pwd.getpwuid(owner)
    except KeyError:
        raise Failure(
            f"{settings.data_dir} belongs to uid {owner}, and there is no such user",
            UNAVAILABLE,
            fix="give it to the user the gateway runs as (chown -R)",
        ) from None
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", _MAIN,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        user=owner, group=user.pw_gid, extra_groups=os.getgrouplist(user.pw_name, user.pw_gid),
        env=_environment() | {"HOME": user.pw_dir}, cwd="/",
        start_new_session=True,  # Ctrl-C is the command's, which then ends the child
    )  # fmt: skip
    assert child.stdin is not None
    assert child.stdout is not None
    try:
        child.stdin.write(msgspec.json.encode(settings) + b"\n")
        line = await child.stdout.readline()
        said = (
            msgspec.json.decode(line, type=Started) if line else Started(failure="the gateway did not start")
        )
        if said.failure:
            raise Failure(said.failure, said.code, fix=said.fix)
        yield Operator(said.base_url, said.api_key, child.pid)
    finally:
        child.stdin.close()
        await child.wait()


def _environment() -> dict[str, str]:
    """What the child may know of root's environment: another user can read all of it."""
    return {name: value for name, value in os.environ.items() if name.startswith(_PASSED_ON)}
