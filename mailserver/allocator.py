"""Makes the C library return freed memory to the system."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
_BLOCK = 256 * 1024


def give_back_at_once() -> None:
    """Let the C library return a large block to the system as soon as it is freed, and keep few heaps (mallopt(3)).

    By default glibc raises its threshold to the largest block that was freed, and keeps such blocks. Does nothing
    without glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for option, value in ((_M_MMAP_THRESHOLD, _BLOCK), (_M_TRIM_THRESHOLD, _BLOCK), (_M_ARENA_MAX, 2)):
            mallopt(ctypes.c_int(option), ctypes.c_int(value))


def trim() -> None:
    """Return to the system whatever is free in the middle of the heaps (malloc_trim(3)). Blocks some milliseconds."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:
        malloc_trim(ctypes.c_size_t(0))
