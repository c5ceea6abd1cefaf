"""Events: rows first (DESIGN §1.5), then webhooks, WebSockets and streams.

``log`` appends an event and its webhook deliveries inside the caller's transaction; ``deliver`` is the engine
that posts them (``lanes``: their order in the database; ``settle``: what came of a post; ``slots``: how many at
once; ``wire``: the exact bytes); ``live`` fans new events out to open sockets; ``payload`` is the dialect-free
snapshot an event row holds. An event's id is derived from what happened, so the same fact appended twice is one row.
"""
