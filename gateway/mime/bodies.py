"""Which leaves are the text a person reads, and their decoding."""

from __future__ import annotations

import re
from typing import NamedTuple

from gateway.mime.attachments import disposition, leaf_filename
from gateway.mime.charset import decode
from gateway.mime.charset_labels import codec_name
from gateway.mime.contained import contained_in
from gateway.mime.flowed import unflow
from gateway.mime.hidden_text import Hidden, hidden_characters
from gateway.mime.invisible import read_visible
from gateway.mime.limits import Limits
from gateway.mime.structure import Leaf

_META_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.I)
_TEXT = frozenset(("text/plain", "text/html", "text/enriched"))


class Sorted(NamedTuple):
    """Leaves by use."""

    plain: list[Leaf]
    html: list[Leaf]
    attached: list[Leaf]


class Body(NamedTuple):
    """A decoded body: text, cut to the limit or not, what characters nobody sees say in it, defects in words."""

    text: str | None
    truncated: bool
    hidden: Hidden
    defects: list[str]


def sort_leaves(leaves: list[Leaf]) -> Sorted:
    """Text bodies, HTML bodies and the rest, with what is packed into it."""
    plain: list[Leaf] = []
    html: list[Leaf] = []
    attached: list[Leaf] = []
    for leaf in leaves:
        if leaf.content_type not in _TEXT or not _is_body(leaf):
            attached += [leaf, *contained_in(leaf)]
        elif leaf.content_type == "text/html":
            html.append(leaf)
        else:
            plain.append(leaf)
    return Sorted(plain, html, attached)


def _is_body(leaf: Leaf) -> bool:
    """Whether a text part is read with the mail: no attachment, and without a name unless its place makes it a body."""
    if disposition(leaf) == "attachment":
        return False
    first = leaf.section.rpartition(".")[2] == "1"
    return (
        leaf.parent == "alternative"
        or (leaf.parent == "related" and first)
        or set(leaf.section.split(".")) == {"1"}
        or leaf_filename(leaf) is None
    )


def read_body(leaves: list[Leaf], limits: Limits, *, html: bool) -> Body:
    """Text of ``leaves`` joined, with ``\\n`` line ends, at most ``limits.text`` octets."""
    pieces: list[str] = []
    defects: list[str] = []
    room = limits.text
    truncated = False
    for leaf in leaves[:100]:
        if room <= 0:
            truncated = True
            break
        data = leaf.content()
        if len(data) > room:
            data, truncated = data[:room], True
        room -= len(data)
        label = leaf.params.get("charset")
        meta = _META_CHARSET.search(data[:2048]) if html and not (label and data.isascii()) else None
        meta_label = meta[1].decode("ascii") if meta else None
        if label and codec_name(label) is None:
            defects.append(f"part {leaf.section}: unknown charset {label[:40]!r}")
        text = decode(data, label or meta_label, meta_label)
        if not html and leaf.params.get("format", "").lower() == "flowed":
            text = unflow(text.replace("\r\n", "\n"), delsp=leaf.params.get("delsp", "").lower() == "yes")
        pieces.append(text)
    if not pieces:
        return Body(None, False, Hidden(), defects)
    text = "\n".join(pieces) if len(pieces) > 1 else pieces[0]
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    seen = read_visible(text)
    return Body(text if html else seen.text, truncated, hidden_characters(seen), defects)
