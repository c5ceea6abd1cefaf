"""The schema, as peewee models. The same models make the tables on SQLite and PostgreSQL.

``DERIVED`` can be rebuilt from the mail server; what is ``KEPT`` cannot. Ids are bare lower-case ULIDs (see
``ids``), times are microseconds since the epoch, ``*_json`` columns hold compact JSON text.
"""

from __future__ import annotations

from gateway.store.index_models import DERIVED
from gateway.store.record_models import KEPT

__all__ = ["DERIVED", "KEPT"]
