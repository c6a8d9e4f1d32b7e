"""Views and losses of a batch."""

from collections.abc import Callable

import pytest
import torch

from training.build import build_network
from training.config import TrainingConfig
from training.distributed import Processes
from training.objective import Objective

MEAN, STD = (0.5, 0.25, 0.125), (0.5, 0.25, 0.5)
CPU = torch.device("cpu")
Configure = Callable[..., TrainingConfig]


def images(count: int, side: int = 72) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)


def test_the_untransformed_view_is_a_normalised_crop_and_rotation_turns_it(tiny_config: Configure) -> None:
    objective = Objective(tiny_config("pretext.tasks=R", "data.mirror=false"), MEAN, STD, CPU)
    batch, plan = images(6), objective.plan(6, seed=3)
    views = objective.views(batch, plan)
    for index in range(6):
        x, y = ((plan.offsets[index] + 1) * 4).round().int().tolist()  # 8 pixels to spare
        crop = batch[index, :, y : y + 64, x : x + 64].float() / 255
        expected = (crop - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
        torch.testing.assert_close(views.original[index], expected, atol=1e-4, rtol=0)
        turned = torch.rot90(expected, int(plan.labels["rotation"][index]), (1, 2))
        torch.testing.assert_close(views.transformed[index], turned, atol=1e-4, rtol=0)
    rgb = objective.to_rgb(views.original)
    assert rgb.shape == (6, 64, 64, 3)
    x, y = ((plan.offsets[0] + 1) * 4).round().int().tolist()
    assert (rgb[0].transpose(2, 0, 1) == batch[0, :, y : y + 64, x : x + 64].numpy()).all()


def test_mirrored_views(tiny_config: Configure) -> None:
    plan = Objective(tiny_config("data.mirror=true"), MEAN, STD, CPU).plan(400, seed=0)
    assert 150 < plan.mirrored.sum() < 250
    assert not Objective(tiny_config("data.mirror=false"), MEAN, STD, CPU).plan(400, seed=0).mirrored.any()


@pytest.mark.parametrize("tasks", ["S+T", "R+S", "H", "T"])
def test_with_fill_crop_every_pixel_is_content_of_the_image(tiny_config: Configure, tasks: str) -> None:
    objective = Objective(tiny_config(f"pretext.tasks={tasks}", "pretext.fill=crop"), (0, 0, 0), (1, 1, 1), CPU)
    # An image that tells where each of its pixels lies: a view that mirrors anything in repeats a place.
    ramp = torch.linspace(0, 255, 72).round()
    image = torch.stack([ramp.expand(72, 72), ramp.expand(72, 72).T, torch.zeros(72, 72)]).to(torch.uint8)
    count = 40
    views = objective.views(image.expand(count, 3, 72, 72), objective.plan(count, seed=1))
    x, y = views.transformed[:, 0], views.transformed[:, 1]
    for place in (x, y):
        along = (place[:, :, 1:] - place[:, :, :-1]).abs() + (place[:, :, 1:] - place[:, :, :-1]) * 0
        down = (place[:, 1:, :-1] - place[:, :-1, :-1]).abs()
        assert along.shape == (count, 64, 63)
        assert down.shape == (count, 63, 63)
    moved = (x[:, :-1, 1:] - x[:, :-1, :-1]).abs() + (y[:, :-1, 1:] - y[:, :-1, :-1]).abs()
    assert moved.min() > 0


def test_a_plan_does_not_depend_on_how_the_batch_is_shared(tiny_config: Configure) -> None:
    objective = Objective(tiny_config(), MEAN, STD, CPU)
    batch, plan = images(4), objective.plan(4, seed=2)
    whole = objective.views(batch, plan)
    half = objective.views(batch[2:], plan.part(slice(2, 4)))
    torch.testing.assert_close(half.transformed, whole.transformed[2:])
    assert torch.equal(half.labels["scale"], whole.labels["scale"][2:])


@pytest.mark.parametrize(
    ("overrides", "names"),
    [
        (("loss.map_weight=0", "loss.feature_weight=0"), set()),
        (("loss.map_weight=1", "loss.feature_weight=0"), {"map_contrast"}),
        (("loss.map_weight=1", "loss.feature_weight=2"), {"map_contrast", "feature_contrast"}),
    ],
)
def test_total_is_the_weighted_sum(tiny_config: Configure, overrides: tuple[str, ...], names: set[str]) -> None:
    config = tiny_config(*overrides)
    objective = Objective(config, MEAN, STD, CPU)
    network = build_network(config).train()
    batches = []
    views = objective.views(images(4), objective.plan(4, seed=2))
    losses = objective.losses(lambda batch: batches.append(batch.shape[0]) or network(batch), views, Processes())
    parts = {name: float(value) for name, value in losses.parts.items()}
    assert {name for name in parts if name.endswith("contrast")} == names
    weighted = parts["rotation_loss"] + parts["scale_loss"]
    weighted += config.loss.map_weight * parts.get("map_contrast", 0)
    weighted += config.loss.feature_weight * parts.get("feature_contrast", 0)
    assert float(losses.total.detach()) == pytest.approx(weighted, rel=1e-5)
    assert batches == [8 if names else 4]  # the untransformed views cost nothing where nothing needs them
    assert losses.total.requires_grad


@pytest.mark.parametrize("head_input", ["weighted", "features"])
@pytest.mark.parametrize("contrast", [0, 1])
@pytest.mark.parametrize("at_train", ["true", "false"])
def test_every_parameter_that_learns_has_a_gradient(
    tiny_config: Configure, head_input: str, contrast: int, at_train: str
) -> None:
    config = tiny_config(
        f"pooling.head_input={head_input}",
        f"pooling.at_train={at_train}",
        f"loss.map_weight={contrast}",
        "loss.feature_weight=0",
    )
    objective = Objective(config, MEAN, STD, CPU)
    network = build_network(config).train()
    views = objective.views(images(4), objective.plan(4, seed=2))
    objective.losses(network, views, Processes()).total.backward()
    for name, parameter in network.named_parameters():
        assert (parameter.grad is not None) == parameter.requires_grad, name
