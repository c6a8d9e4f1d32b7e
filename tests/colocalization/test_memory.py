"""Giving free memory back."""

import subprocess
import sys

import pytest

from colocalization import memory
from colocalization.memory import MemoryTrimmer

MIB = 2**20


def test_trims_only_after_work() -> None:
    used = iter([1.0, 1.01, 1.5, 1.501, 1.56, 1.56])
    trims: list[int] = []
    trimmer = MemoryTrimmer(lambda: next(used), lambda: trims.append(1))
    counts = []
    for _ in range(5):
        trimmer()
        counts.append(len(trims))
    assert counts == [0, 1, 1, 2, 2]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library's own way, glibc")
def test_memory_of_pieces_between_others_comes_back() -> None:
    # In a process of its own, whose heap no other test has shaped. Every seventh piece stays, so that the heap cannot
    # shrink from its end, and no piece is large enough for pages of its own.
    code = """
import numpy as np
from colocalization.memory import trim_heap
def resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * 4096
pieces = [np.ones(2**13) for _ in range(3000)]
kept = pieces[::7]
del pieces
before = resident_bytes()
trim_heap()
print(before - resident_bytes())
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(told.stdout) > 100 * MIB


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_malloc_trim", None)
    monkeypatch.setattr(memory, "_mallopt", None)
    memory.trim_heap()
    memory.bound_heaps(2)


@pytest.mark.skipif(memory._mallopt is None, reason="not glibc")
def test_threads_share_heaps() -> None:
    code = """
import sys, threading
from colocalization.memory import bound_heaps
if sys.argv[1] == "bound":
    bound_heaps(1)
together = threading.Barrier(16)
def work():
    kept = [bytes(2000) for _ in range(1000)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(16)]
for one in threads: one.start()
for one in threads: one.join()
# Heaps stay when their threads are gone.
print(open("/proc/self/maps").read().count("\\n"))
"""
    maps = [
        int(subprocess.run([sys.executable, "-c", code, one], capture_output=True, text=True, check=True).stdout)
        for one in ("bound", "free")
    ]
    assert maps[0] < maps[1] - 8  # each heap is a mapping or two of its own
