"""Every tool, in the order of the listing: the most needed first."""

from __future__ import annotations

from gateway.mcp import (
    tools_drafts,
    tools_inboxes,
    tools_labels,
    tools_read,
    tools_send,
    tools_threads,
    tools_wait,
)
from gateway.mcp.toolbox import Tool, Toolbox

_PARTS = (tools_send, tools_read, tools_wait, tools_inboxes, tools_threads, tools_labels, tools_drafts)


def all_tools() -> dict[str, Tool]:
    """The tools by name."""
    box = Toolbox()
    for part in _PARTS:
        box.include(part.box)
    return box.tools
