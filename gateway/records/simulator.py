"""The domain of the simulator: addresses that answer as the world does, and never leave this server."""

from __future__ import annotations

from mailserver.simulated import SIMULATOR_DOMAIN

__all__ = ["SIMULATOR_DOMAIN", "is_simulated"]


def is_simulated(address: str) -> bool:
    """Whether an address is one of the simulator's."""
    return address.rpartition("@")[2].lower() == SIMULATOR_DOMAIN
