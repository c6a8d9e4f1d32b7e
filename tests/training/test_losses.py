"""The contrastive loss: what it must prefer, and the cases in which there is little or nothing to compare."""

import math

import pytest
import torch

from training.config import LossConfig
from training.geometry import warp_maps
from training.losses import MapPair, feature_contrast, map_contrast, normalise_maps
from training.pretext import PretextTasks

SIZE = 12


def blob(x: int, y: int, side: int = 4) -> torch.Tensor:
    """A map of an object: 1 on a square, 0.05 elsewhere."""
    shape = torch.full((SIZE, SIZE), 0.05)
    shape[y : y + side, x : x + side] = 1
    return shape


MAPS = torch.stack([blob(1, 1), blob(7, 2), blob(2, 7), blob(6, 6)])
QUARTERS = PretextTasks("R").matrices({"rotation": torch.tensor([0, 1, 2, 3])})


def pair(original: torch.Tensor, transformed: torch.Tensor, matrices: torch.Tensor = QUARTERS) -> MapPair:
    return MapPair(original, transformed, matrices, "mean")


def paint(maps: torch.Tensor, inside: torch.Tensor, outside: torch.Tensor) -> torch.Tensor:
    """Features that are one vector on the object and another off it, (N, C, h, w)."""
    return torch.where(maps.unsqueeze(1) > 0.5, inside.view(1, -1, 1, 1), outside.view(1, -1, 1, 1))


ALIGNED = warp_maps(MAPS, QUARTERS, "mean")
OBJECT, GROUND = torch.tensor([1.0, 0.0, 0.2]), torch.tensor([0.0, 1.0, 0.2])
FEATURES, FEATURES_T = paint(MAPS, OBJECT, GROUND), paint(ALIGNED, OBJECT, GROUND)


def test_aligned_maps_are_better_than_maps_that_did_not_turn_along() -> None:
    assert map_contrast(pair(MAPS, ALIGNED)) < map_contrast(pair(MAPS, MAPS)) - 1


def test_the_full_object_is_better_than_a_part_of_it() -> None:
    part = warp_maps(torch.stack([blob(1, 1, 2), blob(7, 2, 2), blob(2, 7, 2), blob(6, 6, 2)]), QUARTERS, "mean")
    assert 10 * map_contrast(pair(MAPS, ALIGNED)) < map_contrast(pair(MAPS, part))


def test_the_own_map_is_better_than_another_image_s() -> None:
    others = warp_maps(MAPS[[1, 2, 3, 0]], QUARTERS, "mean")
    assert map_contrast(pair(MAPS, ALIGNED)) < map_contrast(pair(MAPS, others)) - 1


def test_the_object_is_better_than_the_background() -> None:
    assert map_contrast(pair(MAPS, ALIGNED)) < map_contrast(pair(MAPS, 1 - ALIGNED)) - 1


def test_scale_and_offset_of_a_map_do_not_matter() -> None:
    torch.testing.assert_close(map_contrast(pair(MAPS, ALIGNED)), map_contrast(pair(5 * MAPS + 3, ALIGNED * 0.1 - 7)))


@pytest.mark.parametrize("others", [0.0, 0.5, 1.0])
def test_value_worked_out_by_hand(others: float) -> None:
    # Two images whose normalised maps are disjoint squares, not transformed: similarity 1 to the own map, 0 to the
    # other's, 0 to the background, so the loss is log(e + others + 1) - 1 at temperature 1.
    maps = torch.zeros(2, 4, 4)
    maps[0, :2, :2] = maps[1, 2:, 2:] = 1
    still = torch.eye(3).expand(2, 3, 3)
    loss = map_contrast(pair(maps, maps, still), LossConfig(map_temperature=1.0, map_others=others))
    assert loss.item() == pytest.approx(math.log(math.e + others + 1) - 1, abs=1e-5)


@pytest.mark.parametrize("contrast", ["infonce", "triplet"])
class TestFeatureForm:
    def loss(self, contrast: str, maps: MapPair, x: torch.Tensor, x_t: torch.Tensor, **settings: float) -> float:
        return feature_contrast(maps, x, x_t, LossConfig.model_validate({"contrast": contrast, **settings})).item()

    def test_maps_on_the_object_are_better_than_maps_beside_it(self, contrast: str) -> None:
        beside = MAPS[[3, 2, 1, 0]]
        on = self.loss(contrast, pair(MAPS, ALIGNED), FEATURES, FEATURES_T)
        off = self.loss(contrast, pair(beside, warp_maps(beside, QUARTERS, "mean")), FEATURES, FEATURES_T)
        assert on < off - 0.05

    def test_maps_that_agree_are_better(self, contrast: str) -> None:
        assert self.loss(contrast, pair(MAPS, ALIGNED), FEATURES, FEATURES_T) < self.loss(
            contrast, pair(MAPS, MAPS), FEATURES, FEATURES_T
        )

    def test_the_full_object_is_better_than_a_part_of_it(self, contrast: str) -> None:
        part = torch.stack([blob(1, 1, 2), blob(7, 2, 2), blob(2, 7, 2), blob(6, 6, 2)])
        partial = pair(part, warp_maps(part, QUARTERS, "mean"))
        full = self.loss(contrast, pair(MAPS, ALIGNED), FEATURES, FEATURES_T, margin=1.0)
        # The part leaves object features in the background, which is then less unlike the foreground.
        assert full < self.loss(contrast, partial, FEATURES, FEATURES_T, margin=1.0)

    def test_foregrounds_alike_across_images_are_better(self, contrast: str) -> None:
        strange = FEATURES.clone(), FEATURES_T.clone()
        for features, maps in zip(strange, (MAPS, ALIGNED), strict=True):
            features[1] = paint(maps[1:2], torch.tensor([0.0, 0.0, 1.0]), GROUND)[0]
        settings = {"across": 5.0, "margin": 1.0}
        alike = self.loss(contrast, pair(MAPS, ALIGNED), FEATURES, FEATURES_T, **settings)
        assert alike < self.loss(contrast, pair(MAPS, ALIGNED), strange[0], strange[1], **settings)

    def test_agreement_alone_is_the_mean_difference(self, contrast: str) -> None:
        maps, maps_t = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
        maps[0, 0, 0] = maps_t[0, 0, 1] = 1
        still = torch.eye(3)[None]
        features = torch.ones(1, 2, 4, 4)
        settings = {"across": 0.0}
        with_it = self.loss(contrast, pair(maps, maps_t, still), features, features, agreement=1.0, **settings)
        without = self.loss(contrast, pair(maps, maps_t, still), features, features, agreement=0.0, **settings)
        assert with_it - without == pytest.approx(2 / 16, abs=1e-6)


ZERO, FLAT = torch.zeros(4, SIZE, SIZE), torch.full((4, SIZE, SIZE), 0.7)


@pytest.mark.parametrize("original", [MAPS, ZERO, FLAT])
@pytest.mark.parametrize("transformed", [ALIGNED, ZERO, FLAT])
def test_maps_without_a_shape_add_nothing_and_break_nothing(original: torch.Tensor, transformed: torch.Tensor) -> None:
    original, transformed = original.clone().requires_grad_(), transformed.clone().requires_grad_()
    maps = pair(original, transformed)
    features = FEATURES.clone().requires_grad_()
    total = map_contrast(maps) + feature_contrast(maps, features, FEATURES_T)
    total.backward()
    for tensor in (original, transformed, features):
        assert tensor.grad is not None
        assert torch.isfinite(tensor.grad).all()
    has_shape = all(bool(tensor.amax() > tensor.amin()) for tensor in (original, transformed))
    assert (total.item() > 0) == has_shape


@pytest.mark.parametrize("shift", [1.9, 2.5])
def test_almost_nothing_or_nothing_visible(shift: float) -> None:
    matrices = torch.eye(3).repeat(4, 1, 1)
    matrices[1, 0, 2] = shift  # one image moves out of its frame
    transformed = MAPS.clone().requires_grad_()
    maps = pair(MAPS, transformed, matrices)
    config = LossConfig(least_visible=0.1)
    total = map_contrast(maps, config) + feature_contrast(maps, FEATURES, FEATURES, config)
    total.backward()
    assert torch.isfinite(total)
    assert transformed.grad is not None
    assert torch.isfinite(transformed.grad).all()
    assert (transformed.grad[1] == 0).all()
    assert (transformed.grad[0] != 0).any()


def test_a_single_image_has_its_background_to_be_told_from() -> None:
    maps = pair(MAPS[:1], ALIGNED[:1], QUARTERS[:1])
    assert torch.isfinite(map_contrast(maps))
    assert torch.isfinite(feature_contrast(maps, FEATURES[:1], FEATURES_T[:1]))


def test_what_lies_outside_the_visible_part_does_not_matter() -> None:
    tasks = PretextTasks("S")
    matrices = tasks.matrices({"scale": torch.tensor([0, 0, 0, 0])})
    aligned = warp_maps(MAPS, matrices, "mean")
    changed = aligned.clone()
    changed[:, 0] = changed[:, 0] * 0.5 + 0.2  # the first row shows no content; extremes stay as they were
    torch.testing.assert_close(map_contrast(pair(MAPS, aligned, matrices)), map_contrast(pair(MAPS, changed, matrices)))


@pytest.mark.parametrize("form", ["map", "feature"])
def test_gradients_equal_finite_differences(form: str) -> None:
    original, transformed = torch.rand(2, 3, 3).double(), torch.rand(2, 3, 3).double()
    features, features_t = torch.randn(2, 4, 3, 3).double(), torch.randn(2, 4, 3, 3).double()
    matrices = QUARTERS[1:3].double()

    def loss(*tensors: torch.Tensor) -> torch.Tensor:
        maps = pair(tensors[0], tensors[1], matrices)
        return map_contrast(maps) if form == "map" else feature_contrast(maps, tensors[2], tensors[3])

    inputs = [tensor.requires_grad_() for tensor in (original, transformed, features, features_t)]
    assert torch.autograd.gradcheck(loss, inputs)


def test_parts_of_a_batch_with_gathering_average_to_the_whole() -> None:
    normalised = normalise_maps(MAPS)
    whole = map_contrast(pair(MAPS, ALIGNED))
    halves = [
        map_contrast(
            MapPair(MAPS[rows], ALIGNED[rows], QUARTERS[rows], "mean", rows.start), gather=lambda maps: normalised
        )
        for rows in (slice(0, 2), slice(2, 4))
    ]
    torch.testing.assert_close(sum(halves) / 2, whole)


def test_normalise_maps() -> None:
    maps = torch.tensor([[[2.0, 4.0], [3.0, 2.0]], [[5.0, 5.0], [5.0, 5.0]]])
    assert normalise_maps(maps).tolist() == [[[0.0, 1.0], [0.5, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
