"""Loading, holding out and ordering images."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.datasets import DatasetImage, open_dataset
from training.errors import TrainingError
from training.image_cache import SquashedImages, batches, epoch_order, hold_out, squash


def test_squash_keeps_colours_and_changes_the_aspect() -> None:
    rgb = np.zeros((40, 20, 3), np.uint8)
    rgb[20:] = (10, 20, 30)
    small = squash(rgb, 4)
    assert small.shape == (3, 4, 4)
    assert small[:, 0, 0].tolist() == [0, 0, 0]
    assert small[:, 3, 3].tolist() == [10, 20, 30]


def test_cache_holds_what_fits(image_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = open_dataset(image_folder).images
    loads = []
    load = DatasetImage.load
    monkeypatch.setattr(DatasetImage, "load", lambda self: loads.append(self.name) or load(self))
    # 1 MB holds 5 images of 264 x 264 x 3 bytes.
    squashed = SquashedImages(images[:8], 264, cache_mb=1)
    assert not squashed.fits_cache
    for _ in range(2):
        assert all(squashed[index].shape == (3, 264, 264) for index in range(8))
    assert len(loads) == 8 + 3
    assert squashed.part(images[2:4])[0] is squashed[2]
    assert len(loads) == 8 + 3


def test_unreadable_images_are_found_and_named(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "good.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    images = SquashedImages(open_dataset(tmp_path).images, 8, 1)
    ((image, reason),) = images.unreadable()
    assert image.name == "bad.jpg"
    assert "bad.jpg" in reason
    with pytest.raises(TrainingError, match=r"bad.jpg.*mend or remove it"):
        images[0]


def names(count: int) -> list[DatasetImage]:
    return [DatasetImage(str(index), Path(str(index))) for index in range(count)]


@pytest.mark.parametrize(("count", "share", "held"), [(100, 0.1, 10), (100, 0.0, 0), (5, 0.1, 2), (3, 0.1, 2)])
def test_hold_out(count: int, share: float, held: int) -> None:
    train, rest = hold_out(names(count), share, 1)
    assert len(rest) == held
    assert {one.name for one in train} | {one.name for one in rest} == {str(index) for index in range(count)}
    assert len(train) + len(rest) == count
    assert (train, rest) == hold_out(names(count), share, 1)


def test_too_few_to_hold_out() -> None:
    with pytest.raises(TrainingError, match="2 training images are too few"):
        hold_out(names(2), 0.1, 0)


def test_epoch_order_is_a_permutation_that_seed_and_epoch_decide() -> None:
    order = epoch_order(10, 3, epoch=2, seed=5)
    assert [len(batch) for batch in order] == [3, 3, 3]
    assert len({index for batch in order for index in batch}) == 9
    assert order == epoch_order(10, 3, epoch=2, seed=5)
    assert order != epoch_order(10, 3, epoch=3, seed=5)
    assert order != epoch_order(10, 3, epoch=2, seed=6)


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_come_in_order_and_leave_the_global_generator_alone(image_folder: Path, workers: int) -> None:
    images = SquashedImages(open_dataset(image_folder).images, 8, 1)
    before = torch.get_rng_state()
    loaded = list(batches(images, [[3, 1], [0, 2]], workers))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(loaded[0], torch.stack([images[3], images[1]]))
    assert torch.equal(loaded[1], torch.stack([images[0], images[2]]))
