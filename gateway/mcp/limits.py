"""Numbers and names that ``endpoint`` and ``server`` share."""

MAX_BODY = 16 * 1024 * 1024
"""Octets of a request: enough for a file of 10 MiB in base64. The HTTP APIs accept more."""

CALLER = "postern.caller"
"""The key of the ``Caller`` in the ASGI scope."""
