"""A mailbox as LangChain tools: ``TOOLS`` goes to any LangChain or LangGraph agent.

pip install langchain-core
POSTERN_URL=… POSTERN_KEY=… python scripts/examples/langchain_tools.py        # shows them, and what is in the inbox
"""

from __future__ import annotations

import sys

import mail_tools

try:
    from langchain_core.tools import tool
except ImportError:
    sys.exit("this example needs the package langchain-core: pip install langchain-core")

TOOLS = [tool(one) for one in mail_tools.TOOLS]

if __name__ == "__main__":
    for one in TOOLS:
        print(f"{one.name}: {one.description}")
    print({one.name: one for one in TOOLS}["check_inbox"].invoke({"limit": 5}))
