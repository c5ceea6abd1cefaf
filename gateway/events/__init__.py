"""Events: rows first (DESIGN §1.5), then webhooks, WebSockets and streams.

``log`` appends an event and its webhook deliveries inside the caller's transaction; ``deliver`` is the engine
that posts them; ``live`` fans new events out to open sockets; ``payload`` is the dialect-free snapshot an event
row holds. An event's id is derived from what happened, so the same fact appended twice is one row.
"""
