"""Giving memory that is no longer used back to the machine.

The C library keeps what was freed for the next request: after a peak the process would stay as large as it ever was,
and a service of many threads creeps up to that over minutes. glibc gives it back when asked to (`malloc_trim`); where
the C library is another one, nothing is done.
"""

import ctypes
import time
from collections.abc import Callable

__all__ = ["MemoryTrimmer", "bound_heaps", "keep_freed_memory", "trim_heap"]

_WORK_SECONDS = 0.05
"""Processor time that tells work, an image's at least, from an idle process's ticking."""


_M_TRIM_THRESHOLD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -4, -8
"""`mallopt`'s numbers for its parameters, in glibc's malloc.h."""


def _find(name: str) -> Callable[..., int] | None:
    """A function of the process's own C library that glibc alone has."""
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 -- musl has a mallopt that means nothing
        found: Callable[..., int] = getattr(library, name)
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return None
    return found


_malloc_trim = _find("malloc_trim")
_mallopt = _find("mallopt")


def bound_heaps(most: int) -> None:
    """Let all threads share so many heaps; for programs to call before they start threads.

    glibc gives nearly every thread a heap of its own, and each keeps what its thread has freed.
    """
    if _mallopt is not None:
        _mallopt(_M_ARENA_MAX, most)


def keep_freed_memory() -> bool:
    """Have glibc keep freed memory for the next step rather than give it back to the system.

    The activations of a training step are some gigabytes, by default mapped and unmapped anew at every step; the page
    faults cost as much time as the network where memory is virtualised. Peak memory stays about the same.

    Returns:
        Whether it took effect; false where the C library is not glibc.
    """
    return _mallopt is not None and bool(_mallopt(_M_MMAP_MAX, 0)) and bool(_mallopt(_M_TRIM_THRESHOLD, 2**31 - 1))


def trim_heap() -> None:
    """Give the machine the free memory of the C library's heaps back; takes milliseconds, others may go on."""
    if _malloc_trim is not None:
        _malloc_trim(0)


class MemoryTrimmer:
    """Trims the heap if the process has worked since the last time, so that an idle one is left alone."""

    def __init__(
        self, cpu_seconds: Callable[[], float] = time.process_time, trim: Callable[[], None] = trim_heap
    ) -> None:
        """Begin with the process as it is.

        Args:
            cpu_seconds: Gives the processor time that the process has used so far.
            trim: Gives free memory back.
        """
        self._cpu_seconds = cpu_seconds
        self._trim = trim
        self._before = cpu_seconds()

    def __call__(self) -> None:
        """Trim if there was work. Resident memory would not tell: what is free but not given back counts to it."""
        now = self._cpu_seconds()
        if now - self._before >= _WORK_SECONDS:
            self._trim()
        self._before = now
