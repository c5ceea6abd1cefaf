"""A mailbox for any MCP client (Model Context Protocol): streamable HTTP at ``/mcp``, and ``postern mcp`` over stdio.

Clients are set up with a key of any dialect and of any reach; a key of one inbox is all that most agents need::

    claude mcp add --transport http postern https://HOST/mcp --header "Authorization: Bearer KEY"

    {"mcpServers": {"postern": {"url": "https://HOST/mcp", "headers": {"Authorization": "Bearer KEY"}}}}

    {"mcpServers": {"postern": {"command": "postern", "args": ["mcp"],
                                "env": {"POSTERN_URL": "https://HOST", "POSTERN_KEY": "KEY"}}}}

The inbox that is meant where a call names none: the header ``X-Postern-Inbox``, ``/mcp?inbox=…``, ``postern mcp
--inbox`` (``POSTERN_INBOX``, ``MAILBOXKIT_INBOX_ID``), else the key's own, else the only one.

============== ============================================================================================
``door``       lets requests in: origin, key, limits; starts the server when the first client comes
``server``     speaks the protocol, with the official package; there are no sessions
``toolbox``    declares tools and calls them; ``schema`` shows their arguments as every client takes them
``tools_*``    the tools: only translation, from arguments to core calls and from rows to results
``mail_view``  what a model and a program are shown of mail; ``fence`` keeps what senders wrote apart
``errors``     what a model is told when a call is refused, and what it can do now
``repeats``    ``idempotency_key``
``bridge``     ``postern mcp``: each call over stdio goes on to ``/mcp``
============== ============================================================================================

Ids are shown as ``msg_…``, ``thr_…``, ``inb_…``, ``dft_…`` and taken in any form. A call that is not done is a result
with ``isError`` and ``{"error": {code, message, argument, fix}}``, never a protocol error, so that the model reads it.
"""
