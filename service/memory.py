"""Giving memory that is no longer used back to the machine.

The C library keeps what was freed for the next request: after a peak the process would stay as large as it ever was,
and a service of many threads creeps up to that over minutes. glibc gives it back when asked to (`malloc_trim`); where
the C library is another one, nothing is done.
"""

import ctypes
from collections.abc import Callable

from service.metrics import resident_bytes

__all__ = ["MemoryTrimmer", "trim_heap"]

_WORTH_IT = 4 * 2**20


def _find_malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim  # of the process's own C library
    except (AttributeError, OSError, TypeError):  # musl, macOS, Windows
        return None


_malloc_trim = _find_malloc_trim()


def trim_heap() -> None:
    """Give the machine the free memory of the C library's heaps back; takes milliseconds, others may go on."""
    if _malloc_trim is not None:
        _malloc_trim(0)


class MemoryTrimmer:
    """Trims the heap when the process has grown since the last time, so that an idle one is left alone."""

    def __init__(self, resident: Callable[[], int] = resident_bytes, trim: Callable[[], None] = trim_heap) -> None:
        """Begin with the process as it is.

        Args:
            resident: Gives the process's resident memory, in bytes.
            trim: Gives free memory back.
        """
        self._resident = resident
        self._trim = trim
        self._least = resident()

    def __call__(self) -> None:
        """Trim if it is worth it."""
        if self._resident() - self._least < _WORTH_IT:
            return
        self._trim()
        self._least = self._resident()
