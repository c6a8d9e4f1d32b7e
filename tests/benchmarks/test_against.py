"""Two checkouts take turns, and what is told of them can be worked out by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.against import measure_against

IMAGES = sorted((Path(__file__).resolve().parents[2] / "examples" / "images").iterdir())[:2]

CPU = {"theirs": [9.0, 12.0, 8.0], "auto": [3.0, 3.0, 4.0], "fp32": [6.0, 6.0, 8.0]}


def test_medians_of_rounds_and_of_their_ratios() -> None:
    turns: list[str] = []

    def run(command: Sequence[str], mode: str, count: int) -> Mapping[str, float]:
        who = "theirs" if command[0] == "/before/colocalize" else "fp32" if "fp32" in command else "auto"
        turns.append(who)
        cpu = CPU[who][turns.count(who) - 1]
        return {"images": count, "wall_seconds": cpu / 2, "cpu_seconds": cpu, "peak_memory_mb": 100 + cpu}

    said: list[str] = []
    parts = list(measure_against(IMAGES, Path("/before/colocalize"), 10, 3, said.append, ["common"], run))
    assert turns == ["theirs", "auto", "fp32"] * 3
    assert len(said) == 9
    assert [(part["who"], part["mode"], part["count"], part["rounds"]) for part in parts] == [
        (who, "common", 10, 3) for who in ("theirs", "auto", "fp32")
    ]
    assert [part["cpu_ms"] for part in parts] == [900, 300, 600]
    assert [part["images_per_second"] for part in parts] == [2.22, 6.67, 3.33]
    assert [part["peak_memory_mb"] for part in parts] == [109, 103, 106]
    assert [part["times"] for part in parts] == [[1, 1, 1], [3, 2, 4], [1.5, 1, 2]]
