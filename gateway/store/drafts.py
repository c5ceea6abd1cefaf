"""Which rows of ``draft`` are drafts to anybody: neither those sent nor those gone from their folder."""

SHOWN = "(send_status IS NULL OR send_status NOT IN ('sent', 'gone'))"
"""A condition on ``draft``. Hidden rows stay until no pass can still be reading their copy."""
