"""`colocalize score` beside that of another checkout: time, CPU time and memory, taking turns on the same images."""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.folder import MODES, resized_copies
from benchmarks.parts import Part
from experiments.scale import score_folder

__all__ = ["OURS", "Runner", "commands", "measure_against"]

OURS: Mapping[str, tuple[str, ...]] = {"auto": (), "fp32": ("--precision", "fp32")}
"""Options of our own `score`, by what they are called."""

_THEIRS = "theirs"
_MEASURED = ("wall_seconds", "cpu_seconds", "peak_memory_mb")

Runner = Callable[[Sequence[str], str, int], Mapping[str, float]]
"""Scores the images with a command in a mode; `count` says how many there are. Gives what `score_folder` gives."""


def commands(theirs: Path) -> dict[str, list[str]]:
    """The command `score` of the other checkout, first, and ours."""
    ours = [sys.executable, "-m", "colocalization.commands.main", "score"]
    return {_THEIRS: [str(theirs), "score"], **{name: [*ours, *options] for name, options in OURS.items()}}


def measure_against(
    images: list[Path],
    theirs: Path,
    count: int,
    rounds: int,
    note: Callable[[str], None],
    modes: Sequence[str] = MODES,
    run: Runner | None = None,
) -> Iterator[Part]:
    """Score the same folder by turns: theirs, ours as it comes, ours in fp32, and again.

    On a machine that others use too, CPU time tells more than the clock: what a run waits for does not count, only what
    it shares caches and cores with.

    Args:
        images: Photographs, made JPEG files of 640 x 480 and repeated under new names.
        theirs: The command `colocalize` of the other checkout.
        count: Number of images.
        rounds: Turns.
        note: Is told how it goes.
        modes: Modes of `score`.
        run: What scores, in place of the commands.

    Yields:
        For each `mode`, `count` and `who`: medians over the rounds of `images_per_second`, `cpu_ms` an image,
        `peak_memory_mb`, and `times`, by how much less CPU time it takes than theirs: the median of the rounds' ratios
        with the lowest and the highest.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "images"
        resized_copies(images, Path(place) / "originals", folder, count)

        def scored(command: Sequence[str], mode: str, number: int) -> Mapping[str, float]:
            with tempfile.TemporaryDirectory(dir=place) as out:
                return score_folder(folder, Path(out), number, "--mode", mode, "--device", "cpu", command=command)

        for mode in modes:
            told: dict[str, list[Mapping[str, float]]] = {}
            for turn in range(rounds):
                for who, command in commands(theirs).items():
                    told.setdefault(who, []).append((run or scored)(command, mode, count))
                    note(f"{mode}, round {turn + 1} of {rounds}, {who}: {dict(told[who][-1])}")
            for who, results in told.items():
                yield {"mode": mode, "count": count, "who": who, "rounds": rounds, **_medians(results, told[_THEIRS])}


def _medians(results: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]) -> Part:
    wall, cpu, memory = (statistics.median(one[name] for one in results) for name in _MEASURED)
    count = results[0]["images"]
    ratios = [first["cpu_seconds"] / second["cpu_seconds"] for first, second in zip(theirs, results, strict=True)]
    return {
        "images_per_second": round(count / wall, 2),
        "cpu_ms": round(1e3 * cpu / count, 1),
        "peak_memory_mb": memory,
        "times": [round(value, 2) for value in (statistics.median(ratios), min(ratios), max(ratios))],
    }
