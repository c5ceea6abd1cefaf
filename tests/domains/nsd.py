"""A real name server (NSD) on a loopback port, with zones as text."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.query
import pytest
from dns.message import make_query

from tests.support.ports import keep_port

_PROGRAMS = ("nsd", "nsd-checkzone")


def program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed (apt-get install nsd)")
    return found


@contextmanager
def nsd(zones: dict[str, str]) -> Iterator[int]:
    """Serve zones (origin → text), each checked by ``nsd-checkzone`` first; yields the port."""
    binaries = {name: program(name) for name in _PROGRAMS}
    folder = Path(tempfile.mkdtemp(prefix="postern-nsd-"))
    try:
        port = keep_port()
        lines = [
            "server:",
            f'  ip-address: 127.0.0.1@{port}\n  username: ""\n  chroot: ""\n  server-count: 1',
            f'  zonesdir: "{folder}"\n  database: ""\n  pidfile: "{folder}/pid"',
            f'  xfrdfile: "{folder}/xfrd"\n  zonelistfile: "{folder}/list"\n  xfrdir: "{folder}"',
            "remote-control:\n  control-enable: no",
        ]
        for number, (origin, text) in enumerate(zones.items()):
            file = folder / f"zone{number}"
            file.write_text(text)
            checked = subprocess.run(
                [binaries["nsd-checkzone"], origin, str(file)], capture_output=True, text=True, check=False
            )
            assert checked.returncode == 0, checked.stdout + checked.stderr + text
            lines.append(f'zone:\n  name: "{origin}"\n  zonefile: "{file.name}"')
        (folder / "conf").write_text("\n".join(lines) + "\n")
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(
                [binaries["nsd"], "-d", "-c", str(folder / "conf")], stdout=log, stderr=log
            )
        try:
            _wait(process, port, next(iter(zones)), folder / "log")
            yield port
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], port: int, origin: str, log: Path) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            dns.query.udp(make_query(origin, "SOA"), "127.0.0.1", timeout=0.5, port=port)
            return
        except (OSError, dns.exception.DNSException):
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"nsd did not start: {log.read_text()}") from None
            time.sleep(0.05)
