"""The only module that changes the machine; :class:`DryHands` reports instead."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MASK = "********"


class CommandFailed(Exception):
    """A command ended with an error; the text holds the command and its last words."""


class NoSuchOwner(LookupError):
    """A user or group is not there."""


@dataclass(slots=True)
class Hands:
    """Acts on the tree below ``root``; ``say`` gets a line before what takes long."""

    root: Path = Path("/")
    say: Callable[[str], None] = lambda _: None
    dry: bool = field(default=False, init=False)

    def at(self, path: Path) -> Path:
        """Where a path of the server is for us."""
        return self.root / path.relative_to("/")

    @property
    def live(self) -> bool:
        """Whether ``root`` is the running system, not an image."""
        return self.root == Path("/")

    # reading

    def read(self, path: Path) -> bytes | None:
        """A file's content; None when there is none."""
        try:
            return self.at(path).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def ids(self, owner: str, group: str) -> tuple[int, int]:
        """Numbers of a user and a group in the tree. Raises NoSuchOwner."""
        if self.live:
            try:
                return pwd.getpwnam(owner).pw_uid, grp.getgrnam(group).gr_gid
            except KeyError as error:
                raise NoSuchOwner(f"there is no user {owner} or no group {group}") from error
        return self._id("etc/passwd", owner), self._id("etc/group", group)

    def _id(self, file: str, name: str) -> int:
        try:
            lines = (self.root / file).read_text("utf-8").splitlines()
        except FileNotFoundError:
            lines = []
        for line in lines:
            fields = line.split(":")
            if fields[0] == name:
                return int(fields[2])
        raise NoSuchOwner(f"{self.root / file} has no {name}")

    def status(self, path: Path) -> os.stat_result | None:
        """lstat of a path; None when there is nothing."""
        try:
            return self.at(path).lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def target(self, path: Path) -> Path | None:
        """Where a symbolic link leads, as it says itself; None when it is none."""
        try:
            return Path(os.readlink(self.at(path)))
        except OSError:
            return None

    def entries(self, path: Path) -> list[Path]:
        """What is in a directory, as the server's paths."""
        return sorted(path / one.name for one in self.at(path).iterdir())

    def members(self, group: str) -> tuple[str, ...]:
        """The users that are named in a group's line."""
        text = (self.read(Path("/etc/group")) or b"").decode("utf-8", "replace")
        for fields in (one.split(":") for one in text.splitlines()):
            if fields[0] == group and len(fields) == 4:
                return tuple(filter(None, fields[3].split(",")))
        return ()

    def ask(self, *argv: str) -> str:
        """The output of a command that only reads; empty when it fails or is not there."""
        try:
            found = subprocess.run(
                self._rooted(argv), capture_output=True, text=True, timeout=60, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return ""
        return found.stdout.strip()

    # acting

    def write(
        self, path: Path, content: bytes, mode: int, owner: str, group: str, *, secret: bool = False
    ) -> None:
        """A whole file or none, on disk when this returns. ``secret``: a telling may not show its content."""
        uid, gid = self.ids(owner, group)
        real = self.at(path)
        real.parent.mkdir(parents=True, exist_ok=True)
        temporary = real.with_name(f".{real.name}.setup")
        with open(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb"
        ) as out:
            out.write(content)
            os.fchown(out.fileno(), uid, gid)
            os.fchmod(out.fileno(), mode)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, real)

    def rewrite(self, path: Path, content: bytes) -> None:
        """A new content for somebody else's file, which keeps its owner and mode; a new file is root's, 0644."""
        real = self.at(path).resolve()  # a link of theirs stays one
        info = real.stat() if real.exists() else None
        real.parent.mkdir(parents=True, exist_ok=True)
        temporary = real.with_name(f".{real.name}.setup")
        with open(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600), "wb"
        ) as out:
            out.write(content)
            if info is not None:
                os.fchown(out.fileno(), info.st_uid, info.st_gid)
            os.fchmod(out.fileno(), stat.S_IMODE(info.st_mode) if info is not None else 0o644)
            out.flush()
            os.fsync(out.fileno())
        os.replace(temporary, real)

    def link(self, path: Path, target: Path) -> None:
        """Make a symbolic link."""
        self.at(path).parent.mkdir(parents=True, exist_ok=True)
        self.at(path).symlink_to(target)

    def own(self, path: Path, mode: int, owner: str, group: str) -> None:
        """Give a file or directory its owner and mode. Never through a link: a user may own the directory above."""
        uid, gid = self.ids(owner, group)
        handle = os.open(self.at(path), os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fchown(handle, uid, gid)
            os.fchmod(handle, mode)
        finally:
            os.close(handle)

    def mkdir(self, path: Path, mode: int, owner: str, group: str) -> None:
        """Make a directory (and those above it, plain)."""
        real = self.at(path)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.mkdir(mode=0o700)
        self.own(path, mode, owner, group)

    def remove(self, path: Path) -> None:
        """Delete a file, if it is there."""
        self.at(path).unlink(missing_ok=True)

    def rmdir(self, path: Path) -> bool:
        """Delete a directory if it is empty; whether it is gone."""
        try:
            self.at(path).rmdir()
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def remove_tree(self, path: Path) -> None:
        """Delete a directory and everything in it."""
        if self.status(path) is not None:
            shutil.rmtree(self.at(path))

    def delete(self, path: Path) -> None:
        """Delete a file, or a directory and everything in it; a link, and not what it leads to."""
        found = self.status(path)
        if found is not None and stat.S_ISDIR(found.st_mode):
            self.remove_tree(path)
        else:
            self.remove(path)

    def run(
        self,
        *argv: str,
        environ: Mapping[str, str] | None = None,
        stdin: str | None = None,
        good: tuple[int, ...] = (0,),
    ) -> str:
        """Run a command to its end; answers its output. Raises CommandFailed for another exit code than ``good``."""
        try:
            done = subprocess.run(
                self._rooted(argv),
                capture_output=True,
                text=True,
                errors="replace",
                input=stdin if stdin is not None else "",
                env={**os.environ, **(environ or {})},
                check=False,
            )
        except OSError as error:
            raise CommandFailed(f"{argv[0]}: {error.strerror}") from error
        if done.returncode not in good:
            words = (done.stderr.strip() or done.stdout.strip()).splitlines()[-15:]
            raise CommandFailed("\n  ".join([f"`{' '.join(argv)}` ended with {done.returncode}", *words]))
        return done.stdout

    def _rooted(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """systemd's tools and dpkg-query work on another tree when asked to."""
        if self.live:
            return argv
        if argv[0] in ("systemctl", "systemd-sysusers", "systemd-tmpfiles"):
            return (argv[0], f"--root={self.root}", *argv[1:])
        if argv[0] == "dpkg-query":
            return (argv[0], f"--admindir={self.root}/var/lib/dpkg", *argv[1:])
        return argv


@dataclass(slots=True)
class DryHands(Hands):
    """Changes nothing: every act is noted in ``acts`` as a dict with ``act`` and what belongs to it."""

    acts: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dry = True

    def write(
        self, path: Path, content: bytes, mode: int, owner: str, group: str, *, secret: bool = False
    ) -> None:
        text = MASK if secret else content.decode("utf-8", "replace")
        self._note("write", path=path, mode=mode, owner=owner, group=group, content=text)

    def rewrite(self, path: Path, content: bytes) -> None:
        self._note("edit", path=path, content=content.decode("utf-8", "replace"))

    def link(self, path: Path, target: Path) -> None:
        self._note("link", path=path, target=target)

    def own(self, path: Path, mode: int, owner: str, group: str) -> None:
        self._note("own", path=path, mode=mode, owner=owner, group=group)

    def mkdir(self, path: Path, mode: int, owner: str, group: str) -> None:
        self._note("mkdir", path=path, mode=mode, owner=owner, group=group)

    def remove(self, path: Path) -> None:
        self._note("remove", path=path)

    def rmdir(self, path: Path) -> bool:
        self._note("rmdir", path=path)
        return True

    def remove_tree(self, path: Path) -> None:
        self._note("remove_tree", path=path)

    def run(
        self,
        *argv: str,
        environ: Mapping[str, str] | None = None,
        stdin: str | None = None,
        good: tuple[int, ...] = (0,),
    ) -> str:
        given = [f"{name}={value}" for name, value in (environ or {}).items()]
        self._note("run", command=" ".join([*given, *argv]))
        return ""

    def _note(self, act: str, **what: Any) -> None:
        if "mode" in what:
            what["mode"] = f"{what['mode']:04o}"
        self.acts.append({"act": act} | {k: str(v) if isinstance(v, Path) else v for k, v in what.items()})
