"""What a process that reads strangers' files gives up before it sees the first one.

Everywhere: file size, processor time and address space (setrlimit(2)), and new privileges (PR_SET_NO_NEW_PRIVS).
Where the kernel has them, also: opening sockets, tracing and mounting (seccomp(2)), and every file but the
system's and Python's own for reading (landlock(7)). All of it is inherited by tesseract.
"""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import struct
import sys
import sysconfig
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 4, 22, 38
_SECCOMP_MODE_FILTER = 2

# struct sock_filter (linux/filter.h): code, jump if true, jump if false, constant
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _EPERM = 0x7FFF0000, 0x00050001
# AUDIT_ARCH_*; socket, connect, bind, listen, ptrace, process_vm_readv/writev, mount, unshare, setns,
# bpf, perf_event_open, userfaultfd, keyctl, io_uring_setup, pidfd_getfd
_CALLS = {
    "x86_64": (0xC000003E, (41, 42, 49, 50, 101, 310, 311, 165, 272, 308, 321, 298, 323, 250, 425, 438)),
    "aarch64": (0xC00000B7, (198, 203, 200, 201, 117, 270, 271, 40, 97, 268, 280, 241, 282, 219, 425, 438)),
}  # fmt: skip
_X32 = 0x40000000  # x86_64's other numbers for the same calls

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446
_EXECUTE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 2, 1 << 3
_EVERYTHING = (
    1 << 13
) - 1  # the rights of the first version: execute, read, write, make and remove of all kinds


def confine() -> None:
    """Give it all up. What the kernel does not know is left out; the limits are not."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        _close_files()
        _close_calls()


def next_file(seconds: int) -> None:
    """Start the clock for one more file: after ``seconds`` of processor time the kernel ends the process (SIGXCPU)."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    until = int(spent.ru_utime + spent.ru_stime) + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))


def _close_calls() -> None:
    known = _CALLS.get(platform.machine())
    if known is None:
        return
    architecture, refused = known
    program = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, architecture), (_RETURN, 0, 0, _EPERM), (_LOAD, 0, 0, 0)]
    program += [(_AT_LEAST, len(refused) + 1, 0, _X32)]
    program += [(_EQUAL, len(refused) - index, 0, call) for index, call in enumerate(refused)]
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _EPERM)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *one) for one in program))
    head = ctypes.create_string_buffer(struct.pack("HP", len(program), ctypes.addressof(code)))
    _libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, head, 0, 0)


def _close_files() -> None:
    wanted = ctypes.create_string_buffer(struct.pack("Q", _EVERYTHING), 8)
    rules = _libc.syscall(_LANDLOCK_CREATE, wanted, ctypes.c_size_t(8), 0)
    if rules < 0:
        return
    try:
        for path in _readable():
            try:
                folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except OSError:
                continue
            rule = ctypes.create_string_buffer(
                struct.pack("=Qi", _EXECUTE | _READ_FILE | _READ_DIR, folder), 12
            )
            _libc.syscall(_LANDLOCK_ADD, rules, 1, rule, 0)
            os.close(folder)
        _libc.syscall(_LANDLOCK_RESTRICT, rules, 0)
    finally:
        os.close(rules)


def _readable() -> set[str]:
    """The system's programs and libraries, and Python's: modules are still imported when first needed."""
    own = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return {
        "/usr",
        "/lib",
        "/lib64",
        "/bin",
        "/etc/ld.so.cache",
        str(Path(sys.base_prefix) / "lib"),
        *own,
    }
