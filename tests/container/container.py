"""A container of a built image, with the same walls as ``compose.yaml`` gives it, and without a daemon.

``podman run`` and ``docker run`` are refused on many machines that tests run on; namespaces are not.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.container.image import Image

_RUN = Path(__file__).with_name("run.sh")
START_SECONDS = 90.0
STOP_SECONDS = 30.0


@dataclass
class Container:
    """One container. ``volume`` is what is mounted at /data; None: nothing is."""

    image: Image
    place: Path
    """A directory of the test's own for logs and secrets."""
    volume: Path | None
    environment: dict[str, str] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    """File below /run/secrets: its text."""
    mounts: list[str] = field(default_factory=list)
    """More lines for run.sh."""
    user: str = ""
    tmpfs: bool = True
    network: bool = True
    """A network of its own; False: this machine's."""
    name: str = field(default_factory=lambda: "container-" + secrets.token_hex(4))
    _unshare: subprocess.Popen[bytes] | None = None
    pid: int = 0
    """Of its first process, as this machine counts."""

    @property
    def log(self) -> str:
        """All that it has written, of every start."""
        path = self.place / f"{self.name}.log"
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def start(self, *command: str) -> None:
        """Start it; it may still be starting when this returns."""
        with (self.place / f"{self.name}.log").open("ab") as out:
            self._unshare = subprocess.Popen(
                self._command(command), stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.pid = 0

    def run(self, *command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """``docker run --rm IMAGE COMMAND``: start it, and wait for its end."""
        return subprocess.run(
            self._command(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout
        )

    def started(self) -> Container:
        """Start it and wait until its health check is content."""
        self.start()
        limit = time.monotonic() + START_SECONDS
        said = ""
        while time.monotonic() < limit:
            assert self._unshare is not None
            if self._unshare.poll() is not None:
                raise AssertionError(f"it ended with {self._unshare.returncode}:\n{self.log[-4000:]}")
            if self._found():
                done = self.exec(*self.image.healthcheck)
                if done.returncode == 0:
                    return self
                said = done.stderr
            time.sleep(0.1)
        raise AssertionError(f"not healthy: {said}\n{self.log[-4000:]}")

    def exec(self, *command: str, user: str = "", timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """``docker exec``: a command beside the running program."""
        who, _, group = (user or self.image.user).partition(":")
        return subprocess.run(
            [
                *("nsenter", "--target", str(self.pid), "--mount", "--net", "--uts", "--ipc", "--pid"),
                *("--root", "--wd", "--", "setpriv", f"--reuid={who}", f"--regid={group}", "--clear-groups"),
                *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--"),
                *("env", "-i", *self._variables(), *command),
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        )

    def postern(self, *words: str) -> Any:
        """What ``docker compose exec postern postern …`` says with --json."""
        done = self.exec("postern", *words, "--json")
        assert done.returncode == 0, done.stderr + self.log[-2000:]
        return json.loads(done.stdout)

    def stop(self) -> int:
        """``docker stop``: SIGTERM to its first process; answers the exit code."""
        os.kill(self.pid, signal.SIGTERM)
        return self._ended()

    def kill(self) -> None:
        """End it at once, if it runs."""
        if self._unshare is not None and self._unshare.poll() is None:
            if self._found():
                os.kill(self.pid, signal.SIGKILL)
            else:
                self._unshare.kill()
            self._ended()

    def _ended(self) -> int:
        assert self._unshare is not None
        code = self._unshare.wait(STOP_SECONDS)
        self._unshare = None
        self.pid = 0
        return code

    def _found(self) -> bool:
        """Whether its first process has become the image's program."""
        assert self._unshare is not None
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children")
        try:
            self.pid = int(children.read_text().split()[0])
            return Path(f"/proc/{self.pid}/comm").read_text().strip() == self.image.entrypoint[0]
        except (OSError, IndexError):
            return False

    def _variables(self) -> list[str]:
        return [f"{name}={value}" for name, value in (self.image.environment | self.environment).items()]

    def _command(self, command: tuple[str, ...]) -> list[str]:
        held = self.place / f"{self.name}.secrets"
        held.mkdir(exist_ok=True)
        lines = ["tmpfs mode=1777 /run", "tmpfs mode=1777 /tmp"] if self.tmpfs else []
        for name, text in self.secrets.items():
            (held / name).write_text(text)
            lines.append(f"bind-ro {held / name} /run/secrets/{name}")
        if self.volume is not None:
            lines.append(f"bind {self.volume} /data")
        file = self.place / f"{self.name}.mounts"
        file.write_text("".join(f"{line}\n" for line in [*lines, *self.mounts]))
        file.with_name(file.name + ".env").write_text("".join(f"{one}\n" for one in self._variables()))
        return [
            *("unshare", "--mount", "--pid", "--uts", "--ipc", *(["--net"] if self.network else [])),
            *("--fork", "--kill-child", "bash", str(_RUN), str(self.image.root), str(file)),
            *(self.user or self.image.user, *self.image.entrypoint, *(command or self.image.command)),
        ]


@contextmanager
def container(image: Image, place: Path, volume: Path | None, **options: Any) -> Iterator[Container]:
    """A container for the time of the block; it is ended at the end if it still runs."""
    made = Container(image, place, volume, **options)
    try:
        yield made
    finally:
        made.kill()


def new_volume(image: Image, path: Path) -> Path:
    """An empty named volume: it has the owner and the mode that the directory has in the image."""
    within = image.root / image.volumes[0].lstrip("/")
    path.mkdir()
    found = within.stat()
    os.chown(path, found.st_uid, found.st_gid)
    path.chmod(found.st_mode & 0o7777)
    return path


def copied(source: Path, target: Path, environment: Mapping[str, str] | None = None) -> Path:
    """``docker compose cp`` of a file out of a volume: it is the caller's then."""
    shutil.copyfile(source, target)
    return target
