"""MaxBoxAccV2 by hand."""

import numpy as np
import pytest

from experiments.maxboxacc import MaxBoxAcc

LEFT = np.array([[0.0, 0.0, 0.5, 1.0]])


def half(value: float = 1.0) -> np.ndarray:
    heatmap = np.zeros((224, 224), np.float32)
    heatmap[:, :112] = value
    return heatmap


def test_a_perfect_map() -> None:
    accuracy = MaxBoxAcc()
    accuracy.add(half(), LEFT)
    assert accuracy.compute() == 100


def test_the_best_cut_is_found() -> None:
    """A bright half beside a dimmer rest: every cut between the two is right."""
    accuracy = MaxBoxAcc()
    accuracy.add(half() + 0.6, LEFT)
    assert accuracy.compute() == 100


def test_any_component_counts() -> None:
    heatmap = half()
    heatmap[:, 140:] = 1  # the larger of the two is not the object
    accuracy = MaxBoxAcc()
    accuracy.add(heatmap, np.array([[140 / 224, 0, 1, 1]]))
    accuracy.add(heatmap, LEFT)
    assert accuracy.compute() == 100


def test_mean_over_the_thresholds() -> None:
    """A box with IoU 0.5 passes two of the three."""
    accuracy = MaxBoxAcc()
    accuracy.add(half(), np.array([[0.0, 0.0, 1.0, 1.0]]))
    assert accuracy.compute() == pytest.approx(200 / 3)


def test_one_cut_for_the_whole_set() -> None:
    """One image needs a cut below 0.3, the other one above: only one of them can be right."""
    dim, bright = half(), half()
    dim[:, :112], dim[:, 112:], dim[0, 0] = 0.3, 0.0, 1.0
    bright[:, 112:] = 0.6
    bright[0, 223] = 0
    accuracy = MaxBoxAcc()
    accuracy.add(dim, LEFT)
    accuracy.add(bright, LEFT)
    assert accuracy.compute() == pytest.approx(100 * (1 + 1 / 2 + 1 / 2) / 3, abs=20)
    assert accuracy.compute() < 100


def test_a_constant_map_finds_nothing() -> None:
    accuracy = MaxBoxAcc()
    accuracy.add(np.ones((4, 4), np.float32), LEFT)
    assert accuracy.compute() == 0


def test_no_image() -> None:
    with pytest.raises(ValueError, match="no image"):
        MaxBoxAcc().compute()
