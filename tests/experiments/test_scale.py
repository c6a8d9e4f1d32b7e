"""`colocalize score` on repeated images, in a process of its own."""

from pathlib import Path

import pytest

from experiments.scale import measure_scale
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage
from training.errors import TrainingError

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "examples" / "images").glob("*.jpg"))[:2]


def test_images_are_repeated_under_new_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    sets = [EvaluationSet("examples", "examples", tuple(DatasetImage(path.name, path) for path in EXAMPLES))]
    notes: list[str] = []
    told = measure_scale(sets, [3], notes.append)["counts"]["3"]
    assert told["wall_seconds"] > 0
    assert told["cpu_seconds_per_image"] == pytest.approx(told["cpu_seconds"] / 3, abs=0.05)
    # At least the interpreter with its libraries and the model; at most what three images may take.
    assert 80 < told["peak_memory_mb"] < 1500
    assert len(notes) == 1


def test_a_command_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(__file__).resolve().parents[2])
    broken = tmp_path / "a.jpg"
    broken.write_text("no image")
    sets = [EvaluationSet("broken", "broken", (DatasetImage("a.jpg", broken),))]
    with pytest.raises(TrainingError, match="colocalize score failed"):
        measure_scale(sets, [2], lambda text: None)
