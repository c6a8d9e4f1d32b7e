"""What the engine `ray` has written, and what its processes are."""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.process_tree import WatchedRun
from scoring.engines.part_files import PARTS_FILE
from scoring.engines.set_parts import PART_FOLDER
from training.errors import TrainingError

__all__ = ["check_status", "colocalize", "ray_role", "read_finished", "read_names"]


def colocalize(command: str) -> list[str]:
    """What runs one of our commands."""
    return [sys.executable, "-m", "colocalization.commands.main", command]


def check_status(run: WatchedRun) -> None:
    """Go on only where a command has done what it should.

    Raises:
        TrainingError: It has not.
    """
    if run.status:
        raise TrainingError(f"the command ended with {run.status}: {run.output.strip()[-500:]}")


def ray_role(command: Sequence[str]) -> str:
    """What a process of a run is: `driver`, `worker`, or one of Ray's own, `ray`."""
    line = " ".join(command)
    if "MapWorker" in line:
        return "worker"
    return "driver" if "colocalization.commands.main" in line else "ray"


def read_finished(out: Path, began: float) -> list[tuple[float, int]]:
    """When each part of a set was written, in seconds since a moment, and how many images it has; in that order.

    Args:
        out: Folder of the results.
        began: The moment, in seconds since the epoch.
    """
    parts = [json.loads(line) for line in (out / PARTS_FILE).read_text("utf-8").splitlines()]
    return sorted(((out / PART_FOLDER / one["part"]).stat().st_mtime - began, one["images"]) for one in parts)


def read_names(out: Path) -> Iterator[str]:
    """The name in each row of all parts that are there."""
    for path in sorted((out / PART_FOLDER).iterdir()):
        yield from pq.read_table(path, columns=["path"]).column("path").to_pylist()
