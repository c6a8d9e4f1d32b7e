"""Settings of the C library for training on the CPU."""

import ctypes
import platform

__all__ = ["keep_freed_memory"]

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory for the next step rather than give it back to the system.

    The activations of a step are some gigabytes, by default mapped and unmapped anew at every step; the page faults
    cost as much time as the network where memory is virtualised. Peak memory stays about the same.

    Returns:
        Whether it took effect; false where the C library is not glibc.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.mallopt(_M_MMAP_MAX, 0)) and bool(libc.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))
