"""Hooks of MkDocs (``mkdocs.yml``): the READMEs of the repository as pages, and links out of ``docs/`` that work.

A link in a page is written as it works in the repository. Here it is changed where it leaves ``docs/``: to the page
that a README became (``PAGES``), else to a copy of the file, which the built pages hold below ``files/``. So the built
pages need no repository beside them. A link to a file that is not there stays as it is, and MkDocs refuses it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "CHANGELOG.md": "manual/changelog.md",
    "CONTRIBUTING.md": "manual/contributing.md",
    "SECURITY.md": "manual/reporting.md",
    "README.md": "index.md",
    "config/README.md": "manual/settings.md",
    "gateway/README.md": "manual/gateway.md",
    "mailserver/README.md": "manual/server.md",
    "scripts/bench/README.md": "manual/figures.md",
    "scripts/examples/README.md": "manual/examples.md",
    "systemd/README.md": "manual/systemd.md",
    "tests/README.md": "manual/tests.md",
}
"""Each document outside ``docs/`` that is a page of its own, and the page's place. The root README is for the
repository: a link to it leads to the first page, which ``docs/index.md`` is."""
_ORIGINS = {page: origin for origin, page in PAGES.items() if origin != "README.md"}
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^()\s#]+)(#[^()\s]*)?(?=\))")
_FENCE = re.compile(r"^(```|~~~).*?^\1\s*$", re.DOTALL | re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Add the READMEs, and every file that a page links to, to what is built."""
    from mkdocs.structure.files import File  # absent where only the links are tried

    for page, origin in _ORIGINS.items():
        files.append(File.generated(config, page, content=(ROOT / origin).read_text("utf-8")))
    texts = {one.src_uri: one.content_string for one in files.documentation_pages()}
    for name in sorted({name for page, text in texts.items() for name in copied(text, page)}):
        files.append(File.generated(config, f"files/{name}", content=(ROOT / name).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Change the links of a page as said above."""
    return relinked(markdown, page.file.src_uri)


def relinked(text: str, page: str) -> str:
    """The text of ``page`` with each link that leaves ``docs/`` led to where the built pages have it."""

    def changed(found: re.Match[str]) -> str:
        target = _target(found[1], page)
        if target is None:
            return found[0]
        return posixpath.relpath(target, posixpath.dirname(page) or ".") + (found[2] or "")

    return _outside_code(text, changed)


def copied(text: str, page: str) -> list[str]:
    """The files of the repository that ``page`` links to and that are no pages."""
    names = []

    def collect(found: re.Match[str]) -> str:
        target = _target(found[1], page)
        if target is not None and target.startswith("files/"):
            names.append(target.removeprefix("files/"))
        return found[0]

    _outside_code(text, collect)
    return names


def _target(link: str, page: str) -> str | None:
    """Where the built pages have what ``link`` names, from their top; None where the link needs no change."""
    origin = _ORIGINS.get(page, f"docs/{page}")
    name = posixpath.normpath(posixpath.join(posixpath.dirname(origin), link))
    if name in PAGES:
        return PAGES[name]
    if f"{name}/README.md" in PAGES:  # a folder is what its README says
        return PAGES[f"{name}/README.md"]
    if name.startswith("docs/"):
        return None if origin.startswith("docs/") else name.removeprefix("docs/")
    return f"files/{name}" if (ROOT / name).is_file() else None


def _outside_code(text: str, change: Any) -> str:
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [_LINK.sub(change, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, _LINK.sub(change, text[end:])])
