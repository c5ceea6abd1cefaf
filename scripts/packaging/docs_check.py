"""Look through built pages for what they load from another host, and for links that lead nowhere.

``python -m scripts.packaging.docs_check DIRECTORY`` prints each place; exit code 1 if any.

A page may name other hosts in its text and in links that a reader follows (``<a href>``); it must load nothing from
them: no script, style, picture, font, frame or form. A path inside of the directory must exist, with its anchor.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

_LOADS = {
    "audio": ("src",),
    "embed": ("src",),
    "form": ("action",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
_CSS = re.compile(r"""url\(\s*['"]?([^'")]+)|@import\s+['"]([^'"]+)""")
_BASE = "http://built.example/"


@dataclass
class Page(HTMLParser):
    """What one page loads, where it links to, and its anchors."""

    text: str
    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()
        self._in_style = False
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        self._in_style = tag == "style"
        for name in _LOADS.get(tag, ()):
            if name == "srcset" and name in given:
                self.loads += [one.split()[0] for one in given[name].split(",") if one.strip()]
            elif name in given:
                self.loads.append(given[name])
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if "mermaid" in given.get("class", "").split():
            self.loads.append("//a-host/mermaid")  # the theme's script fetches the program that draws it
        self.loads += urls_of_css(given.get("style", ""))

    def handle_endtag(self, tag: str) -> None:
        self._in_style = self._in_style and tag != "style"

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.loads += urls_of_css(data)


def urls_of_css(text: str) -> list[str]:
    """What a style sheet loads."""
    return [(found[1] or found[2]).strip() for found in _CSS.finditer(text)]


def complaints(built: Path) -> list[str]:
    """What is wrong with the pages in ``built``, a line each."""
    pages = {one: Page(one.read_text("utf-8")) for one in sorted(built.rglob("*.html"))}
    said = [] if pages else [f"{built}: no page was built"]
    for path, page in pages.items():
        name = path.relative_to(built).as_posix()
        said += [f"{name}: loads {one}" for one in page.loads if _foreign(one)]
        if name == "404.html":  # its links begin at the top of whatever host serves it
            continue
        for link in [*page.loads, *page.links]:
            if (why := _lost(link, name, built, pages)) is not None:
                said.append(f"{name}: {link} {why}")
    for path in sorted([*built.rglob("*.css"), *built.rglob("*.svg")]):
        name, text = path.relative_to(built).as_posix(), path.read_text("utf-8")
        loads = urls_of_css(text) if path.suffix == ".css" else [*Page(text).loads, *urls_of_css(text)]
        said += [f"{name}: loads {one}" for one in loads if _foreign(one)]
    return said


def _foreign(url: str) -> bool:
    parts = urlsplit(url)
    return bool(parts.netloc) or parts.scheme not in ("", "data")


def _lost(link: str, name: str, built: Path, pages: dict[Path, Page]) -> str | None:
    """Why a link inside of the pages leads nowhere; None where it leads somewhere, or out."""
    if _foreign(link) or link.startswith("data:"):
        return None
    there = urlsplit(urljoin(_BASE + name, link))
    path = built / unquote(there.path).lstrip("/")
    if path.is_dir():
        path /= "index.html"
    if not path.is_file():
        return "does not exist"
    if there.fragment and path in pages and unquote(there.fragment) not in pages[path].anchors:
        return "has no such anchor"
    return None


def main() -> int:
    """Print what is wrong with the pages in the directory that the command line names."""
    said = complaints(Path(sys.argv[1]))
    for one in said:
        print(one, file=sys.stderr)
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main())
