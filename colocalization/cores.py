"""How much of the machine this process may use."""

import os
from pathlib import Path

__all__ = ["MOST_LANES", "score_lanes", "usable_cores"]

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")

MOST_LANES = 4
"""Runs of the network at the same time on the CPU. Each takes memory for its activations; beyond these, more cores
share the operators of one run."""


def usable_cores(quota_file: Path = _CGROUP_QUOTA) -> int:
    """Cores this process may use: its affinity mask, and the container's quota where there is one; at least 1.

    Args:
        quota_file: cgroup v2's `cpu.max`: the quota (or `max`) and the period, in microseconds.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    try:
        quota, period = quota_file.read_text().split()
        return cores if quota == "max" else max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):
        return cores  # no container, or one that sets no quota in this form


def score_lanes(cores: int) -> tuple[int, int]:
    """How `colocalize score` runs the network on the CPU.

    Args:
        cores: Cores to use, at least 1.

    Returns:
        Runs side by side, and the threads of one operator, of all runs together: a run's own, and as many more as leave
        every core one thread when all go on.

    Example:
        >>> score_lanes(2), score_lanes(16)
        ((2, 1), (4, 13))
    """
    lanes = min(cores, MOST_LANES)
    return lanes, cores - lanes + 1
