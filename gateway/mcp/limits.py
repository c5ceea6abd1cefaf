"""Numbers and names that the door and the server share."""

MAX_BODY = 32 * 1024 * 1024
"""Octets of a request: what a model attaches passes through its context, so this is plenty; REST takes more."""

CALLER = "postern.caller"
"""Where the ASGI scope holds the ``Caller`` that the door recognised."""
