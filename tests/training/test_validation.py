"""Label-free signals on networks whose maps are known."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from training.config import TrainingConfig
from training.network import TrainingOutput
from training.objective import Objective
from training.validation import Signals, validate

Configure = Callable[..., TrainingConfig]
CPU = torch.device("cpu")


class Known(torch.nn.Module):
    """Attention: the brightness of each 16 x 16 cell, or one blob whatever the image. Logits: always class 0."""

    def __init__(self, blob: bool) -> None:
        super().__init__()
        self.blob = blob

    def attend(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.nn.functional.avg_pool2d(images, 16)
        if not self.blob:
            return features.mean(dim=1), features
        side = features.shape[-1]
        line = -(torch.linspace(-1, 1, side) ** 2)
        return (line[:, None] + line).expand(images.shape[0], side, side), features

    def forward(self, images: Tensor) -> TrainingOutput:
        attention, features = self.attend(images)
        logits = torch.zeros(images.shape[0], 4)
        logits[:, 0] = 9
        return TrainingOutput({"rotation": logits}, attention, features)


def measure(config: TrainingConfig, blob: bool, count: int = 40) -> Signals:
    objective = Objective(config, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), CPU)
    coarse = torch.randint(0, 256, (count, 1, 9, 9))
    images = coarse.repeat_interleave(8, 2).repeat_interleave(8, 3).expand(count, 3, 72, 72).to(torch.uint8)
    return validate(Known(blob), objective, images, seed=4)  # type: ignore[arg-type]


def test_a_map_that_follows_the_image(tiny_config: Configure) -> None:
    signals = measure(tiny_config("pretext.tasks=R"), blob=False)
    assert signals.equivariance == pytest.approx(1, abs=1e-3)
    assert signals.distinctness > 0.1
    assert signals.pretext_accuracy == pytest.approx(0.25, abs=0.12)


def test_the_same_blob_everywhere_is_equivariant_but_not_distinct(tiny_config: Configure) -> None:
    signals = measure(tiny_config("pretext.tasks=R"), blob=True)
    assert signals.equivariance == pytest.approx(1, abs=1e-5)
    assert signals.distinctness == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("count", [2, 33])
def test_any_number_of_images_gives_the_same_twice(tiny_config: Configure, count: int) -> None:
    torch.manual_seed(1)
    first = measure(tiny_config("pretext.tasks=R"), blob=False, count=count)
    torch.manual_seed(1)
    assert measure(tiny_config("pretext.tasks=R"), blob=False, count=count) == first
    assert first.equivariance == pytest.approx(1, abs=1e-3)


def test_one_image_is_too_few(tiny_config: Configure) -> None:
    with pytest.raises(ValueError, match="at least 2 held-out images, got 1"):
        measure(tiny_config("pretext.tasks=R"), blob=True, count=1)


def test_more_is_better_in_every_score() -> None:
    signals = Signals(loss=2.0, pretext_accuracy=0.5, equivariance=0.9, distinctness=0.1)
    assert signals.score("loss") == -2.0
    assert signals.score("distinctness") == 0.1
