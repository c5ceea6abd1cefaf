"""scripts/release on a repository that holds this tree: the same files twice, and what it refuses."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.release.repository import ENVIRONMENT, ROOT, Repository
from tests.release.test_installed import asked

VERSION = "7.8.9"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """This tree as the release 7.8.9: one commit with its tag. A test works on a clone of it."""
    made = Repository.made(tmp_path_factory.mktemp("release") / "tree")
    passing = shutil.ignore_patterns(
        ".git", ".venv*", "dist", "data", "node_modules", "__pycache__", ".*_cache", ".hyp*"
    )
    shutil.copytree(ROOT, made.root, dirs_exist_ok=True, symlinks=True, ignore=passing)
    text = (made.root / "CHANGELOG.md").read_text("utf-8")
    made.write(
        "CHANGELOG.md", re.sub(r"^## Unreleased.*$", f"## {VERSION} - 2027-01-02", text, flags=re.MULTILINE)
    )
    made.commit("Release it")
    made.git("tag", "--annotate", f"v{VERSION}", "--message", VERSION)
    return made


def build(repository: Repository, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run scripts/release's module there, with the tools of these tests' own environment."""
    command = [sys.executable, "-P", "-m", "scripts.packaging.release", *words]
    variables = {**ENVIRONMENT, "PYTHONPATH": str(repository.root), **environment}
    return subprocess.run(command, cwd=repository.root, capture_output=True, text=True, env=variables)


def refusal(repository: Repository, *words: str) -> str:
    """What it says when it refuses; it must leave nothing in dist/."""
    done = build(repository, "--no-image", *words)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    assert not (repository.root / "dist").exists()
    return done.stderr


@pytest.mark.slow
def test_two_builds_of_a_commit_are_equal_and_the_archive_builds_the_same_wheel(
    repository: Repository, tmp_path: Path
) -> None:
    sums = []
    for name, mask in (("one", 0o022), ("another", 0o077)):
        before = os.umask(mask)
        try:
            clone = repository.clone(tmp_path / name)
            done = build(clone, "--no-image", TZ="Pacific/Auckland" if mask else "UTC")
        finally:
            os.umask(before)
        assert done.returncode == 0, done.stderr
        sums.append((clone.root / "dist" / "SHA256SUMS").read_text())
    assert sums[0] == sums[1]
    dist = tmp_path / "one" / "dist"
    wheel, archive = dist / f"postern-{VERSION}-py3-none-any.whl", dist / f"postern-{VERSION}.tar.gz"
    assert {one.name for one in dist.iterdir()} == {wheel.name, archive.name, "SHA256SUMS"}
    subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=dist, check=True, capture_output=True
    )

    with tarfile.open(archive) as tar:
        names = {one.name.removeprefix(f"postern-{VERSION}/") for one in tar.getmembers()}
    assert names == {*repository.git("ls-files").splitlines(), "PKG-INFO"}

    with zipfile.ZipFile(wheel) as whole:
        whole.extractall(tmp_path / "installed")
    commit = repository.git("rev-parse", "--short=7", "HEAD")
    assert asked(tmp_path / "installed") == f"{VERSION} (commit {commit}) {VERSION}"

    again = tmp_path / "again"
    pip = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-index", "--no-build-isolation"]
    epoch = repository.git("show", "--no-patch", "--format=%ct", "HEAD")
    subprocess.run(
        [*pip, "--wheel-dir", str(again), str(archive)],
        check=True,
        env={**os.environ, "SOURCE_DATE_EPOCH": epoch, "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )
    rebuilt = hashlib.sha256((again / wheel.name).read_bytes()).hexdigest()
    assert rebuilt == hashlib.sha256(wheel.read_bytes()).hexdigest()


def test_the_script_brings_its_environment_and_passes_its_words_on(
    repository: Repository, tmp_path: Path
) -> None:
    clone = repository.clone(tmp_path / "clone")
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    # stands for the environment that scripts/test has made, up to date by its stamp: nothing is to be fetched here
    (venv / "bin" / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (venv / "bin" / "postern").symlink_to("python")
    (venv / "bin" / "python").chmod(0o755)
    stamp = ". scripts/environment.sh; find_python; venv_wanted requirements-dev.lock >$venv/postern-stamp"
    variables = {**ENVIRONMENT, "POSTERN_VENV": str(venv)}
    subprocess.run(["bash", "-c", stamp, "scripts/release"], cwd=clone.root, env=variables, check=True)
    clone.write("README.md", "changed\n")
    done = subprocess.run(
        ["scripts/release", "--no-image"], cwd=clone.root, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "scripts/release: the tree differs from its commit:\nM README.md" in done.stderr


def test_a_changed_tree_is_refused(repository: Repository, tmp_path: Path) -> None:
    clone = repository.clone(tmp_path / "clone")
    clone.write("README.md", "changed\n")
    clone.write("gateway/new.py", "")
    said = refusal(clone)
    assert "M README.md\n?? gateway/new.py\n" in said
    assert "--snapshot" in said


def test_a_commit_without_a_tag_is_refused(repository: Repository, tmp_path: Path) -> None:
    clone = repository.clone(tmp_path / "clone")
    commit = clone.commit()
    said = refusal(clone)
    assert (
        f"the commit {commit[:7]} has no tag such as v0.2.0 (its version is 7.8.10.dev1+g{commit[:7]})"
        in said
    )


def test_a_tag_that_the_changelog_does_not_know_is_refused(repository: Repository, tmp_path: Path) -> None:
    clone = repository.clone(tmp_path / "clone")
    clone.git("tag", "v7.9.0", clone.commit())
    assert "CHANGELOG.md has no heading '## 7.9.0 - YYYY-MM-DD'" in refusal(clone)


def test_a_file_that_git_does_not_know_is_refused(repository: Repository, tmp_path: Path) -> None:
    clone = repository.clone(tmp_path / "clone")
    clone.write(".git/info/exclude", "private.txt\n")  # git status does not name it, the build would take it
    clone.write("private.txt", "x\n")
    assert "do not hold the same files: private.txt" in refusal(clone)


def test_a_directory_without_git_is_refused(repository: Repository, tmp_path: Path) -> None:
    clone = repository.clone(tmp_path / "clone")
    shutil.rmtree(clone.root / ".git")
    assert "is not a git repository" in refusal(clone, "--snapshot")


@pytest.mark.slow
def test_a_snapshot_is_built_of_anything_and_replaces_the_one_before(
    repository: Repository, tmp_path: Path
) -> None:
    clone = repository.clone(tmp_path / "clone")
    commit = clone.commit()
    clone.write("README.md", "changed\n")
    clone.write("dist/postern-0.0.1-py3-none-any.whl", "from before")
    clone.write("dist/mine", "not ours")
    done = build(clone, "--snapshot", "--no-image")
    assert done.returncode == 0, done.stderr
    version = f"7.8.10.dev1+g{commit[:7]}.dirty"
    assert sorted(one.name for one in (clone.root / "dist").iterdir()) == sorted(
        ["SHA256SUMS", "mine", f"postern-{version}-py3-none-any.whl", f"postern-{version}.tar.gz"]
    )
    assert f"Postern {version} of commit {commit}" in done.stdout


def image(repository: Repository, containerfile: str | None, *words: str, **environment: str) -> str:
    """A snapshot with that Containerfile; what it said."""
    (repository.root / "Containerfile").unlink(missing_ok=True)
    if containerfile is not None:
        repository.write("Containerfile", containerfile)
    done = build(repository, "--snapshot", *words, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_an_image_that_is_left_out_is_named_with_the_reason(repository: Repository, tmp_path: Path) -> None:
    clone = repository.clone(tmp_path / "clone")
    assert "No container image: there is no Containerfile" in image(clone, None)
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or "")
    said = image(clone, "FROM scratch\n", PATH=str(programs))
    assert "No container image: buildah is not installed" in said
    if shutil.which("buildah"):
        said = image(clone, "ARG BASE=localhost:1/nowhere\nFROM ${BASE}\n")
        assert (
            "No container image: its base image localhost:1/nowhere is not here and cannot be fetched" in said
        )
    assert not list((clone.root / "dist").glob("*.tar"))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("buildah") is None, reason="needs buildah: apt install buildah")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: buildah's isolation chroot")
def test_an_image_holds_the_source_archive_and_is_equal_twice(repository: Repository, tmp_path: Path) -> None:
    text = "ARG BASE=scratch\nFROM ${BASE}\nARG VERSION\nLABEL version=${VERSION}\nCOPY pyproject.toml PKG-INFO /\n"
    digests = []
    for name in ("one", "another"):
        clone = repository.clone(tmp_path / name)
        kept = tmp_path / f"{name}-images"
        kept.mkdir()
        store = kept / "storage.conf"
        store.write_text(
            f'[storage]\ndriver = "vfs"\ngraphroot = "{kept}/graph"\nrunroot = "{kept}/run"\n', "utf-8"
        )
        said = image(clone, text, BUILDAH_ISOLATION="chroot", CONTAINERS_STORAGE_CONF=str(store))
        assert "No container image" not in said
        [made] = (clone.root / "dist").glob("postern-*-image.tar")
        with tarfile.open(made) as tar:
            digests.append(sorted(one.name for one in tar.getmembers() if "blobs/sha256/" in one.name))
        assert f"  {made.name}\n" in (clone.root / "dist" / "SHA256SUMS").read_text()
    assert digests[0]
    assert digests[0] == digests[1]
