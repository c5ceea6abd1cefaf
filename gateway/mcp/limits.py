"""Numbers and names that the door and the server share."""

MAX_BODY = 16 * 1024 * 1024
"""Octets of a request: room for a file of 10 MiB in base64. REST takes more."""

CALLER = "postern.caller"
"""Where the ASGI scope holds the ``Caller`` that the door recognised."""
