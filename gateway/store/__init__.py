"""The metadata database: an index beside the mail server, and the few records nothing else holds.

``engine`` one writer thread with group commit, readers beside it; ``models`` the schema in peewee;
``migrations/`` numbered, applied under a lock; ``scope`` who is asking; ``ids`` every public id. ``queries`` has every
statement about the records, a module for each noun; ``sql`` runs them and makes ``gateway.records`` of rows. Modules
beside them are small engines on tables of their own: leases, search, daily counts, copies of whole tables.

Durability: SQLite runs in WAL mode with synchronous=FULL, so a write that was awaited is on disk. What
``models.DERIVED`` lists can be thrown away and rebuilt from the mailboxes; everything else is what
``postern backup`` copies. Strings that came from mail are scrubbed before they get here
(:func:`gateway.mime.parse`), JSON is stored as compact text, times are microseconds since the epoch (UTC).
"""
