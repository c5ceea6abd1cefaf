"""A process for which the kernel knows no IPv6: socket(2) answers EAFNOSUPPORT, as after ``ipv6.disable=1``.

A seccomp filter does it, which every program started by that process inherits: a machine's IPv6 cannot be taken away
from one test.
"""

from __future__ import annotations

import platform
from pathlib import Path

SOCKET = {"x86_64": 41, "aarch64": 198}.get(platform.machine())
"""The number of socket(2); None where it is not known."""


def without_ipv6(*command: str, python: str = "/usr/bin/python3") -> list[str]:
    """``command``, as one that runs without."""
    return [python, "-c", Path(__file__).read_text("utf-8"), *command]


def main() -> None:
    """Run the command of the arguments in our stead."""
    import ctypes
    import errno
    import os
    import socket
    import struct
    import sys

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    load, equal, answer, allow = 0x20, 0x15, 0x06, 0x7FFF0000  # linux/bpf_common.h, linux/seccomp.h
    instructions = [
        (load, 0, 0, 0),  # the number of the call
        (equal, 0, 3, SOCKET),
        (load, 0, 0, 16),  # its first argument
        (equal, 0, 1, socket.AF_INET6),
        (answer, 0, 0, 0x00050000 | errno.EAFNOSUPPORT),
        (answer, 0, 0, allow),
    ]
    code = b"".join(struct.pack("HBBI", *one) for one in instructions)
    held = ctypes.create_string_buffer(code, len(code))
    program = Program(len(instructions), ctypes.addressof(held))
    kernel = ctypes.CDLL(None, use_errno=True)
    for words in (
        (38, 1, 0, 0, 0),
        (22, 2, ctypes.byref(program), 0, 0),
    ):  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP
        if kernel.prctl(*words) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
    os.execvp(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
