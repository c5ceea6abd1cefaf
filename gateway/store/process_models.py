"""Who runs now, and who does what: rows that mean nothing once their time has passed. See ``leases``.

Only where several processes share a database; on SQLite the tables stay empty.
"""

from __future__ import annotations

from peewee import BigIntegerField, CharField, Model, TextField


class Process(Model):
    """A running gateway process. Times are the database server's."""

    id = CharField(primary_key=True)
    roles = TextField()  # separated by blanks
    host = TextField()
    pid = BigIntegerField()
    place = TextField()  # where a pid means something: boot and pid namespace
    started_at = BigIntegerField()
    expires_at = BigIntegerField()


class Lease(Model):
    """Work that one process does at a time. ``token`` grows each time another takes it over."""

    name = CharField(primary_key=True)
    kind = CharField()
    holder = CharField(null=True)
    token = BigIntegerField(default=0)
    expires_at = BigIntegerField(default=0)


PASSING: list[type[Model]] = [Process, Lease]
