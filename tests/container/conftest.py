"""The image, built once for the file that uses it: from the tree as it is, on a Debian root of the day."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.image import Builder, Image, image_missing

_ROOT = Path(__file__).resolve().parent.parent.parent
_RELEASE = "trixie"
_MAKE_SECONDS = 900.0


def debian_root() -> Path:
    """A Debian root of the Containerfile's release: POSTERN_TEST_ROOT_TRIXIE, else one of scripts/root.

    Skips where there is no debootstrap; fails where it is there and no root comes of it.
    """
    named = os.environ.get(f"POSTERN_TEST_ROOT_{_RELEASE.upper()}")
    if named:
        return Path(named)
    if shutil.which("debootstrap") is None:
        pytest.skip(
            f"a root of {_RELEASE} needs debootstrap: apt install debootstrap, or set "
            f"POSTERN_TEST_ROOT_{_RELEASE.upper()} to one"
        )
    made = subprocess.run(
        [str(_ROOT / "scripts" / "root"), "path", _RELEASE],
        capture_output=True,
        text=True,
        timeout=_MAKE_SECONDS,
    )
    assert made.returncode == 0, f"scripts/root path {_RELEASE}: {made.stderr[-2000:]}"
    return Path(made.stdout.strip())


@pytest.fixture(scope="module")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Builder]:
    """Buildah with the base image in it. POSTERN_TEST_IMAGES names a directory that keeps what is built."""
    if missing := image_missing():
        pytest.skip(missing)
    root = debian_root()
    kept = os.environ.get("POSTERN_TEST_IMAGES")
    made = Builder(Path(kept) if kept else tmp_path_factory.mktemp("images"))
    try:
        if not made.has_base():
            made.base(root)
        yield made
    finally:
        made.close(keep=bool(kept))


@pytest.fixture(scope="module")
def image(builder: Builder) -> Image:
    """The image of this tree."""
    return builder.build("postern:test", "--layers")
