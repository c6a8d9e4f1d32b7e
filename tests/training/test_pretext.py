"""Pretext tasks: labels to matrices, by points worked out by hand."""

import math

import pytest
import torch

from training.config import TASKS, parse_tasks
from training.errors import TrainingError
from training.pretext import PretextTasks

TAN30 = math.tan(math.radians(30))


@pytest.mark.parametrize(
    ("task", "label", "point", "expected"),
    [
        ("rotation", 0, (0.5, 0.25), (0.5, 0.25)),
        ("rotation", 1, (1.0, 0.0), (0.0, -1.0)),  # the right edge turns to the top: counter-clockwise, y is down
        ("rotation", 1, (0.5, 0.25), (0.25, -0.5)),
        ("rotation", 2, (0.5, 0.25), (-0.5, -0.25)),
        ("rotation", 3, (1.0, 0.0), (0.0, 1.0)),
        ("scale", 0, (0.5, -0.5), (0.5 / 1.3, -0.5 / 1.3)),
        ("scale", 1, (0.5, -0.5), (0.5, -0.5)),
        ("scale", 2, (0.5, -0.5), (0.5 / 0.7, -0.5 / 0.7)),
        ("translation", 0, (0.0, 0.0), (0.1, 0.1)),  # a twentieth of a side of 2
        ("translation", 1, (0.3, 0.0), (0.3, 0.0)),
        ("translation", 2, (0.0, 0.0), (-0.1, -0.1)),
        ("shear", 0, (0.0, 1.0), (-TAN30, 1.0)),
        ("shear", 1, (0.4, 1.0), (0.4, 1.0)),
        ("shear", 2, (0.0, 1.0), (TAN30, 1.0)),
        ("flip", 0, (0.4, 0.1), (0.4, 0.1)),
        ("flip", 1, (0.4, 0.1), (-0.4, 0.1)),
        ("point_symmetry", 0, (0.0, 0.0), (3.0, -3.0)),
        ("point_symmetry", 2, (0.1, 0.2), (0.1, 0.2)),
        ("point_symmetry", 3, (0.0, 0.0), (-3.0, -3.0)),
    ],
)
def test_where_a_point_goes(task: str, label: int, point: tuple[float, float], expected: tuple[float, float]) -> None:
    tasks = PretextTasks([task])
    (matrix,) = tasks.matrices({tasks.tasks[0]: torch.tensor([label])})
    x, y, weight = (matrix @ torch.tensor([*point, 1.0])).tolist()
    assert (x, y) == pytest.approx(expected, abs=1e-6)
    assert weight == 1


def test_a_combination_is_the_product_in_a_fixed_order() -> None:
    tasks = PretextTasks("T+R+S")
    labels = {"rotation": torch.tensor([1]), "scale": torch.tensor([2]), "translation": torch.tensor([2])}
    (matrix,) = tasks.matrices(labels)  # type: ignore[arg-type]
    # (1, 0) turns to (0, -1), grows to (0, -1 / 0.7), moves to (-0.1, -1 / 0.7 - 0.1).
    torch.testing.assert_close(matrix @ torch.tensor([1.0, 0.0, 1.0]), torch.tensor([-0.1, -1 / 0.7 - 0.1, 1.0]))


def test_number_of_classes() -> None:
    assert PretextTasks(TASKS).classes == {
        "point_symmetry": 5, "flip": 2, "rotation": 4, "shear": 3, "scale": 3, "translation": 3,
    }  # fmt: skip


def test_one_label_of_each_task_leaves_an_image_as_it_is() -> None:
    for task in TASKS:
        tasks = PretextTasks([task])
        labels = {task: torch.arange(tasks.classes[task])}
        unmoved = (tasks.matrices(labels) - torch.eye(3)).abs().amax(dim=(1, 2)) == 0
        assert unmoved.sum() == 1


def test_labels_are_drawn_evenly_independently_and_repeatably() -> None:
    tasks = PretextTasks("R+S")
    labels = tasks.draw(12_000, torch.Generator().manual_seed(1))
    pairs = torch.bincount(labels["rotation"] * 3 + labels["scale"], minlength=12)
    assert pairs.min() > 850  # 1000 expected, standard deviation 30
    assert pairs.max() < 1150
    again = tasks.draw(12_000, torch.Generator().manual_seed(1))
    assert all(torch.equal(labels[task], again[task]) for task in tasks.tasks)


@pytest.mark.parametrize(
    ("tasks", "reach"),
    [("R", 1.0), ("S", 1.3), ("T", 1.1), ("S+T", 1.1 * 1.3), ("R+S", 1.3), ("H", 1 + TAN30), ("F", 1.0)],
)
def test_reach(tasks: str, reach: float) -> None:
    assert PretextTasks(tasks).reach() == pytest.approx(reach, rel=1e-5)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("R+S", ("rotation", "scale")),
        ("translation + scale", ("scale", "translation")),
        (["P", "flip"], ("point_symmetry", "flip")),
    ],
)
def test_parse(names: object, expected: tuple[str, ...]) -> None:
    assert parse_tasks(names) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("names", "message"), [("R+X", "'X'"), ("R+rotation", "different"), ([], "one or more")])
def test_parse_refuses(names: object, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        parse_tasks(names)  # type: ignore[arg-type]
