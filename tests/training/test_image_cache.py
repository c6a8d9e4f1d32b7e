"""Images squashed and kept."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.datasets import DatasetImage, open_dataset
from training.image_cache import SquashedImages, squash


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
        assert all(squashed[index][0].shape == (3, 264, 264) for index in range(8))
    assert len(loads) == 8 + 3
    assert squashed.part(images[2:4])[0][0] is squashed[2][0]
    assert len(loads) == 8 + 3


def test_unreadable_images_are_left_out_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "good.jpg")
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    images = SquashedImages(open_dataset(tmp_path).images, 8, 1)
    told = []
    kept = images.readable(2, lambda done, total: told.append((done, total)))
    assert [image.name for image in kept] == ["good.jpg"]
    assert told == [(1, 2), (2, 2)]
    assert "bad.jpg is left out" in caplog.text
    assert images.read(0) is None
    assert images[0][1] == 1
    assert images.together().shape == (1, 3, 8, 8)
