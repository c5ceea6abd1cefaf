"""A process that reads strangers' files can open no socket, no file of ours, and gains no privileges."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.extract.pool import ExtractPool
from tests.extract import files
from tests.extract.test_readers import BINARY, read

_TRY = """
import errno, os, resource, socket, sys
from gateway.extract.sandbox import confine, next_file
confine()
next_file(10)

def attempt(name, work):
    try:
        work()
    except OSError as error:
        print(name, errno.errorcode[error.errno])
    else:
        print(name, "done")

attempt("socket", socket.socket)
attempt("unix", lambda: socket.socket(socket.AF_UNIX))
attempt("read", lambda: open(sys.argv[1]).read())
attempt("list", lambda: os.listdir("/etc"))
attempt("write", lambda: open("/tmp/of-the-sandbox", "w"))
attempt("remove", lambda: os.unlink(sys.argv[1]))
attempt("library", lambda: os.listdir("/usr/lib"))
print("cpu", resource.getrlimit(resource.RLIMIT_CPU)[0] <= 12, "size", resource.getrlimit(resource.RLIMIT_FSIZE)[0])
import wave  # modules are still found
"""


def test_what_is_given_up(tmp_path: Path) -> None:
    secret = tmp_path / "postern.db"
    secret.write_text("secret")
    done = subprocess.run(
        [sys.executable, "-c", _TRY, str(secret)], capture_output=True, text=True, check=True, timeout=60
    )
    told = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    if told["read"] == "done":
        pytest.skip("this kernel has no landlock(7)")
    assert told == {
        "socket": "EPERM",
        "unix": "EPERM",
        "read": "EACCES",
        "list": "EACCES",
        "write": "EACCES",
        "remove": "EACCES",
        "library": "done",
        "cpu": "True size 0",
    }
    assert secret.read_text() == "secret"


def _about(pid: int) -> tuple[str, str, bytes]:
    where = Path(f"/proc/{pid}")
    return (where / "status").read_text(), (where / "limits").read_text(), (where / "environ").read_bytes()


@pytest.mark.anyio
async def test_the_processes_are_confined() -> None:
    async with ExtractPool(1) as pool:
        await read(pool, ("a.pdf", BINARY, files.pdf("x")))
        (process,) = pool._processes
        status, limits, environment = _about(process.child.pid)
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert any(line.startswith("Max address space") and "268435456" in line for line in limits.splitlines())
    names = {one.partition(b"=")[0] for one in environment.split(b"\0") if one}
    assert names <= {b"PYTHONPATH", b"PATH", b"LANG", b"LC_CTYPE"}
