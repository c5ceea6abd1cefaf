"""Queues: what waits to go out, here and in Postfix, and webhooks that fail."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from gateway.doctor.context import Scene, apart
from gateway.doctor.finding import Finding, fail, ok, warn
from gateway.doctor.run_checks import well
from gateway.records.ids import now_us
from gateway.store.queries.outbox import unscoped_oldest_waiting, unscoped_waiting_count
from gateway.store.queries.webhooks import unscoped_troubled_webhooks

_QUEUES = ("maildrop", "incoming", "active", "deferred")
_HOLD = "hold"


async def outbox(scene: Scene) -> Sequence[Finding]:
    """Accepted messages that are not settled."""
    count, oldest = await scene.read(lambda tx: (unscoped_waiting_count(tx), unscoped_oldest_waiting(tx)))
    age = (now_us() - oldest) / 1e6 if oldest is not None else 0.0
    fix = f"{scene.log_command} shows what each destination says; see the checks named outbound and ports"
    return [_judged("outbox", count, age, scene.settings.doctor.queue_minutes, fix)]


async def postfix(scene: Scene) -> Sequence[Finding]:
    """Postfix's queue, by its files. Raises PermissionError for whoever may not read them."""
    mail = scene.settings.mail
    if mail.server != "postfix_dovecot":
        return [ok("postfix", "not in use")]
    spool = Path(mail.postfix_spool) if mail.postfix_spool else scene.data_dir / "postfix" / "spool"
    if not spool.is_dir():
        return [warn("postfix", f"{spool} is not there", "start Postfix once, or set mail.postfix_spool")]
    config = f" -c {mail.postfix_dir}" if mail.postfix_dir else ""
    count, age = await apart(lambda: _files(spool, _QUEUES))
    fix = f"postqueue{config} -p lists it with what each destination says"
    findings = [_judged("postfix queue", count, age, scene.settings.doctor.queue_minutes, fix)]
    held, _ = await apart(lambda: _files(spool, (_HOLD,)))
    if held:
        fix = f"read it (postcat{config} -q ID), then postsuper{config} -H ALL lets it go"
        findings.append(warn("postfix hold", f"{held} messages are held", fix))
    return findings


def _files(spool: Path, queues: Sequence[str]) -> tuple[int, float]:
    """How many there are, and the age of the oldest in seconds. Postfix sets the time of a deferred file to its next
    try, so its change time counts."""
    count, oldest = 0, time.time()
    for name in queues:
        if not (spool / name).is_dir():
            continue

        def refuse(error: OSError) -> None:
            raise error

        for folder, _, files in os.walk(spool / name, onerror=refuse):
            for file in files:
                try:
                    info = os.stat(os.path.join(folder, file))
                except FileNotFoundError:
                    continue  # delivered just now
                count, oldest = count + 1, min(oldest, info.st_mtime, info.st_ctime)
    return count, time.time() - oldest


def _judged(name: str, count: int, age: float, minutes: float, fix: str) -> Finding:
    if not count:
        return ok(name, "empty")
    text = f"{count} messages wait, the oldest for {_span(age)}"
    if age < minutes * 60:
        return ok(name, text)
    return (fail if age >= 24 * minutes * 60 else warn)(name, text, fix)


def _span(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


async def webhooks(scene: Scene) -> Sequence[Finding]:
    """Endpoints that were switched off for failing, and those that fail now."""
    findings = []
    for hook in await scene.read(unscoped_troubled_webhooks):
        host = urlsplit(hook.url).netloc.rpartition("@")[2]  # the rest may hold secrets
        if not hook.enabled:
            text = f"the endpoint at {host} is switched off: {hook.disabled_reason}"
            fix = "have its owner mend the endpoint and enable the webhook again"
        else:
            text = f"the endpoint at {host} fails for {_span((now_us() - (hook.failing_since or 0)) / 1e6)}"
            fix = "it is tried again by itself; the webhook's attempts say what it answers"
        findings.append(warn(hook.public_id, text, fix))
    return well(findings, "webhooks", "none fails")
