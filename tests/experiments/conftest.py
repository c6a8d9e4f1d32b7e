"""Small sets and records for the tests of experiments."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from experiments.records import Record
from tests.training.conftest import image_folder, one_thread, tiny_config
from training.datasets import DatasetImage

__all__ = ["image_folder", "one_thread", "squares", "tiny_config"]  # fixtures of training serve here, too

SQUARE = (16, 8, 40, 32)


@pytest.fixture
def squares(tmp_path: Path) -> Sequence[DatasetImage]:
    """Six images of 64 x 64 with a light square on dark, each at another place."""
    images = []
    for index in range(6):
        path = tmp_path / "squares" / f"{index}.png"
        path.parent.mkdir(exist_ok=True)
        image = Image.new("RGB", (64, 64), (20 + index, 20, 30))
        x0, y0, x1, y1 = (value + 3 * index for value in SQUARE)
        ImageDraw.Draw(image).rectangle((x0, y0, x1 - 1, y1 - 1), fill=(250, 240, 230))
        image.save(path)
        images.append(DatasetImage(path.name, path, "both", ((float(x0), float(y0), float(x1), float(y1)),)))
    return images


@pytest.fixture
def record() -> Callable[..., Record]:
    """A record with the given settings and results."""

    def make(name: str, settings: dict[str, Any], results: dict[str, Any]) -> Record:
        return {
            "experiment": name,
            "date": "2026-01-02T03:04:05+00:00",
            "command": f"python -m experiments {name}",
            "commit": "0123456789abcdef",
            "machine": {"processor": "a processor", "cores": 2, "system": "Linux", "load_average": 0.5},
            "versions": {"python": "3.11", "onnxruntime": "1.20", "torch": "2.4"},
            "settings": {"data": "somewhere", "limit": None, **settings},
            "results": {"wall_seconds": 12.0, "peak_memory_mb": 100, **results},
        }

    return make
