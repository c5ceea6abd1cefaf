"""Every benchmark, one after the other: ``python -m scripts.bench.run_all`` (under 10 minutes on 2 cores)."""

from __future__ import annotations

import subprocess
import sys
import time

from scripts.bench.stand import ROOT


def main() -> None:
    began = time.monotonic()
    failed = []
    for name in ("receive", "send", "read", "watch", "rebuild"):
        if subprocess.run([sys.executable, "-m", f"scripts.bench.{name}"], cwd=ROOT).returncode:
            failed.append(name)
    print(f"{time.monotonic() - began:.0f} s in all")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
