"""Build the files of a release into dist/: wheel, source archive, container image, and SHA256SUMS of them.

To make a release: give the section "Unreleased" of CHANGELOG.md the heading "## 0.2.0 - 2026-12-24" and put an empty
"## Unreleased" above it, commit, tag the commit ("git tag --annotate v0.2.0"), and run scripts/release. Afterwards
"python -m tests.upgrade.make" keeps a data directory of the version for the tests of later ones.

The same commit gives the same wheel and source archive, byte for byte: times come from the commit, tools from
requirements-build.lock. The image has its times from the commit too, but holds what Debian offers on the day.
The wheel is built from the unpacked source archive, and so is the image.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

from scripts.packaging import changelog
from scripts.packaging.version import ROOT, Decided, decide

CONTAINERFILE = "Containerfile"
_MADE = {"PKG-INFO", ".git_archival.txt"}
"""What the build itself puts into the source archive."""


class Refused(Exception):
    """There is no release of this tree; the text says why, and the way out."""


def check(root: Path) -> None:
    """Raise Refused unless ``root`` is exactly a tagged commit whose version has its section in the changelog."""
    changed = _git(root, "status", "--porcelain")
    if changed:
        raise Refused(
            f"the tree differs from its commit:\n{changed}\nCommit that or take it away, or use --snapshot."
        )
    version, commit = decide(root)
    if "+" in version:
        raise Refused(
            f"the commit {commit[:7]} has no tag such as v0.2.0 (its version is {version}): tag it, or use --snapshot."
        )
    if version not in {str(one.version) for one in changelog.read(root) if one.released}:
        raise Refused(
            f"{changelog.FILE} has no heading '## {version} - YYYY-MM-DD': write it before you tag."
        )


def build_source(root: Path, into: Path) -> Path:
    """The source archive of ``root``, in ``into``."""
    _hatchling(root, "sdist", into)
    [archive] = into.glob("postern-*.tar.gz")
    return archive


def check_source(root: Path, archive: Path) -> None:
    """Raise Refused for a source archive that holds files which are not in git, or lacks some that are."""
    with tarfile.open(archive) as tar:
        held = {one.name.partition("/")[2] for one in tar.getmembers()} - _MADE
    known = set(_git(root, "ls-files", "-z").split("\0")) - _MADE - {""}
    if held != known:
        odd = ", ".join(sorted(held ^ known))
        raise Refused(f"the source archive and git do not hold the same files: {odd}")


def build_image(source: Path, version: str, into: Path, base: str | None, more: Sequence[str]) -> str:
    """The container image of the unpacked source, as an OCI archive in ``into``; answers why not, or nothing.

    An OCI archive holds no health check: compose.yaml states it for who loads the image from the archive.
    ``more`` are further words for ``buildah bud``.
    """
    file = source / CONTAINERFILE
    if not file.is_file():
        return f"there is no {CONTAINERFILE}"
    if shutil.which("buildah") is None:
        return "buildah is not installed: apt-get install buildah"
    stated = re.search(r"^ARG BASE=(\S+)", file.read_text("utf-8"), re.MULTILINE)
    base = base or (stated[1] if stated else None)
    if base and base != "scratch":
        pulled = subprocess.run(
            ["buildah", "pull", "--quiet", "--policy", "missing", base], capture_output=True, text=True
        )
        if pulled.returncode != 0:
            why = (pulled.stderr.strip().splitlines() or ["buildah gives no reason"])[-1]
            return f"its base image {base} is not here and cannot be fetched ({why}); --base names another"
    name = f"postern:{version.replace('+', '-')}"
    words = ["--timestamp", os.environ["SOURCE_DATE_EPOCH"], "--format", "docker"]
    words += ["--build-arg", f"BASE={base}"] if base else []
    with tempfile.NamedTemporaryFile() as nothing:  # the source archive is all clean: ignore nothing of it
        words += ["--build-arg", f"VERSION={version}", "--ignorefile", nothing.name]
        _run("buildah", "bud", *words, *more, "--tag", name, "--file", str(file), str(source))
    _run("buildah", "push", "--quiet", name, f"oci-archive:{into / f'postern-{version}-image.tar'}:{name}")
    return ""


def write_checksums(folder: Path) -> None:
    """``SHA256SUMS`` of the files in ``folder``, for ``sha256sum --check``."""
    lines = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            lines.append(f"{hashlib.file_digest(file, 'sha256').hexdigest()}  {path.name}\n")
    (folder / "SHA256SUMS").write_text("".join(lines), "utf-8")


def release(
    root: Path,
    into: Path,
    *,
    snapshot: bool,
    image: bool = True,
    base: str | None = None,
    buildah: Sequence[str] = (),
) -> Decided:
    """Build everything into the directory ``into``, in place of what an earlier run left there. Raises Refused."""
    if not (root / ".git").exists():
        raise Refused(f"{root} is not a git repository; a release is made of a commit.")
    if not snapshot:
        check(root)
    os.environ["SOURCE_DATE_EPOCH"] = _git(root, "show", "--no-patch", "--format=%ct", "HEAD")
    decided = decide(root)
    left_out = "--no-image says so"
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder, "made")
        made.mkdir()
        archive = build_source(root, made)
        if not snapshot:
            check_source(root, archive)
        shutil.unpack_archive(archive, folder)
        unpacked = Path(folder, archive.name.removesuffix(".tar.gz"))
        _hatchling(unpacked, "wheel", made)
        if image:
            left_out = build_image(unpacked, decided.version, made, base, buildah)
        write_checksums(made)
        into.mkdir(parents=True, exist_ok=True)
        for old in (*into.glob("postern-*"), into / "SHA256SUMS"):
            old.unlink(missing_ok=True)
        for path in sorted(made.iterdir()):
            shutil.move(path, into / path.name)
            print(into / path.name)
    if left_out:
        print(f"No container image: {left_out}")
    return decided


def _hatchling(root: Path, target: str, into: Path) -> None:
    _run(sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(into), cwd=root)


def _run(*command: str, cwd: Path | None = None) -> None:
    """Its output is shown only when it fails, which raises Refused."""
    done = subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Refused(f"{' '.join(command[:3])} failed:\n{done.stdout[-4000:]}")


def _git(root: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    if done.returncode != 0:
        raise Refused(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/release", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--snapshot", action="store_true", help="also of a changed tree or an untagged commit"
    )
    parser.add_argument("--no-image", action="store_true", help="leave the container image out")
    parser.add_argument("--base", help="the image to build on, in place of the one that Containerfile names")
    parser.add_argument("--into", type=Path, default=ROOT / "dist", help="the directory (dist)")
    parser.add_argument(
        "buildah", nargs="*", help="after --: more words for `buildah bud`, such as --volume A:B"
    )
    chosen = parser.parse_args()
    try:
        decided = release(
            ROOT,
            chosen.into,
            snapshot=chosen.snapshot,
            image=not chosen.no_image,
            base=chosen.base,
            buildah=chosen.buildah,
        )
    except (Refused, changelog.BadChangelog) as error:
        print(f"scripts/release: {error}", file=sys.stderr)
        return 1
    print(f"Postern {decided.version} of commit {decided.commit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
