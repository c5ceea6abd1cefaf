"""Backups: what cannot be made again, copied while the gateway works, and put back.

``records`` copies the rows of ``store.record_models`` (and of every table that is not derived) out of one read
transaction into a SQLite file; on PostgreSQL ``postgres`` has pg_dump do it. ``make`` puts that, the lookup tables
with people's passwords, the secrets, the settings and (``--mail``) every mailbox as Maildir into a directory or a
``.tar.gz``.
``verify`` opens a backup and compares it with its manifest; ``restore`` puts it into an empty data directory.
``catalog`` says how a backup is named, and which are old.

A backup is written beside its place under a name that begins with a dot, fsynced and renamed: what bears the name
of a backup is whole. Records are copied before mail, so that no record names mail that is not there; mail that came
meanwhile is indexed by ``rebuild`` like any other.
"""
