"""One mail through everything: API, outbox, mail server, mailbox, index; to an inbox that is there for it alone."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.doctor.context import Scene
from gateway.doctor.finding import Finding, fail, ok

_SECONDS = 40.0


async def round_trip(scene: Scene) -> Sequence[Finding]:
    """Sent by the API to itself and received. Raises NoGateway."""
    status, found = await scene.ask("POST", "/operator/round-trip", {"seconds": _SECONDS})
    if status == 200:
        milliseconds = found["milliseconds"]
        return [ok("round trip", f"a mail sent through the API was in its mailbox {milliseconds} ms later")]
    said = found.get("message") if isinstance(found, dict) else None
    return [
        fail(
            "round trip",
            str(said or f"the gateway answered {status}"),
            f"see the checks named gateway, ports and outbox; {scene.log_command} shows where the mail is",
        )
    ]
