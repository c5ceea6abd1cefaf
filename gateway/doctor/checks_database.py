"""The database: whole, and of the version that this program writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gateway.doctor.context import NoDatabase, Scene, apart
from gateway.doctor.finding import Finding, fail, ok
from gateway.store.migrate import applied_levels, known_levels
from gateway.store.sqlite_copy import damage_of

_RESTORE = "stop the gateway, keep a copy of the file, and restore the last backup (postern restore)"


async def database(scene: Scene) -> Sequence[Finding]:
    """Its migrations are the ones we know, and SQLite finds no damage."""
    if scene.store is None:
        raise NoDatabase(f"there is no database in {scene.data_dir}")
    if not scene.store.postgres:
        # first: of a damaged file nothing else that is read means anything
        path = Path(str(scene.store.db.database))
        damage = await apart(lambda: damage_of(path))
        if damage:
            return [fail("database", f"{path} is damaged: {damage}", _RESTORE)]
    applied = await scene.read(applied_levels)
    known = known_levels()
    if applied - known:
        text = f"a newer Postern wrote it ({', '.join(sorted(applied - known))})"
        return [
            fail(
                "database", text, "install that version again, or restore the backup from before the upgrade"
            )
        ]
    findings = []
    if known - applied:
        text = f"not brought up to date yet ({', '.join(sorted(known - applied))})"
        findings.append(
            fail("database", text, f"start the gateway: it does that first ({scene.start_command})")
        )
    if scene.store.postgres:
        return findings or [ok("database", "PostgreSQL answers, and is up to date")]
    return findings or [ok("database", "whole, and up to date")]
