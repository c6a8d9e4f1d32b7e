"""A service over the dummy engine, as a process of its own, and images for it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.service.processes import Running, running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With kept objects, at most 8 images in a request, and a key."""
    folder = tmp_path_factory.mktemp("objects")
    with running(objects_dir=folder, max_images=8, api_keys="tester=0123456789abcdef") as service:
        yield service


def draw(path: Path, x: int, y: int, side: int = 16) -> Path:
    """A white square on black, 64 x 64 pixels."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[y : y + side, x : x + side] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def squares(tmp_path: Path) -> list[Path]:
    """Three files of one square each."""
    return [draw(tmp_path / f"{name}.png", x, y) for name, x, y in (("a", 8, 8), ("b", 40, 8), ("c", 24, 32))]
