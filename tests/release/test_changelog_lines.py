"""The check that a change for users has a line in CHANGELOG.md: what it catches, and where it must keep quiet."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.packaging.changelog_lines import NothingToCompare, complaint
from tests.release.repository import CHANGELOG, ROOT, Repository

NEWS = CHANGELOG.replace("- Something.", "- Something.\n- Something more.")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Two commits on main, and the branch ``work`` checked out there."""
    made = Repository.made(tmp_path / "tree")
    made.write("CHANGELOG.md", CHANGELOG)
    made.commits(2)
    made.git("switch", "--quiet", "--create", "work")
    return made


def change(repository: Repository, path: str, message: str = "Change it") -> None:
    repository.write(path, f"{message}\n")
    repository.commit(message)


@pytest.mark.parametrize(
    "path", ["gateway/api/x.py", "mailserver/dovecot.conf", "config/postern.toml", "systemd/a", "scripts/run"]
)
def test_a_change_for_users_without_a_line_is_named(repository: Repository, path: str) -> None:
    change(repository, path, "Answer faster")
    said = complaint(repository.root)
    assert "CHANGELOG.md has no new line below Unreleased" in said
    assert f"{repository.git('rev-parse', '--short', 'HEAD')} Answer faster" in said


@pytest.mark.parametrize("path", ["tests/test_x.py", "mailserver/README.md", "scripts/check", "README.md"])
def test_a_change_that_users_do_not_notice_needs_none(repository: Repository, path: str) -> None:
    change(repository, path)
    assert complaint(repository.root) == ""


def test_a_line_anywhere_in_the_branch_is_enough(repository: Repository) -> None:
    repository.write("CHANGELOG.md", NEWS)
    change(repository, "gateway/x.py")
    change(repository, "gateway/y.py")
    assert complaint(repository.root) == ""


def test_a_line_that_is_not_committed_yet_is_enough(repository: Repository) -> None:
    change(repository, "gateway/x.py")
    repository.write("CHANGELOG.md", NEWS)
    assert complaint(repository.root) == ""


def test_a_line_below_an_earlier_release_is_not_enough(repository: Repository) -> None:
    repository.write("CHANGELOG.md", CHANGELOG + "\nAnd something more.\n")
    change(repository, "gateway/x.py")
    assert complaint(repository.root) != ""


def test_taking_lines_away_is_not_enough(repository: Repository) -> None:
    repository.write("CHANGELOG.md", CHANGELOG.replace("- Something.\n", ""))
    change(repository, "gateway/x.py")
    assert complaint(repository.root) != ""


def test_a_release_with_its_lines_is_enough(repository: Repository) -> None:
    repository.write("CHANGELOG.md", NEWS.replace("Unreleased (0.2.0)", "0.2.0 - 2026-12-24"))
    change(repository, "gateway/x.py")
    assert complaint(repository.root) == ""


def test_a_trailer_exempts_its_commit_and_no_other(repository: Repository) -> None:
    change(repository, "gateway/x.py", "Rename a function\n\nIt had two meanings.\n\nChangelog: none")
    assert complaint(repository.root) == ""
    change(repository, "gateway/y.py", "Answer faster")
    said = complaint(repository.root)
    assert "Answer faster" in said
    assert "Rename a function" not in said


def test_what_main_has_already_is_not_asked_again(repository: Repository) -> None:
    repository.git("switch", "--quiet", "main")
    change(repository, "gateway/x.py")
    repository.git("switch", "--quiet", "work")
    repository.git("merge", "--quiet", "main")
    change(repository, "tests/x.py")
    assert complaint(repository.root) == ""


def test_a_branch_that_main_has_already_is_not_asked_again(repository: Repository) -> None:
    repository.git("switch", "--quiet", "main")
    change(repository, "gateway/x.py")
    repository.git("switch", "--quiet", "work")
    change(repository, "tests/x.py")
    repository.git("merge", "--quiet", "--message", "Merge main", "main")
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "--message", "Merge work", "work")
    repository.git("switch", "--quiet", "work")
    assert complaint(repository.root) == ""


def test_on_main_the_last_commit_is_asked(repository: Repository) -> None:
    repository.git("switch", "--quiet", "main")
    change(repository, "gateway/x.py")
    assert complaint(repository.root) != ""
    change(repository, "tests/x.py")
    assert complaint(repository.root) == ""


def test_on_main_a_merge_is_asked_for_all_that_it_brings(repository: Repository) -> None:
    change(repository, "gateway/x.py", "Answer faster")
    change(repository, "tests/x.py")
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "--message", "Merge work", "work")
    assert "Answer faster" in complaint(repository.root)
    clone = repository.clone(repository.root.parent / "clone")
    assert "Answer faster" in complaint(clone.root)


def test_commits_that_are_not_pushed_are_asked(repository: Repository) -> None:
    repository.git("switch", "--quiet", "main")
    clone = repository.clone(repository.root.parent / "clone")
    change(clone, "gateway/x.py", "Answer faster")
    change(clone, "tests/x.py")
    assert "Answer faster" in complaint(clone.root)


def test_a_base_may_be_given(repository: Repository) -> None:
    change(repository, "gateway/x.py")
    change(repository, "tests/x.py")
    assert complaint(repository.root, "HEAD~1") == ""
    assert complaint(repository.root, "main") != ""
    with pytest.raises(NothingToCompare, match="does not know the commit nowhere"):
        complaint(repository.root, "nowhere")


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_shallow_clone_is_not_judged_by_what_it_does_not_have(
    repository: Repository, tmp_path: Path, depth: int
) -> None:
    change(repository, "gateway/x.py")
    change(repository, "tests/x.py")
    repository.git("switch", "--quiet", "main")
    change(repository, "tests/y.py")
    repository.git("merge", "--quiet", "--no-ff", "--message", "Merge work", "work")
    shallow = repository.clone(tmp_path / "shallow", "--depth", str(depth))
    with pytest.raises(NothingToCompare):
        complaint(shallow.root)


def test_a_first_commit_is_not_judged(tmp_path: Path) -> None:
    made = Repository.made(tmp_path / "tree")
    made.write("CHANGELOG.md", CHANGELOG)
    change(made, "gateway/x.py")
    with pytest.raises(NothingToCompare, match="no commit before this one"):
        complaint(made.root)


def test_a_tree_without_git_is_not_judged_even_inside_another_repository(
    repository: Repository, tmp_path: Path
) -> None:
    inner = repository.root / "inner"
    inner.mkdir()
    (inner / "CHANGELOG.md").write_text(CHANGELOG)
    with pytest.raises(NothingToCompare, match="no git repository"):
        complaint(inner)


def test_the_command_ends_with_1_or_says_why_it_did_not_look(repository: Repository) -> None:
    shutil.copytree(ROOT / "scripts", repository.root / "scripts", dirs_exist_ok=True)
    change(repository, "gateway/x.py", "Answer faster")

    def checked(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scripts.packaging.changelog_lines", *words]
        return subprocess.run(command, cwd=repository.root, capture_output=True, text=True)

    failed = checked()
    assert (failed.returncode, failed.stdout) == (1, "")
    assert "Answer faster" in failed.stderr
    passed = checked("nowhere")
    assert (passed.returncode, passed.stderr) == (0, "")
    assert "not compared" in passed.stdout
    assert checked("HEAD").returncode == 0
