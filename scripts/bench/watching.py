"""Watching many inboxes: memory and idle processor time of the gateway, by number of inboxes.

python scripts/bench/watching.py [--inboxes 1000] [--seconds 20]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.bench.processes import family, processor_seconds, resident
from scripts.bench.rig import gateway, show
from tests.support.gateway_process import GatewayProcess


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--inboxes", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=20.0)
    given = options.parse_args()
    with gateway() as running:
        _figures(running, 1, given.seconds)
        started = time.monotonic()
        with running.organization.client() as client:
            for _ in range(given.inboxes):
                client.post("inboxes", json={}, headers={"X-Fern-SDK-Name": "agentmail"}).raise_for_status()
        show("inboxes made over the API", f"{given.inboxes / (time.monotonic() - started):.0f}", "inboxes/s")
        time.sleep(5)
        _figures(running, given.inboxes, given.seconds)


def _figures(running: GatewayProcess, inboxes: int, seconds: float) -> None:
    pid = running.pid
    everyone = family(pid)
    before = {one: processor_seconds(one) for one in everyone}
    time.sleep(seconds)
    own = (processor_seconds(pid) - before[pid]) / seconds
    rest = sum(processor_seconds(one) - before[one] for one in everyone if one != pid) / seconds
    children = sum(resident(one) for one in everyone if one != pid)
    show(
        f"{inboxes} inbox(es): gateway / its children, resident",
        f"{resident(pid) / 1e6:.0f} / {children / 1e6:.0f}",
        "MB",
    )
    show(f"{inboxes} inbox(es): gateway / its children, idle",
         f"{max(own, 0) * 100:.1f} / {max(rest, 0) * 100:.1f}", "% of a core")  # fmt: skip


if __name__ == "__main__":
    main()
