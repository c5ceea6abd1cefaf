"""The simulator as a hop: what each recipient is replied, by the same rules for every mail server."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.outbox.simulator.behaviour import KINDS, Behaviour, behaviour_of
from gateway.records.simulator import SIMULATOR_DOMAIN, is_simulated
from mailserver.base import Hop, RecipientReply

SOFT_FAILURES = 2
"""How many tries of a mail to ``soft@`` fail."""
_SLOW = f"slow.{SIMULATOR_DOMAIN}"


def plan(recipients: Sequence[str]) -> list[Hop]:
    """The hops of simulated recipients; the slow ones hold up nobody else."""
    groups: dict[str, list[str]] = {}
    for one in recipients:
        behaviour = behaviour_of(one)
        slow = behaviour is not None and behaviour.kind == "slow"
        groups.setdefault(_SLOW if slow else SIMULATOR_DOMAIN, []).append(one)
    return [Hop("simulator", key, tuple(people)) for key, people in groups.items()]


async def replies(hop: Hop, attempts: int, slow_seconds: float) -> dict[str, RecipientReply]:
    """What the recipients of a hop of ``plan`` are replied at the message's try number ``attempts``, from 1."""
    if hop.key == _SLOW:
        await asyncio.sleep(slow_seconds)
    return {one: reply_of(behaviour_of(one), attempts) for one in hop.recipients}


def reply_of(behaviour: Behaviour | None, attempts: int) -> RecipientReply:
    """The SMTP reply (RFC 5321 §4.2) to the try number ``attempts``."""
    if behaviour is None:
        known = ", ".join(KINDS)
        return _reply(550, "5.1.1", f"the simulator has no such address; it has {known} @{SIMULATOR_DOMAIN}")
    if behaviour.kind == "bounce":
        return _reply(behaviour.code, behaviour.status, "the simulator refuses this recipient as asked")
    if behaviour.kind == "soft" and (behaviour.always or attempts <= SOFT_FAILURES):
        return _reply(behaviour.code, behaviour.status, "the simulator cannot take this now, as asked")
    return _reply(250, "2.0.0", "taken by the simulator")


def tried_soon(address: str) -> bool:
    """Whether a recipient that was put off is tried again within seconds, not after the minutes of a real server."""
    behaviour = behaviour_of(address) if is_simulated(address) else None
    return behaviour is not None and behaviour.kind == "soft" and not behaviour.always


def _reply(code: int, status: str, words: str) -> RecipientReply:
    return RecipientReply(code, status, f"{status} {words}", SIMULATOR_DOMAIN)
