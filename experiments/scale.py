"""Experiment `scale`: time and memory of `colocalize score` on sets of 100, 1,000 and 10,000 images.

The sets' images are repeated under new names. The command runs as users run it, in a process of its own.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.records import Note
from experiments.sets import EvaluationSet
from training.errors import TrainingError

__all__ = ["COUNTS", "link", "measure_scale", "score_folder"]

COUNTS = (100, 1_000, 10_000)

_OURS = (sys.executable, "-m", "colocalization.commands.main", "score")


def measure_scale(sets: Sequence[EvaluationSet], counts: Sequence[int], note: Note) -> dict[str, Any]:
    """Score ever larger folders.

    Args:
        sets: Where the images come from.
        counts: Numbers of images.
        note: Is told how it goes.

    Returns:
        For each number wall time and CPU time, seconds an image, and the peak resident memory in MB.

    Raises:
        TrainingError: The command fails, or this system does not tell a process's peak memory.
    """
    if not hasattr(os, "wait4"):
        raise TrainingError("the experiment 'scale' needs a system with wait4 (Linux, macOS)")
    sources = [image.path for members in sets for image in members.images]
    results: dict[str, Any] = {}
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            images = Path(folder) / "images"
            images.mkdir()
            for index in range(count):
                source = sources[index % len(sources)]
                link(source.resolve(), images / f"{index:06d}{source.suffix.lower()}")
            results[str(count)] = score_folder(images, Path(folder) / "out", count)
        told = results[str(count)]
        note(f"{count} images: {told['wall_seconds']:.0f} s, peak {told['peak_memory_mb']:.0f} MB")
    return {"counts": results}


def link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where that cannot be."""
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def score_folder(
    images: Path, out: Path, count: int, *options: str, command: Sequence[str] = _OURS
) -> dict[str, float]:
    """Run `colocalize score` in a process of its own.

    Args:
        images: Folder to score.
        out: Folder of the results.
        count: Number of images in the folder.
        *options: Further arguments of the command.
        command: The command.

    Returns:
        `images`, `wall_seconds`, `cpu_seconds`, `cpu_seconds_per_image` and `peak_memory_mb` (resident).

    Raises:
        TrainingError: The command fails.
    """
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        called = [*command, str(images), "--out", str(out), *options]
        process = subprocess.Popen(called, stdout=output, stderr=subprocess.STDOUT)  # noqa: S603  (our own command)
        peak = 0.0
        while True:
            peak = max(peak, _peak_memory_mb(process.pid))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.05)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            raise TrainingError(f"colocalize score failed: {output.read().decode('utf-8', 'replace').strip()[-500:]}")
    cpu = usage.ru_utime + usage.ru_stime
    return {
        "images": count,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 2),
        "cpu_seconds_per_image": round(cpu / count, 4),
        "peak_memory_mb": round(peak or usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)),
    }


def _peak_memory_mb(pid: int) -> float:
    """The peak so far as Linux tells it, else 0: what `wait4` tells there includes the parent, before the exec."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text("utf-8").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith("VmHWM:")), 0.0)
