"""Relays that take our outgoing mail: what each does to it, and the news it posts back.

``profiles`` holds what differs as data: where they listen, what they put in place of our Message-ID and return
path, whether our DKIM signature survives, which header fields they want, what a domain must publish. ``hooks``
turns what they post into reports as a bounce by mail is one, once ``authentic`` has shown that it is theirs
(``sns`` for Amazon's signatures). What a relay calls a message is kept in ``store.sent_aliases``.
"""
