"""The signal that chooses the epoch, on maps and features that can be worked out by hand."""

import pytest
import torch

from training.set_transfer import transfer


def squares(count: int, *, shared: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """A square somewhere in each image, and features that show it: in one channel, or in one of its own each."""
    random = torch.Generator().manual_seed(0)
    maps = torch.zeros(count, 8, 8)
    features = torch.zeros(count, count + 1, 8, 8)
    features[:, count] = 1  # the ground
    for index in range(count):
        x, y = torch.randint(0, 6, (2,), generator=random).tolist()
        maps[index, y : y + 2, x : x + 2] = 1
        features[index, :, y : y + 2, x : x + 2] = 0
        features[index, 0 if shared else index, y : y + 2, x : x + 2] = 1
    return maps, features


def test_what_the_images_share_is_predicted() -> None:
    assert transfer(*squares(6, shared=True)) == pytest.approx(1, abs=1e-5)


def test_maps_beside_the_object_are_not() -> None:
    maps, features = squares(6, shared=True)
    assert transfer(maps.roll((4, 4), dims=(1, 2)), features) < 0.4


def test_the_same_blob_everywhere_is_worse_than_the_object() -> None:
    maps, features = squares(6, shared=True)
    blob = torch.zeros_like(maps)
    blob[:, 3:5, 3:5] = 1
    assert transfer(blob, features) < transfer(maps, features) - 0.5


def test_a_map_and_its_inverse_are_not_told_apart() -> None:
    maps, features = squares(6, shared=True)
    assert transfer(1 - maps, features) == pytest.approx(transfer(maps, features), abs=1e-4)


def test_maps_without_a_shape_count_nothing() -> None:
    _, features = squares(4, shared=True)
    assert transfer(torch.ones(4, 8, 8), features) == 0


@pytest.mark.parametrize("channels", [1, 7, 384])
def test_any_number_of_channels(channels: int) -> None:
    torch.manual_seed(0)
    assert -1 <= transfer(torch.rand(3, 5, 5), torch.randn(3, channels, 5, 5)) <= 1
