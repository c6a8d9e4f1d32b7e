"""Small images, networks and configurations for the tests of training."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from training.config import TrainingConfig
from training.config_file import load_config

TINY = (
    "backbone.name=test_resnet",
    "backbone.weights=none",
    "backbone.feature_map=head",
    "backbone.frozen_stages=0",
    "loss.map_weight=1",
    "data.resize=72",
    "data.crop=64",
    "data.held_out=0.25",
    "run.epochs=2",
    "run.batch_size=4",
    "run.device=cpu",
    "run.tensorboard=false",
    "optimizer.warmup_epochs=0",
    "foreground.learn=false",
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def tiny_config() -> Callable[..., TrainingConfig]:
    """The preset `small` on a network and images that take milliseconds, with further overrides."""
    return lambda *overrides: load_config("small", [*TINY, *overrides])


def draw_image(index: int, side: int = 80) -> np.ndarray:
    """A bright square on dark noise, bluer downwards, (side, side, 3) uint8; where it is depends on the index."""
    random = np.random.default_rng(index)
    image = random.integers(0, 60, (side, side, 3), dtype=np.uint8)
    image[..., 2] += np.linspace(0, 100, side).astype(np.uint8)[:, None]
    x, y = (7 * index) % (side // 2), (11 * index) % (side // 2)
    image[y : y + side // 3, x : x + side // 3] = 230
    return image


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """A folder of 16 images of a bright square, with boxes for the last 4, which are the test split."""
    folder = tmp_path / "images"
    (folder / "images").mkdir(parents=True)
    boxes, splits = ["file,x0,y0,x1,y1"], ["file,class,split"]
    for index in range(16):
        name = f"{index:02d}.jpg"
        Image.fromarray(draw_image(index)).save(folder / "images" / name, quality=95)
        x, y = (7 * index) % 40, (11 * index) % 40
        boxes.append(f"{name},{x},{y},{x + 26},{y + 26}")
        splits.append(f"{name},square,{'test' if index >= 12 else 'train'}")
    (folder / "boxes.csv").write_text("\n".join(boxes) + "\n")
    (folder / "split.csv").write_text("\n".join(splits) + "\n")
    return folder
