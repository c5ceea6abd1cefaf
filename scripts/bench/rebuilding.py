"""Rebuilding the index from the mailboxes.

python scripts/bench/rebuilding.py [--count 2000]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from scripts.bench.rig import flood, gateway, show
from tests.support.gateway_process import GatewayProcess


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--count", type=int, default=2000)
    given = options.parse_args()
    with gateway() as running:
        names = [running.organization.new_inbox()["email_address"] for _ in range(10)]
        flood(running.port("smtp"), names, given.count, "mail")
        before = _ids(running, names, given.count)
        running.stop()
        started = time.monotonic()
        done = running.postern("rebuild", timeout=300)
        took = time.monotonic() - started
        if done.returncode:
            raise SystemExit(done.stderr)
        running.start()
        same = before == _ids(running, names, given.count)
        show(f"rebuild of {given.count} mails of 4 KB in 10 inboxes", f"{given.count / took:.0f}",
             f"messages/s with the start of the process; ids {'the same' if same else 'DIFFER'}")  # fmt: skip


def _ids(running: GatewayProcess, names: list[str], wanted: int) -> set[str]:
    end = time.monotonic() + 120
    while True:
        found: set[str] = set()
        with running.organization.client() as client:
            for name in names:
                token = None
                while True:
                    query = {"limit": 100, **({"page_token": token} if token else {})}
                    page = client.get(f"inboxes/{name}/messages", params=query).json()
                    found |= {row["message_id"] for row in page["messages"]}
                    token = page.get("next_page_token")
                    if not token:
                        break
        if len(found) >= wanted or time.monotonic() > end:
            return found
        time.sleep(0.5)


if __name__ == "__main__":
    main()
