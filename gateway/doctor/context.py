"""What the checks use."""

from __future__ import annotations

import asyncio
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from gateway.core.domains.records import hostname_of
from gateway.service import container
from gateway.settings import Settings
from gateway.store.engine import Store
from gateway.store.transaction import Tx
from mailserver.dns import Checker, Site
from mailserver.machine import gateway_host

T = TypeVar("T")


class NoDatabase(Exception):
    """There is none yet."""


class NoGateway(Exception):
    """None runs here, or it does not answer; the text says which."""


@dataclass(frozen=True, slots=True)
class Door:
    """How the running gateway is reached, with the operator's key."""

    base_url: str
    api_key: str
    unix_socket: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """``config``: the settings' file. ``store`` None: no database. ``door`` None: no gateway runs here."""

    settings: Settings
    config: Path | None
    data_dir: Path
    store: Store | None
    door: Door | None
    checker: Checker
    site: Site

    @property
    def hostname(self) -> str:
        return hostname_of(self.settings)

    @property
    def mail_host(self) -> str:
        """Where the mail services listen, as a client on this machine reaches them."""
        return gateway_host(self.settings.mail.host)

    @property
    def development(self) -> bool:
        return self.settings.profile == "development"

    @property
    def start_command(self) -> str:
        """What starts the gateway here."""
        if container.in_container():
            return container.START
        if not self.development:
            return "systemctl start postern"
        return f"postern serve --quickstart --data {shlex.quote(str(self.data_dir))}"

    @property
    def log_command(self) -> str:
        """What shows the log of the gateway and its mail server, as the beginning of a sentence."""
        if container.in_container():
            return container.LOG
        return "the output of `postern serve`" if self.development else "journalctl -u 'postern*'"

    async def read(self, work: Callable[[Tx], T]) -> T:
        """Look into the database. Raises NoDatabase, StoreDown."""
        if self.store is None:
            raise NoDatabase(f"there is no database in {self.data_dir}")
        return await self.store.read(work)

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Ask the running gateway; answers status and JSON. Raises NoGateway."""
        if self.door is None:
            raise NoGateway(f"no gateway runs on {self.data_dir}")
        connector = aiohttp.UnixConnector(self.door.unix_socket) if self.door.unix_socket else None
        headers = {"Authorization": f"Bearer {self.door.api_key}"}
        try:
            async with (
                aiohttp.ClientSession(headers=headers, connector=connector) as session,
                session.request(method, self.door.base_url + path, json=body) as response,
            ):
                return response.status, await response.json(content_type=None)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoGateway(f"the gateway does not answer: {error}") from error


async def apart(work: Callable[[], T]) -> T:
    """Run blocking ``work`` in a thread that nobody waits for at the end: a dead disk must not hold the doctor."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(set_it: Callable[[Any], None], value: object) -> None:
        if not done.done():
            set_it(value)

    def run() -> None:
        try:
            value = work()
        except BaseException as error:
            answer: tuple[Callable[[Any], None], object] = (done.set_exception, error)
        else:
            answer = (done.set_result, value)
        try:
            loop.call_soon_threadsafe(tell, *answer)
        except RuntimeError:
            pass  # the doctor has gone home

    threading.Thread(target=run, name="doctor", daemon=True).start()
    return await done
