"""Giving free memory back."""

import subprocess
import sys

import pytest

from service import memory
from service.memory import MemoryTrimmer

MIB = 2**20


class Process:
    """A process whose resident memory is what the test says, and falls to `floor` when it is trimmed."""

    def __init__(self, resident: int) -> None:
        self.resident = self.floor = resident
        self.trims = 0

    def trim(self) -> None:
        self.trims += 1
        self.resident = self.floor


def test_trims_only_what_has_grown() -> None:
    process = Process(300 * MIB)
    trimmer = MemoryTrimmer(lambda: process.resident, process.trim)
    trimmer()
    process.resident = 303 * MIB
    trimmer()
    assert process.trims == 0
    process.resident, process.floor = 400 * MIB, 350 * MIB
    trimmer()
    assert process.trims == 1
    trimmer()  # what is left is in use
    process.resident = 353 * MIB
    trimmer()
    assert process.trims == 1
    process.resident = 354 * MIB
    trimmer()
    assert process.trims == 2


def test_without_a_figure_nothing_is_trimmed() -> None:
    process = Process(0)
    MemoryTrimmer(lambda: process.resident, process.trim)()
    assert process.trims == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the C library's own way, glibc")
def test_memory_of_pieces_between_others_comes_back() -> None:
    # In a process of its own, whose heap no other test has shaped. Every seventh piece stays, so that the heap cannot
    # shrink from its end, and no piece is large enough for pages of its own.
    code = """
import numpy as np
from service.memory import trim_heap
from service.metrics import resident_bytes
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
    memory.trim_heap()
