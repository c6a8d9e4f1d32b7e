"""Experiment `hints`."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from colocalization.hints import HintError
from colocalization.localizer import Localizer
from experiments.hints import measure_hints, read_hint
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage


def test_results_of_a_record(dummy_localizer: Localizer, squares: Sequence[DatasetImage], tmp_path: Path) -> None:
    x0, y0, x1, y1 = squares[2].boxes[0]
    (tmp_path / "squares").mkdir(exist_ok=True)
    (tmp_path / "squares/hint.csv").write_text(f"file,x0,y0,x1,y1\n{squares[2].name},{x0},{y0},{x1},{y1}\n")
    sets = [
        EvaluationSet("squares/left", "squares", tuple(squares[:4])),
        EvaluationSet("squares/right", "squares", tuple(squares[3:])),
    ]
    notes: list[str] = []
    told = measure_hints(dummy_localizer, tmp_path, sets, notes.append)["sets"]["squares"]
    assert told["images"] == 6
    assert told["used"] == "joined the set"  # the squares are what the images share
    assert told["with"]["0.5"] == told["without"]["0.5"] == 100.0
    assert told["with"]["recall"] == 100.0
    assert len(notes) == 1


def test_a_set_without_a_hint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_hint(tmp_path, "none")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/hint.csv").write_text("file,x0,y0,x1,y1\n")
    with pytest.raises(HintError, match="holds no hint"):
        read_hint(tmp_path, "empty")
