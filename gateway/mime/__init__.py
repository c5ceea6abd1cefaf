"""Messages as values: parse, compose, thread headers, reply text, reports, authentication results."""
