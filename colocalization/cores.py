"""How much of the machine this process may use."""

import os
from pathlib import Path

import cv2
from threadpoolctl import threadpool_limits

__all__ = ["MOST_LANES", "bound_libraries", "score_lanes", "usable_cores"]

_CGROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows a container its own control group."""

MOST_LANES = 4
"""Runs of the network at the same time on the CPU. Each takes memory for its activations; beyond these, more cores
share the operators of one run."""


def bound_libraries() -> None:
    """Keep OpenCV and numpy, in this process, to the thread that calls them.

    Where several images are in work at one time their threads are enough. More only take the cores from each other:
    numpy's matrix products are small here, and its idle threads spin, which took half of all CPU time.
    """
    cv2.setNumThreads(1)
    threadpool_limits(1, user_api="blas")


def usable_cores(cgroups: Path = _CGROUPS) -> int:
    """Cores this process may use: its affinity mask, and the container's quota where there is one; at least 1.

    Args:
        cgroups: Folder of the control group, of version 2 (`cpu.max`) or 1 (`cpu/cpu.cfs_quota_us`).
    """
    affinity = getattr(os, "sched_getaffinity", None)
    cores = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    quota = _quota(cgroups)
    return cores if quota is None else max(1, min(cores, int(quota)))


def _quota(cgroups: Path) -> float | None:
    """Cores that the control group grants; None where there is none, or one without a quota."""
    for files in (("cpu.max",), ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us")):
        try:
            quota, period = " ".join((cgroups / name).read_text() for name in files).split()
            # "max" in version 2 and -1 in version 1 are no quota
            return int(quota) / int(period) if quota.isdigit() and int(period) > 0 else None
        except (OSError, ValueError):
            continue
    return None


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
