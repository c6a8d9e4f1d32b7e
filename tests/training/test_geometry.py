"""Affine sampling by hand-computed points, and against torch's own exact operations."""

import math
from typing import get_args

import pytest
import torch

from training.config import Fill
from training.geometry import pairwise_warp, sample_views, source_points, validity, view_matrices, warp_maps
from training.pretext import PretextTasks

IDENTITY = torch.eye(3)[None]


def matrix(task: str, label: int) -> torch.Tensor:
    tasks = PretextTasks([task])
    return tasks.matrices({tasks.tasks[0]: torch.tensor([label])})


def test_source_points_of_the_identity_are_pixel_centres() -> None:
    points = source_points(IDENTITY, (2, 4))
    assert points.shape == (1, 2, 4, 2)
    torch.testing.assert_close(points[0, 0, :, 0], torch.tensor([-0.75, -0.25, 0.25, 0.75]))
    torch.testing.assert_close(points[0, :, 0, 1], torch.tensor([-0.5, 0.5]))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_rotation_is_rot90(turns: int) -> None:
    maps = torch.rand(1, 6, 6)
    warped = warp_maps(maps, matrix("rotation", turns), "mean")
    torch.testing.assert_close(warped, torch.rot90(maps, turns, (1, 2)), atol=1e-5, rtol=0)


def test_flip_mirrors_left_to_right() -> None:
    maps = torch.rand(1, 5, 8)
    torch.testing.assert_close(warp_maps(maps, matrix("flip", 1), "mean"), maps.flip(2), atol=1e-5, rtol=0)


def test_translation_moves_right_and_down() -> None:
    maps = torch.zeros(1, 20, 20)
    maps[0, 3, 4] = 1
    warped = warp_maps(maps, matrix("translation", 0), "mean")  # 5 % of twenty pixels: one pixel
    assert warped[0, 4, 5].item() == pytest.approx(1, abs=1e-5)
    assert warped.sum().item() == pytest.approx(1, abs=1e-4)


def test_scale_enlarges_content_about_the_centre() -> None:
    maps = torch.zeros(1, 100, 100)
    maps[0, 40:60, 40:60] = 1
    for label, factor in enumerate((1 / 1.3, 1.0, 1 / 0.7)):
        area = warp_maps(maps, matrix("scale", label), "mean").sum().item()
        assert area == pytest.approx(400 * factor**2, rel=0.02)


def test_shear_moves_a_row_by_the_tangent_of_its_height() -> None:
    maps = torch.zeros(1, 101, 101)
    maps[0, 50 + 30, 50] = 1  # 30 pixels below the centre
    warped = warp_maps(maps, matrix("shear", 2), "mean")
    column = (warped[0, 80] * torch.arange(101)).sum() / warped[0, 80].sum()
    assert column.item() == pytest.approx(50 + 30 * math.tan(math.radians(30)), abs=0.01)


@pytest.mark.parametrize(
    ("label", "columns", "rows"),
    [
        (0, [2, 3, 3, 2], [1, 0, 0, 1]),
        (1, [2, 3, 3, 2], [2, 3, 3, 2]),
        (2, [0, 1, 2, 3], [0, 1, 2, 3]),
        # Sampled at x + 3: the centres -0.75, -0.25, 0.25, 0.75 look at 2.25 ... 3.75, which mirroring at the edges,
        # with period 4, folds to -0.25, -0.75, -0.75, -0.25: columns 1, 0, 0, 1.
        (3, [1, 0, 0, 1], [1, 0, 0, 1]),
        (4, [1, 0, 0, 1], [2, 3, 3, 2]),
    ],
)
def test_point_symmetry_shows_one_quadrant_mirrored_about_the_centre(
    label: int, columns: list[int], rows: list[int]
) -> None:
    maps = torch.rand(1, 4, 4)
    warped = warp_maps(maps, matrix("point_symmetry", label), "reflect")
    torch.testing.assert_close(warped[0], maps[0][rows][:, columns], atol=1e-4, rtol=0)


def test_validity_of_a_translation() -> None:
    valid = validity(matrix("translation", 0), (20, 20), "mean")[0]
    assert not valid[0].any()
    assert not valid[:, 0].any()
    assert valid[1:, 1:].all()
    assert validity(matrix("translation", 0), (20, 20), "reflect").all()


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_rotation_by_quarter_turns_leaves_everything_valid(turns: int) -> None:
    assert validity(matrix("rotation", turns), (14, 14), "mean").all()


def test_validity_of_a_smaller_scale_is_the_inner_part() -> None:
    valid = validity(matrix("scale", 0), (26, 26), "mean")[0]
    assert valid.sum().item() == 20 * 20
    assert valid[3:23, 3:23].all()


def test_pairwise_warp_holds_every_pair() -> None:
    maps = torch.rand(3, 4, 4)
    matrices = torch.cat([matrix("rotation", 1), matrix("rotation", 2)])
    warped = pairwise_warp(maps, matrices, "mean")
    assert warped.shape == (2, 3, 4, 4)
    torch.testing.assert_close(warped[1, 2], torch.rot90(maps[2], 2), atol=1e-5, rtol=0)


def test_view_without_transformation_is_a_crop() -> None:
    images = torch.rand(2, 3, 8, 8)
    extent = 4 / 8
    views = view_matrices(torch.tensor([[-1.0, -1.0], [1.0, 0.5]]), torch.tensor([False, False]), extent, 1 - extent)
    cut = sample_views(images, views, IDENTITY.expand(2, 3, 3), 4, "mean")
    torch.testing.assert_close(cut[0], images[0, :, :4, :4], atol=1e-5, rtol=0)
    # Offset (1, 0.5) of a slack of 4 pixels: all the way right, 3 of 4 pixels down.
    torch.testing.assert_close(cut[1], images[1, :, 3:7, 4:], atol=1e-5, rtol=0)


def test_mirrored_view() -> None:
    images = torch.rand(1, 3, 6, 6)
    views = view_matrices(torch.zeros(1, 2), torch.tensor([True]), 1.0, 0.0)
    torch.testing.assert_close(sample_views(images, views, IDENTITY, 6, "mean"), images.flip(3), atol=1e-5, rtol=0)


def test_transformed_view_is_the_warped_view() -> None:
    images = torch.rand(1, 3, 16, 16)
    views = view_matrices(torch.tensor([[0.5, -0.5]]), torch.tensor([False]), 0.75, 0.25)
    original = sample_views(images, views, IDENTITY, 12, "reflect")
    transformed = sample_views(images, views, matrix("rotation", 1), 12, "reflect")
    torch.testing.assert_close(transformed, torch.rot90(original, 1, (2, 3)), atol=1e-4, rtol=0)


def test_fills_differ_only_outside_the_view() -> None:
    images = torch.rand(1, 3, 40, 40) + 1
    views = view_matrices(torch.zeros(1, 2), torch.tensor([False]), 0.5, 0.0)
    shrink = matrix("scale", 0)
    valid = validity(shrink, (20, 20), "mean")[0]
    by_fill = {fill: sample_views(images, views, shrink, 20, fill)[0] for fill in get_args(Fill)}
    assert (by_fill["mean"][:, ~valid] == 0).all()
    assert (by_fill["reflect"][:, ~valid] > 0).all()
    for fill in ("reflect", "crop"):
        torch.testing.assert_close(by_fill[fill][:, valid], by_fill["mean"][:, valid])
    # The view lies in the middle of the image: `crop` shows what is really there.
    whole = view_matrices(torch.zeros(1, 2), torch.tensor([False]), 0.5 * 1.3, 0.0)
    torch.testing.assert_close(by_fill["crop"], sample_views(images, whole, IDENTITY, 20, "mean")[0], atol=1e-4, rtol=0)
