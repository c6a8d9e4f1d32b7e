"""The engine `ray` in docs/performance.md."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.parts import Part, read_parts
from benchmarks.run_notes import measured_table, run_note

__all__ = ["ray_section"]


def ray_section(path: Path) -> Iterator[str]:
    """What it costs, what a second worker brings, its memory, and a store that is slow and busy."""
    parts = read_parts(path)
    yield "### The engine `ray`"
    speed = [part for part in parts if part["what"] == "speed"]
    if speed:
        yield from _speed(speed)
    for part in parts:
        if part["what"] == "growth":
            yield from _growth(part)
        elif part["what"] == "store":
            yield from _store(part)


def _speed(parts: Sequence[Part]) -> Iterator[str]:
    settings = parts[0]["run"]["settings"]
    yield ""
    yield (
        f"JPEG files of 640 x 480, {settings['count']} for each core at work, in parts of {settings['part']} on "
        f"average (256 are usual); {settings['rounds']} rounds in which all ways take turns, each run in a process of "
        "its own, with the common object given. All processes of a run, Ray's own among them, are confined to its "
        "cores. *Images/s*: while all workers have work. *Started after*: what passes before the first image is begun. "
        "*Peak memory*: of the command and, where there are workers, of the largest one."
    )
    yield ""
    rows: list[list[object]] = []
    for part in parts:
        cpu, peak = part["cpu_ms"], part["peak_mb"]
        own = f"{cpu.get('driver', 0) + cpu.get('ray', 0):.1f}" if "worker" in cpu else ""
        memory = f"{peak['driver']:.0f}" + (f", {peak['worker']:.0f}" if "worker" in peak else "")
        row = [part["mode"], part["way"], part["images_per_second"], f"{sum(cpu.values()):.1f}", own]
        rows.append([*row, part["start_seconds"], memory])
    head = ["mode", "", "images/s", "CPU ms an image", "of which driver and Ray", "started after, s", "peak memory, MB"]
    yield from measured_table(head, rows, list(parts))
    yield ""
    yield "Images a second over each other, medians of the rounds' ratios, with the lowest and the highest:"
    yield ""
    for part in parts:
        for base, (middle, low, high) in part["over"].items():
            yield f"- {part['mode']}: {part['way']}, over {base}: {middle:.2f} [{low:.2f}, {high:.2f}]"


def _growth(part: Part) -> Iterator[str]:
    memory = part["memory_mb"]
    yield ""
    yield (
        f"**Memory over {part['images']:,} images**, some photographs of 48 x 48 pixels again and again, over a "
        f"network that does nothing, mode `{part['mode']}`, {part['workers']} workers: {part['rows']:,} rows of "
        f"{part['different']:,} names, {part['images_per_second']:.0f} a second. Resident memory in MB, medians of "
        "each tenth of the time; the driver holds the names of all images from the beginning:"
    )
    yield ""
    titles = {"driver": "driver", "worker": "the larger worker", "ray": "Ray's own processes together"}
    rows: list[list[object]] = [
        [titles[name], *(f"{value:.0f}" for value in values), _grown(values)] for name, values in memory.items()
    ]
    tenths = [str(number + 1) for number in range(max(len(values) for values in memory.values()))]
    yield from measured_table(["", *tenths, "from 2 on"], rows, [part])


def _grown(values: Sequence[float]) -> str:
    return f"{100 * (values[-1] / values[1] - 1):+.1f} %" if len(values) > 2 else ""


def _store(part: Part) -> Iterator[str]:
    files: dict[str, Any] = part["over_files"]
    same = "byte for byte those of the engine `local`" if part["same"] else "**not those of the engine `local`**"
    yield ""
    yield (
        f"**A slow and busy store**: {part['images']} images, {part['workers']} workers, an S3 server (moto) on this "
        f"machine that takes {part['delay_ms']} ms longer for every request and answers {100 * part['share']:.0f} % "
        f"of them with 503. {part['rows']} rows of {part['different']} names, {same}; {part['requests']} requests, "
        f"{part['refused']} of them refused. {part['images_per_second']:.1f} images/s while both workers have work, "
        f"the whole run {part['seconds']:.0f} s; from files {files['images_per_second']:.1f} images/s and "
        f"{files['seconds']:.0f} s. The server runs on the same cores."
    )
    yield ""
    yield run_note(part["run"])
