"""A command and all processes below it, watched while it runs: time, memory, and when its results came."""

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil

__all__ = ["Sample", "WatchedRun", "watch"]

_PAUSE_S = 0.01

Role = Callable[[Sequence[str]], str]
"""What a process below the command is, by its command line."""


@dataclass(frozen=True, slots=True)
class Sample:
    """All processes at one moment.

    Attributes:
        seconds: Since the start.
        cpu: CPU seconds so far, by role; of those that have ended, what was seen last.
        memory: Resident memory in MB of each process, by role.
    """

    seconds: float
    cpu: Mapping[str, float]
    memory: Mapping[str, Sequence[float]]


@dataclass(slots=True)
class WatchedRun:
    """What became of a command.

    Attributes:
        began: When it was started, in seconds since the epoch.
        seconds: How long it took.
        status: Its exit status.
        output: What it wrote to standard output and standard error.
        samples: What was seen of its processes, in order.
        sizes: Seconds since the start and size in bytes whenever the observed file had grown.
    """

    began: float
    seconds: float = 0.0
    status: int = 0
    output: str = ""
    samples: list[Sample] = field(default_factory=list)
    sizes: list[tuple[float, int]] = field(default_factory=list)

    def cpu_between(self, start: float, end: float) -> dict[str, float]:
        """CPU seconds by role from one moment to another, in seconds since the start; between samples in proportion."""
        times = [sample.seconds for sample in self.samples]
        spent = {}
        for role in {name for sample in self.samples for name in sample.cpu}:
            first, last = np.interp([start, end], times, [sample.cpu.get(role, 0.0) for sample in self.samples])
            spent[role] = float(last - first)
        return spent


def watch(
    command: Sequence[str],
    *,
    every: float,
    role: Role = lambda _command: "all",
    cores: Sequence[int] | None = None,
    grows: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> WatchedRun:
    """Run a command to its end.

    Args:
        command: What to run.
        every: Seconds between samples: each takes some ten milliseconds of a core.
        role: What a process is; the command itself is asked about like all below it.
        cores: The cores that it and all below it may use; None: all.
        grows: A file whose size is observed.
        environment: Variables besides those of this process.
    """
    confine = None if cores is None else lambda: os.sched_setaffinity(0, cores)
    run = WatchedRun(time.time())
    started = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            preexec_fn=confine,
        )
        cpu: dict[tuple[str, int], float] = {}
        root, due = psutil.Process(process.pid), 0.0
        try:
            while process.poll() is None:
                now = time.perf_counter() - started
                if grows is not None:
                    _observe(run, now, grows)
                if now >= due:
                    due = now + every
                    run.samples.append(_sample(root, role, cpu, now))
                time.sleep(_PAUSE_S)
        except BaseException:
            process.kill()  # nobody would wait for it
            process.wait()
            raise
        run.seconds = time.perf_counter() - started
        run.status = process.returncode
        output.seek(0)
        run.output = output.read().decode("utf-8", "replace")
    return run


def _observe(run: WatchedRun, now: float, path: Path) -> None:
    try:
        size = path.stat().st_size
    except OSError:
        return
    if size > (run.sizes[-1][1] if run.sizes else 0):
        run.sizes.append((now, size))


def _sample(root: psutil.Process, role: Role, cpu: dict[tuple[str, int], float], now: float) -> Sample:
    memory: dict[str, list[float]] = {}
    try:
        processes = [root, *root.children(recursive=True)]
    except psutil.Error:
        processes = []
    for process in processes:
        try:
            with process.oneshot():
                command, times, resident = process.cmdline(), process.cpu_times(), process.memory_info().rss
        except psutil.Error:  # it has ended meanwhile
            continue
        if not command:  # it is ending, and nobody has waited for it yet
            continue
        name = role(command)
        for known in [key for key in cpu if key[1] == process.pid and key[0] != name]:
            del cpu[known]  # it has become something else
        cpu[name, process.pid] = times.user + times.system
        memory.setdefault(name, []).append(round(resident / 1e6, 1))
    by_role: dict[str, float] = {}
    for (name, _), spent in cpu.items():
        by_role[name] = by_role.get(name, 0.0) + spent
    return Sample(now, by_role, memory)
