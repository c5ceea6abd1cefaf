"""The domain of the simulator: addresses that answer as the world does, and never leave this server.

``.invalid`` is the one reserved top-level domain that programs may treat in a way of their own (RFC 6761 §6.4); no name
server ever knows a name below it, so nothing can go astray.
"""

from __future__ import annotations

SIMULATOR_DOMAIN = "simulator.invalid"


def is_simulated(address: str) -> bool:
    """Whether an address is one of the simulator's."""
    return address.rpartition("@")[2].lower() == SIMULATOR_DOMAIN
