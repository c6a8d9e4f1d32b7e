"""How much of the machine this process may use."""

import os
from pathlib import Path

__all__ = ["usable_cores"]

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


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
