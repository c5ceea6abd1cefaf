"""A mailbox for any MCP client (Model Context Protocol): ``/mcp``, and ``postern mcp`` over stdio, which bridges to it.

``door`` lets requests in, ``server`` speaks the protocol (the official package), ``toolbox`` declares and calls
tools, ``tools_*`` are the tools: only translation, from arguments to core calls and from rows to results. ``tools``
joins them.
"""
