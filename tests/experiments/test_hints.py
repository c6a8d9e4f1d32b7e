"""Experiment `hints`."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from colocalization.hints import HintError
from colocalization.localizer import Localizer
from experiments.hints import KINDS, further_hints, measure_hints, read_hint
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage


def hinted(squares: Sequence[DatasetImage], folder: Path) -> list[EvaluationSet]:
    x0, y0, x1, y1 = squares[2].boxes[0]
    (folder / "squares").mkdir(exist_ok=True)
    (folder / "squares/hint.csv").write_text(f"file,x0,y0,x1,y1\n{squares[2].name},{x0},{y0},{x1},{y1}\n")
    return [
        EvaluationSet("squares/left", "squares", tuple(squares[:4])),
        EvaluationSet("squares/right", "squares", tuple(squares[3:])),
    ]


def test_results_of_a_record(dummy_localizer: Localizer, squares: Sequence[DatasetImage], tmp_path: Path) -> None:
    notes: list[str] = []
    told = measure_hints(dummy_localizer, tmp_path, hinted(squares, tmp_path), notes.append)["sets"]["squares"]
    assert told["images"] == 3  # three of six have a hint, and are left out throughout
    assert list(told["kinds"]) == list(KINDS)
    # The squares are what the images share.
    assert [told["kinds"][kind]["used"] for kind in KINDS] == ["", "joined the set", "joined the set"]
    for kind in KINDS:
        assert told["kinds"][kind]["0.5"] == told["kinds"][kind]["recall"] == 100.0
        assert len(told["kinds"][kind]["iou_thousandths"]) == 3
    assert len(notes) == 1


def test_hinted_images_stay_where_few_are_scored(
    dummy_localizer: Localizer, squares: Sequence[DatasetImage], tmp_path: Path
) -> None:
    sets = hinted(squares, tmp_path)
    told = measure_hints(dummy_localizer, tmp_path, sets, lambda _: None, limit=2)["sets"]["squares"]
    assert told["images"] == 2
    assert told["kinds"]["three"]["used"] == "joined the set"


def test_further_boxes_are_of_the_median_size_in_images_of_few_boxes(tmp_path: Path) -> None:
    """Sides 4, 5, 6, 8, 10 and 5: the median share is that of 5.5; two boxes in an image come after those of one."""

    def image(name: str, *sides: int) -> DatasetImage:
        Image.new("RGB", (20, 20)).save(tmp_path / name)
        return DatasetImage(
            name, tmp_path / name, "both", tuple((0.0, 0.0, float(side), float(side)) for side in sides)
        )

    images = [image("a.png", 10), image("b.png", 8), image("c.png", 4, 6), image("d.png", 5), image("e.png", 5)]
    assert list(further_hints(images, "none", 1)) == ["d.png"]
    assert list(further_hints(images, "d.png", 9)) == ["e.png", "b.png", "a.png", "c.png"]
    assert further_hints(images, "d.png", 9)["c.png"].boxes == ((0.0, 0.0, 6.0, 6.0),)


def test_a_set_without_a_hint(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_hint(tmp_path, "none")
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/hint.csv").write_text("file,x0,y0,x1,y1\n")
    with pytest.raises(HintError, match="holds no hint"):
        read_hint(tmp_path, "empty")
