"""The image of the Containerfile, built by buildah without a registry or a daemon.

The base image is made from a Debian root (debootstrap's), under the name that the Containerfile has.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
BUILD_SECONDS = 1200.0


def base_name() -> str:
    """The name of the base image, such as ``debian:13-slim``."""
    found = re.search(r"^ARG BASE=(\S+)$", (_ROOT / "Containerfile").read_text("utf-8"), re.MULTILINE)
    assert found, "the Containerfile names no base"
    return found[1]


@dataclass(frozen=True)
class Image:
    """A built image: its files and what its configuration says."""

    id: str
    root: Path
    user: str
    environment: dict[str, str]
    entrypoint: list[str]
    command: list[str]
    volumes: list[str]
    healthcheck: list[str]
    """The health check's words, without CMD."""
    ports: list[int]
    octets: int
    """Of the layers above the base."""


class Builder:
    """Buildah with a storage of its own below ``place``."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._driver = "overlay"
        place.mkdir(parents=True, exist_ok=True)
        try:
            self.buildah("info")
        except AssertionError:  # below a file system that takes no overlay: whole copies instead
            shutil.rmtree(place / "root", ignore_errors=True)
            self._driver = "vfs"

    def buildah(self, *words: str, timeout: float = 300) -> str:
        """What a buildah command says. Raises AssertionError with its errors when it fails."""
        storage = ["--root", str(self._place / "root"), "--runroot", str(self._place / "run")]
        done = subprocess.run(
            ["buildah", *storage, "--storage-driver", self._driver, *words],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"buildah {words[0]}: {done.stdout[-4000:]}\n{done.stderr[-6000:]}"
        return done.stdout.strip()

    def base(self, root: Path) -> None:
        """Make the base image of a Debian root."""
        container = self.buildah("from", "scratch")
        self.buildah("add", "--quiet", container, str(root), "/")
        self.buildah("commit", "--quiet", "--rm", container, base_name())

    def build(self, name: str, *options: str) -> Image:
        """Build the Containerfile. This machine's way to the package registries is shown to the build alone."""
        settings = self._place / "pip.conf"
        settings.write_text("[global]\ncert = /build-authorities.crt\n")
        shown: list[str] = []
        if _AUTHORITIES.exists():
            shown += ["--volume", f"{_AUTHORITIES}:/build-authorities.crt:ro"]
            shown += ["--volume", f"{settings}:/etc/pip.conf:ro"]
        self.buildah(
            *("bud", "--isolation", "chroot", "--pull-never", "--format", "docker", "--network", "host"),
            *(*shown, *options, "--tag", name, "--file", "Containerfile", "."),
            timeout=BUILD_SECONDS,
        )
        return self._image(name)

    def _image(self, name: str) -> Image:
        told = json.loads(self.buildah("inspect", "--type", "image", name))
        config = told["Docker"]["config"]
        layers = json.loads(told["Manifest"])["layers"]
        root = Path(self.buildah("mount", self.buildah("from", "--pull-never", name)))
        return Image(
            told["FromImageID"],
            root,
            config["User"],
            dict(one.split("=", 1) for one in config["Env"]),
            config["Entrypoint"],
            config["Cmd"],
            list(config["Volumes"]),
            config["Healthcheck"]["Test"][1:],
            sorted(int(one.split("/")[0]) for one in config["ExposedPorts"]),
            sum(one["size"] for one in layers[1:]),
        )

    def has_base(self) -> bool:
        """Whether the base image has been made."""
        return base_name() in self.buildah("images", "--format", "{{.Name}}:{{.Tag}}").replace(
            "docker.io/library/", ""
        )

    def close(self, *, keep: bool = False) -> None:
        """Unmount what is mounted, and forget every image unless they are to be kept."""
        self.buildah("umount", "--all")
        self.buildah("rm", "--all")
        if not keep:
            shutil.rmtree(self._place, ignore_errors=True)


def image_missing(needed: Sequence[str] = ("buildah", "unshare", "nsenter", "ip")) -> str | None:
    """Why no image can be built and run here, or None."""
    if os.geteuid() != 0:
        return "building and starting an image needs root"
    for program in needed:
        if shutil.which(program) is None:
            return f"building and starting an image needs {program}: apt install buildah util-linux iproute2"
    return None
