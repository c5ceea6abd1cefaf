"""A mailbox for any MCP client (Model Context Protocol): streamable HTTP at ``/mcp``, and ``postern mcp`` over stdio.

Clients use a key of any dialect and scope; most agents need only a key of one inbox::

    claude mcp add --transport http postern https://HOST/mcp --header "Authorization: Bearer KEY"

    {"mcpServers": {"postern": {"url": "https://HOST/mcp", "headers": {"Authorization": "Bearer KEY"}}}}

    {"mcpServers": {"postern": {"command": "postern", "args": ["mcp"],
                                "env": {"POSTERN_URL": "https://HOST", "POSTERN_KEY": "KEY"}}}}

The key may also be sent as ``X-Api-Key: KEY``. The default inbox of a call: the header ``X-Postern-Inbox``,
``/mcp?inbox=…``, ``postern mcp --inbox`` (``POSTERN_INBOX``, ``MAILBOXKIT_INBOX_ID``), else the key's own inbox, else
the only one.

================== ===========================================================================================
``endpoint``       the route: checks origin, key and limits, and starts the server for the first client
``server``         serves the protocol with the official package, without sessions, for every released version
``toolbox``        declares and calls tools; ``schema`` makes the JSON Schemas of arguments and results
``tools_*``        the tools: they only translate, from arguments to core calls and from records to results
``mail_view``      mail as models and programs see it; ``untrusted_text`` marks what senders wrote
``errors``         the answer to a refused call: what was wrong and what to do now
``idempotency``    ``idempotency_key``
``bridge``         ``postern mcp``: forwards each call from stdio to ``/mcp``
================== ===========================================================================================

Ids are shown as ``msg_…``, ``thr_…``, ``inb_…``, ``drf_…`` and accepted in any form; an id has the same name in
arguments and results. A refused call is a result with ``isError`` and ``{"error": {code, message, argument, fix}}``,
never a protocol error, because models do not see those.
"""
