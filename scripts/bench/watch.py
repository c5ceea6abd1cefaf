"""What many watched inboxes cost: memory and processor time of the gateway and of all its processes, idle.

``python -m scripts.bench.watch [--n 1000] [--seconds 20]``
"""

from __future__ import annotations

import argparse
import time

from scripts.bench.processes import command_line, family, processor_seconds, resident
from scripts.bench.stand import gateway_in, heading, inboxes_of, say
from tests.gateway_process import GatewayProcess

MB = 1024 * 1024


def look(gateway: GatewayProcess, seconds: float, what: str) -> None:
    """Measure for a while."""
    before = {pid: processor_seconds(pid) for pid in family(gateway.pid)}
    began = time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    tree = family(gateway.pid)
    used = {pid: processor_seconds(pid) - before.get(pid, 0.0) for pid in tree}
    say(
        f"{what}: gateway process",
        f"{resident(gateway.pid) / MB:.0f} MB, {used[gateway.pid] / took:.1%} of a core",
    )
    say(
        f"{what}: all {len(tree)} processes",
        f"{sum(map(resident, tree)) / MB:.0f} MB (shared pages counted each time), "
        f"{sum(used.values()) / took:.1%} of a core",
    )
    imap = [pid for pid in tree if command_line(pid).startswith("dovecot/imap")]
    say(f"{what}: of them IMAP processes", str(len(imap)))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--n", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=20.0)
    wanted = options.parse_args()
    heading("watch")
    with gateway_in("embedded") as gateway:
        time.sleep(5)
        look(gateway, 5, "no inbox but the quickstart's")
        began = time.monotonic()
        inboxes_of(gateway.organization, wanted.n)
        took = time.monotonic() - began
        say(f"{wanted.n} inboxes made through the API", f"{wanted.n / took:.0f}/s")
        time.sleep(15)
        look(gateway, wanted.seconds, f"{wanted.n} inboxes")
        began = time.monotonic()
        gateway.restart()
        say("restart with them, until requests are answered", f"{time.monotonic() - began:.1f} s")
        time.sleep(max(15, wanted.n / 100))
        look(gateway, wanted.seconds, f"{wanted.n} inboxes, after the restart")


if __name__ == "__main__":
    main()
