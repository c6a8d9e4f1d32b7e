"""Below each table, what measured it."""

from collections.abc import Iterator

from benchmarks.parts import Part
from experiments.records import Record
from experiments.report.text import table

__all__ = ["measured_table", "run_note"]


def run_note(run: Record) -> str:
    """Where a measurement comes from."""
    machine, versions = run["machine"], run["versions"]
    cuda = run["settings"].get("cuda")
    command = run["command"].replace("--pictures", "--images")  # as the option was called when older ones were made
    return (
        f"`{command}`, {run['date'][:10]}, commit {run['commit'][:10]}, {machine['cores']} cores of "
        f"{machine['processor']}, ONNX Runtime {versions.get('onnxruntime', '')}.{f' CUDA: {cuda}.' if cuda else ''}"
    )


def measured_table(head: list[str], rows: list[list[object]], parts: list[Part]) -> Iterator[str]:
    """A table with a row for each part, and below it the runs they are from, by letters where there are several."""
    hows = [run_note(part["run"]) for part in parts]  # without the time of the day: what one run measured has one text
    letters = {how: chr(ord("a") + index) for index, how in enumerate(dict.fromkeys(hows))}
    several = len(letters) > 1
    if several:
        head = [*head, "run"]
        rows = [[*row, letters[how]] for row, how in zip(rows, hows, strict=True)]
    yield from table(head, rows)
    for how, letter in letters.items():
        yield ""
        yield f"{letter}: {how}" if several else how
