"""Which version a source tree says it is: with tags, without, shallow, as an archive, without git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.packaging.changelog import BadChangelog
from scripts.packaging.version import decide
from tests.release.repository import CHANGELOG, ROOT, Repository


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Four commits, no tag; the changelog names 0.1.0 as released and 0.2.0 as planned."""
    made = Repository.made(tmp_path / "tree")
    made.write("CHANGELOG.md", CHANGELOG)
    for name in (".git_archival.txt", ".gitattributes"):
        shutil.copy(ROOT / name, made.root / name)
    made.commits(4)
    return made


def released(repository: Repository) -> str:
    """Release 0.2.0 there; answers its commit."""
    repository.write("CHANGELOG.md", CHANGELOG.replace("Unreleased (0.2.0)", "0.2.0 - 2026-12-24"))
    commit = repository.commit("Release 0.2.0")
    repository.git("tag", "--annotate", "v0.2.0", "--message", "0.2.0")
    return commit


def archive_of(repository: Repository, into: Path) -> Path:
    """What ``git archive`` makes of its HEAD, unpacked."""
    into.mkdir()
    repository.git("archive", "--output", str(into / "a.tar"), "HEAD")
    subprocess.run(["tar", "--extract", "--file", "a.tar"], cwd=into, check=True)
    return into


def test_a_tagged_commit_has_the_version_of_the_tag(repository: Repository) -> None:
    commit = released(repository)
    assert decide(repository.root) == ("0.2.0", commit)


def test_after_a_tag_the_commits_since_are_counted(repository: Repository) -> None:
    released(repository)
    commit = repository.commits(12)
    assert decide(repository.root) == (f"0.2.1.dev12+g{commit[:7]}", commit)


def test_the_changelog_names_the_next_version(repository: Repository) -> None:
    released(repository)
    repository.write("CHANGELOG.md", CHANGELOG.replace("0.2.0", "0.3.0"))
    commit = repository.commit()
    assert decide(repository.root).version == f"0.3.0.dev1+g{commit[:7]}"


def test_a_planned_version_that_is_released_already_is_passed_by(repository: Repository) -> None:
    released(repository)
    repository.write("CHANGELOG.md", CHANGELOG)
    commit = repository.commit()
    assert decide(repository.root).version == f"0.2.1.dev1+g{commit[:7]}"


def test_a_lightweight_tag_counts_and_a_tag_of_another_kind_does_not(repository: Repository) -> None:
    released(repository)
    repository.git("tag", "v0.2.1rc1", repository.commit())
    assert decide(repository.root).version == "0.2.1rc1"
    repository.git("tag", "image-9.9", repository.commit())
    assert decide(repository.root).version.startswith("0.2.1rc2.dev1+g")


def test_without_a_tag_all_commits_are_counted(repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    assert decide(repository.root) == (f"0.2.0.dev4+g{commit[:7]}", commit)


def test_without_a_tag_the_changelogs_last_release_is_the_base(repository: Repository) -> None:
    repository.write("CHANGELOG.md", CHANGELOG.replace("Unreleased (0.2.0)", "Unreleased"))
    assert decide(repository.root).version.startswith("0.1.1.dev4+g")


def test_uncommitted_changes_are_said(repository: Repository) -> None:
    commit = released(repository)
    repository.write("new", "not part of git: no change\n")
    assert decide(repository.root).version == "0.2.0"
    repository.write(".gitattributes", "# changed\n")
    assert decide(repository.root) == (f"0.2.1.dev0+g{commit[:7]}.dirty", commit)


def test_a_shallow_clone_without_a_tag_does_not_count(repository: Repository, tmp_path: Path) -> None:
    shallow = repository.clone(tmp_path / "shallow", "--depth", "1")
    commit = repository.git("rev-parse", "HEAD")
    assert decide(shallow.root) == (f"0.2.0.dev0+g{commit[:7]}", commit)


def test_a_shallow_clone_of_a_tag_has_its_version(repository: Repository, tmp_path: Path) -> None:
    commit = released(repository)
    repository.commit()
    shallow = repository.clone(tmp_path / "shallow", "--depth", "1", "--branch", "v0.2.0")
    assert decide(shallow.root) == ("0.2.0", commit)


def test_a_worktree_is_counted_as_its_repository(repository: Repository, tmp_path: Path) -> None:
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "beside"))
    commit = repository.git("rev-parse", "HEAD")
    assert decide(tmp_path / "beside").version == f"0.2.0.dev4+g{commit[:7]}"


def test_an_archive_of_a_tag_has_its_version(repository: Repository, tmp_path: Path) -> None:
    commit = released(repository)
    assert decide(archive_of(repository, tmp_path / "archive")) == ("0.2.0", commit)


def test_an_archive_after_a_tag_knows_the_distance(repository: Repository, tmp_path: Path) -> None:
    released(repository)
    commit = repository.commits(2)
    assert decide(archive_of(repository, tmp_path / "archive")) == (f"0.2.1.dev2+g{commit[:7]}", commit)


def test_an_archive_without_a_tag_knows_its_commit(repository: Repository, tmp_path: Path) -> None:
    commit = repository.git("rev-parse", "HEAD")
    archive = archive_of(repository, tmp_path / "archive")
    assert decide(archive) == (f"0.2.0.dev0+g{commit[:7]}", commit)


def test_without_git_the_changelog_decides(repository: Repository) -> None:
    shutil.rmtree(repository.root / ".git")
    assert decide(repository.root) == ("0.2.0.dev0", "")


def test_without_the_git_program_the_changelog_decides(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert decide(repository.root) == ("0.2.0.dev0", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_checkout_of_another_user_is_read_too(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # without the user's own list of trusted directories
    shallow = repository.clone(tmp_path / "shallow", "--depth", "1")
    for path in (repository.root, shallow.root, *tmp_path.rglob("*")):
        os.chown(path, 65534, 65534)
    assert decide(repository.root).version.startswith("0.2.0.dev4+g")
    assert decide(shallow.root).version.startswith("0.2.0.dev0+g")


def test_a_tree_inside_another_repository_does_not_take_its_version(
    repository: Repository, tmp_path: Path
) -> None:
    outer = Repository.made(tmp_path / "outer")
    outer.commit()
    outer.git("tag", "v9.9.9")
    shutil.copytree(repository.root, outer.root / "inner", ignore=shutil.ignore_patterns(".git"))
    assert decide(outer.root / "inner") == ("0.2.0.dev0", "")


def test_a_source_distribution_keeps_its_version(repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    shutil.rmtree(repository.root / ".git")
    repository.write("PKG-INFO", "Metadata-Version: 2.4\nName: postern\nVersion: 0.1.7\n")
    assert decide(repository.root) == ("0.1.7", "")
    repository.write(".git_archival.txt", f"node: {commit}\n")
    assert decide(repository.root) == ("0.1.7", commit)


def test_a_packager_may_name_the_version(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SETUPTOOLS_SCM_PRETEND_VERSION_FOR_POSTERN", "0.2.0+mine")
    assert decide(repository.root).version == "0.2.0+mine"


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("Unreleased 0.3.0", "'Unreleased 0.3.0' is neither"),
        ("0.2.0", "'0.2.0' is neither"),
        ("Unreleased (soon)", "'Unreleased (soon)' names no version"),
    ],
)
def test_a_heading_that_cannot_be_read_is_named(repository: Repository, heading: str, said: str) -> None:
    repository.write("CHANGELOG.md", CHANGELOG.replace("Unreleased (0.2.0)", heading))
    with pytest.raises(BadChangelog, match=r"CHANGELOG\.md: the heading ") as raised:
        decide(repository.root)
    assert said in str(raised.value)


def test_a_missing_changelog_is_said(repository: Repository) -> None:
    (repository.root / "CHANGELOG.md").unlink()
    with pytest.raises(BadChangelog, match=r"CHANGELOG\.md: No such file or directory"):
        decide(repository.root)
