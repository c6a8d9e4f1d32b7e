"""What the engine `ray` costs beside the local pipeline, and what a second worker brings."""

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.folder import resized_copies
from benchmarks.parts import Part
from benchmarks.process_tree import WatchedRun, watch
from benchmarks.ray_output import check_status, colocalize, ray_role, read_finished
from colocalization.listing import STATE_FOLDER
from scoring.journal import JOURNAL_FILE
from training.errors import TrainingError

__all__ = ["WAYS", "Steady", "Way", "measure_speed", "steady_state"]

_SAMPLED_EVERY_S = 2.0
"""Looking at all processes takes CPU from them."""


@dataclass(frozen=True, slots=True)
class Way:
    """One of the runs that take turns.

    Attributes:
        workers: Workers of the engine `ray`; 0: the engine `local`.
        cores: Cores that the command and all that it starts may use.
    """

    workers: int
    cores: int


WAYS: Mapping[str, Way] = {
    "local, one core": Way(0, 1),
    "one worker, one core": Way(1, 1),
    "one worker, two cores": Way(1, 2),
    "two workers, two cores": Way(2, 2),
    "local, two cores": Way(0, 2),
}

_RATIOS = (
    ("one worker, one core", "local, one core"),
    ("two workers, two cores", "one worker, one core"),
    ("two workers, two cores", "one worker, two cores"),
    ("two workers, two cores", "local, two cores"),
)
"""Whose images a second are told over whose."""


@dataclass(frozen=True, slots=True)
class Steady:
    """A run while all of it works.

    Attributes:
        per_second: Images a second.
        cpu_ms: CPU time for an image, in milliseconds, by what a process is.
        start_seconds: What passed before the first image was begun.
        peak_mb: Highest resident memory of a process, in MB, by what it is.
    """

    per_second: float
    cpu_ms: Mapping[str, float]
    start_seconds: float
    peak_mb: Mapping[str, float]


def measure_speed(
    images: Sequence[Path], count: int, rounds: int, part: int, mode: str, note: Callable[[str], None]
) -> Iterator[Part]:
    """Score the same images in all ways by turns.

    Args:
        images: Photographs, made JPEG files of 640 x 480 and repeated under new names.
        count: Images for each worker, or each core of the engine `local`.
        rounds: Turns.
        part: Images in a part of the set, on average: what a worker takes at a time.
        mode: Mode of `score`; the common object is fitted once beforehand.
        note: Is told how it goes.

    Yields:
        For each `way` the medians over the rounds of what `Steady` tells, and in `over` the images a second over those
        of other ways: the median of the rounds' ratios, with the lowest and the highest.

    Raises:
        TrainingError: A run fails.
    """
    with tempfile.TemporaryDirectory() as place:
        folders = {cores: Path(place) / f"images-{cores}" for cores in (1, 2)}
        for cores, folder in folders.items():
            resized_copies(images, Path(place) / "originals", folder, cores * count)
        options = ["--mode", mode, "--device", "cpu"]
        if mode == "common":
            fitted = Path(place) / "object.npz"
            check_status(watch([*colocalize("fit"), str(folders[1]), "--out", str(fitted)], every=_SAMPLED_EVERY_S))
            options = ["--object", str(fitted), "--device", "cpu"]
        told: dict[str, list[Steady]] = {name: [] for name in WAYS}
        for turn in range(rounds):
            for name in list(WAYS)[:: 1 if turn % 2 else -1]:
                with tempfile.TemporaryDirectory(dir=place) as out:
                    folder = folders[WAYS[name].workers or WAYS[name].cores]
                    told[name].append(_run(folder, Path(out) / "out", WAYS[name], part, options))
                note(f"{mode}, round {turn + 1} of {rounds}, {name}: {told[name][-1]}")
    for name, steady in told.items():
        over = {base: _over(steady, told[base]) for above, base in _RATIOS if above == name}
        yield {"what": "speed", "mode": mode, "way": name, **_medians(steady), "over": over}


def _run(folder: Path, out: Path, way: Way, part: int, options: Sequence[str]) -> Steady:
    command = [*colocalize("score"), str(folder), "--out", str(out), *options]
    journal = out / STATE_FOLDER / JOURNAL_FILE
    if way.workers:
        command += ["--engine", "ray", "--ray-workers", str(way.workers), "--ray-part", str(part)]
    run = watch(
        command,
        every=_SAMPLED_EVERY_S,
        role=ray_role,
        cores=range(way.cores),
        grows=None if way.workers else journal,
    )
    check_status(run)
    if way.workers:
        return steady_state(run, read_finished(out, run.began), way.workers)
    return steady_state(run, _journalled(run, journal.read_bytes()), part)


def _journalled(run: WatchedRun, journal: bytes) -> list[tuple[float, int]]:
    """When images were finished, in seconds since the start, and how many at once; the first line is no image."""
    lines = [journal.count(b"\n", 0, size) - 1 for _, size in run.sizes]
    before = [0, *lines]
    return [(at, now - then) for (at, _), now, then in zip(run.sizes, lines, before, strict=False) if now > then]


def steady_state(run: WatchedRun, finished: Sequence[tuple[float, int]], edge: int) -> Steady:
    """Rates between the ends of a run.

    Args:
        run: The run.
        finished: When images were finished, in seconds since its start, and how many of them at once; in order.
        edge: How many of these are left out at the beginning, and at the end all but one of so many: while the first
            are made, workers still start, and when the last are, some have nothing left to do.

    Raises:
        TrainingError: There are too few.
    """
    kept = finished[edge - 1 : len(finished) - edge + 1]
    if len(kept) < 2:
        raise TrainingError(
            f"expected more than {2 * edge} results to tell a rate, got {len(finished)}; give more images"
        )
    (start, _), (end, _) = kept[0], kept[-1]
    images = sum(number for _, number in kept[1:])
    rate = images / (end - start)
    begun = finished[0][0] - finished[0][1] / rate
    peak: dict[str, float] = {}
    for sample in run.samples:
        for name, memory in sample.memory.items():
            peak[name] = max(peak.get(name, 0.0), *memory)
    return Steady(
        rate, {name: 1e3 * spent / images for name, spent in run.cpu_between(start, end).items()}, max(0.0, begun), peak
    )


def _medians(steady: Sequence[Steady]) -> dict[str, Any]:
    roles = sorted({name for one in steady for name in one.peak_mb})
    return {
        "images_per_second": round(statistics.median(one.per_second for one in steady), 2),
        "cpu_ms": {name: round(statistics.median(one.cpu_ms.get(name, 0.0) for one in steady), 1) for name in roles},
        "start_seconds": round(statistics.median(one.start_seconds for one in steady), 1),
        "peak_mb": {name: max(one.peak_mb.get(name, 0.0) for one in steady) for name in roles},
    }


def _over(steady: Sequence[Steady], base: Sequence[Steady]) -> list[float]:
    ratios = [one.per_second / other.per_second for one, other in zip(steady, base, strict=True)]
    return [round(value, 3) for value in (statistics.median(ratios), min(ratios), max(ratios))]
