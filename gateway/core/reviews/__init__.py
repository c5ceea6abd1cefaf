"""Reviews: a person decides about messages that are held (``core.sending.holding`` holds them)."""
