"""Holding out, ordering and loading images."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from training.batches import batches, epoch_order, hold_out
from training.datasets import DatasetImage, open_dataset
from training.errors import TrainingError
from training.image_cache import SquashedImages


def names(count: int) -> list[DatasetImage]:
    return [DatasetImage(str(index), Path(str(index))) for index in range(count)]


@pytest.mark.parametrize(("count", "share", "held"), [(100, 0.1, 10), (100, 0.0, 0), (5, 0.1, 2), (3, 0.1, 2)])
def test_hold_out(count: int, share: float, held: int) -> None:
    train, rest = hold_out(names(count), share, 1)
    assert len(rest) == held
    assert {image.name for image in train} | {image.name for image in rest} == {str(index) for index in range(count)}
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
    assert torch.equal(loaded[0], torch.stack([images[3][0], images[1][0]]))
    assert torch.equal(loaded[1], torch.stack([images[0][0], images[2][0]]))


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_cannot_be_read_is_replaced_and_named_once(
    workers: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, colour in (("a", 10), ("b", 20), ("c", 30)):
        Image.new("RGB", (9, 9), (colour,) * 3).save(tmp_path / f"{name}.png")
    (tmp_path / "b.png").write_bytes(b"no image")
    images = SquashedImages(open_dataset(tmp_path).images, 8)
    first, second = batches(images, [[0, 1], [1, 2]], workers)
    assert first[:, 0, 0, 0].tolist() == [10, 30]
    assert second[:, 0, 0, 0].tolist() == [30, 30]
    assert [record.message.count("b.png") for record in caplog.records] == [1]


def test_nothing_to_read_at_all(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"no image")
    images = SquashedImages(open_dataset(tmp_path).images, 8)
    with pytest.raises(TrainingError, match="none of the 1 images can be read"):
        list(batches(images, [[0]], 0))
