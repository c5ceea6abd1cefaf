"""The gateway, the mail server under it, and the milter."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.doctor.context import NoGateway, Scene
from gateway.doctor.finding import Finding, fail, ok, warn


async def gateway(scene: Scene) -> Sequence[Finding]:
    """Whether it runs, and what it says of its parts (``/ready``): database, daemons, sync, outbox."""
    if scene.door is None:
        text = f"none runs on {scene.data_dir}: no mail is sent by API and no event to webhooks"
        return [fail("gateway", text, f"{scene.start_command}; {scene.log_command} says why it ended")]
    try:
        status, found = await scene.ask("GET", "/ready")
    except NoGateway as error:
        return [fail("gateway", str(error), f"restart it; {scene.log_command} says what it does")]
    if not isinstance(found, dict) or not isinstance(found.get("parts"), dict):
        fix = "see what listens there (ss -ltnp)"
        return [fail("gateway", f"answers {status} to /ready, and not as a gateway does", fix)]
    findings = [ok("gateway", "answers")]
    for name, part in found["parts"].items():
        detail = str(part.get("detail") or "")
        if part.get("ok"):
            findings.append(ok(name, detail or "well"))
        else:
            fix = f"{scene.log_command} says more"
            findings.append(fail(name, detail or "not well", fix))
    return findings


async def milter(scene: Scene) -> Sequence[Finding]:
    """Whether Postfix would reach it. While it is away, Postfix puts mail off or takes it unsigned."""
    address = scene.settings.mail.milter
    if not address:
        if scene.settings.mail.server == "embedded":
            return [ok("milter", "not in use: the gateway itself signs and checks")]
        fix = "set mail.milter (postern setup does)"
        text = "mail.milter is not set: what people submit is not signed, and what comes in is not checked"
        return [warn("milter", text, fix)]
    kind, _, where = address.partition(":")
    try:
        async with asyncio.timeout(5):
            if kind == "unix":
                _, writer = await asyncio.open_unix_connection(where)
            else:
                host, _, port = where.rpartition(":")
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except (OSError, TimeoutError, ValueError) as error:
        fix = "systemctl start postern-milter; journalctl -u postern-milter says why it ended"
        return [fail("milter", f"does not answer at {address}: {error or 'no answer'}", fix)]
    writer.transport.abort()
    return [ok("milter", f"answers at {address}")]
