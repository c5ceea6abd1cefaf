"""The built pages: nothing from another host, no link that leads nowhere; and the check that says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.packaging.docs_check import complaints
from scripts.packaging.docs_hooks import copied, relinked
from scripts.packaging.pictures import draw, stale

ROOT = Path(__file__).resolve().parents[2]
MKDOCS = ROOT / ".venv-docs/bin/mkdocs"


@pytest.mark.parametrize(
    "markup",
    [
        '<script src="https://cdn.example.net/x.js"></script>',
        '<script src="//cdn.example.net/x.js"></script>',
        '<link rel="stylesheet" href="https://fonts.example.net/css">',
        '<img src="http://pictures.example.net/a.png">',
        '<img srcset="a.png 1x, https://pictures.example.net/b.png 2x">',
        '<div style="background: url(https://pictures.example.net/a.png)"></div>',
        "<style>@import 'https://fonts.example.net/css';</style>",
        '<form action="https://forms.example.net/"></form>',
        '<pre class="mermaid">graph TD</pre>',
    ],
)
def test_a_page_that_loads_from_another_host_is_refused(tmp_path: Path, markup: str) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "index.html").write_text(f"<html><body>{markup}</body></html>")
    assert [one for one in complaints(tmp_path) if one.startswith("index.html: loads ")]


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("other.html", None),
        ("other.html#there", None),
        ("#here", None),
        ("https://example.org/", None),
        ("mailto:postmaster@example.org", None),
        ("other.html#elsewhere", "has no such anchor"),
        ("#elsewhere", "has no such anchor"),
        ("nothing.html", "does not exist"),
    ],
)
def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path, link: str, said: str | None) -> None:
    (tmp_path / "index.html").write_text(f'<h1 id="here"></h1><a href="{link}">x</a>')
    (tmp_path / "other.html").write_text('<h1 id="there"></h1>')
    assert complaints(tmp_path) == ([f"index.html: {link} {said}"] if said else [])


def test_a_style_sheet_and_a_picture_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<html></html>")
    (tmp_path / "a.css").write_text("@font-face { src: url(https://fonts.example.net/a.woff2) }")
    (tmp_path / "b.svg").write_text("<svg><image href='https://pictures.example.net/a.png'/></svg>")
    assert complaints(tmp_path) == [
        "a.css: loads https://fonts.example.net/a.woff2",
        "b.svg: loads https://pictures.example.net/a.png",
    ]


def test_an_empty_directory_is_no_documentation(tmp_path: Path) -> None:
    assert complaints(tmp_path) == [f"{tmp_path}: no page was built"]


def test_links_out_of_docs_lead_to_pages_and_copies() -> None:
    text = (
        "[a](../mailserver/README.md#dns) [b](../config/alerts.yml) [c](container.md) [d](../gone.md)\n"
        "```\n[e](../config/alerts.yml)\n```\n"
    )
    assert relinked(text, "operating.md") == (
        "[a](manual/server.md#dns) [b](files/config/alerts.yml) [c](container.md) [d](../gone.md)\n"
        "```\n[e](../config/alerts.yml)\n```\n"
    )
    assert copied(text, "operating.md") == ["config/alerts.yml"]
    # a README that became a page: its links are as they work in its own folder
    assert relinked("[a](../systemd/README.md) [b](../docs/container.md)", "manual/server.md") == (
        "[a](systemd.md) [b](../container.md)"
    )


def test_the_pictures_are_what_their_texts_say() -> None:
    assert [one.name for one in stale()] == [], "python -m scripts.packaging.pictures"


def test_a_picture_is_drawn_from_its_text() -> None:
    box = '[[box]]\nid = "{0}"\ntext = ["{0} & co"]\ncolumns = [{1}]\nrows = [{2}]\n'
    text = f'title = "T"\n{box.format("a", 0, 0)}{box.format("b", 0, 1)}[[arrow]]\nfrom = "a"\nto = "b"\ntext = "x"\n'
    drawn = draw(text)
    assert "a &amp; co" in drawn
    assert drawn.count("<line ") == 1
    assert draw(text) == drawn
    assert draw(text.replace('text = "x"', 'text = "y"')) != drawn


@pytest.fixture(scope="module")
def mkdocs() -> None:
    """MkDocs, in the environment that ``scripts/docs`` makes."""
    if not MKDOCS.exists():
        made = subprocess.run(
            [ROOT / "scripts/docs"], capture_output=True, text=True, timeout=500, check=False
        )
        assert made.returncode == 0, made.stdout + made.stderr


def build(configuration: Path, into: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    # not --quiet: MkDocs counts only the warnings that it prints
    command = [str(MKDOCS), "build", "--strict", "--config-file", str(configuration), "--site-dir", str(into)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("mkdocs")
def test_the_pages_build_and_load_nothing_from_elsewhere(tmp_path: Path) -> None:
    done = build(ROOT / "mkdocs.yml", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert complaints(tmp_path) == []


@pytest.mark.timeout(600)
@pytest.mark.usefixtures("mkdocs")
@pytest.mark.parametrize("link", ["concepts.md#nowhere", "gone.md", "../gone/README.md", "/absolute.md"])
def test_a_page_with_a_dead_link_is_not_built(tmp_path: Path, link: str) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    text = (ROOT / "mkdocs.yml").read_text("utf-8")
    configuration = tmp_path / "mkdocs.yml"
    configuration.write_text(text.replace("scripts/packaging/", f"{ROOT}/scripts/packaging/"))
    with (tmp_path / "docs/faq.md").open("a") as page:
        page.write(f"\n[x]({link})\n")
    done = build(configuration, tmp_path / "site")
    assert done.returncode != 0
    assert f"'{link}'" in done.stderr
