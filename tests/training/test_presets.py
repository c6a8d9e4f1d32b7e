"""The presets of the papers train on the official layout, in miniature, as they will on the official data."""

from pathlib import Path

import pytest
from PIL import Image

from tests.training.conftest import draw_image
from training.build import build_network
from training.checkpoint import read_checkpoint
from training.config_file import load_config
from training.datasets import open_dataset
from training.loop import Trainer
from training.runlog import read_log

# What makes it small: random weights of a smaller network of the same family, small images, two epochs.
MINIATURE = (
    "backbone.weights=none",
    "data.resize=72",
    "data.crop=64",
    "data.workers=0",
    "run.epochs=2",
    "run.batch_size=4",
    "run.device=cpu",
    "run.tensorboard=false",
    "optimizer.milestones=[1]",
)


@pytest.fixture
def cub_replica(tmp_path: Path) -> Path:
    """CUB-200-2011 in its official layout, with twelve images to train on and two to test."""
    root = tmp_path / "CUB_200_2011"
    listed, split, boxes = [], [], []
    for index in range(14):
        name = f"{index % 3 + 1:03d}.Bird/{index:02d}.jpg"
        path = root / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_image(index)).save(path, quality=95)
        listed.append(f"{index + 1} {name}")
        split.append(f"{index + 1} {int(index < 12)}")
        boxes.append(f"{index + 1} {float(7 * index % 40)} {float(11 * index % 40)} 26.0 26.0")
    for file, lines in (("images", listed), ("train_test_split", split), ("bounding_boxes", boxes)):
        (root / f"{file}.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize(
    ("preset", "network", "tasks"),
    [
        ("paper", "legacy_seresnet18", "R+S"),
        ("psynet", "legacy_seresnet18", "R"),
        ("psynet", "legacy_seresnet18", "O+R"),
        ("psynet", "test_resnet", "S+T"),
    ],
)
def test_two_epochs_on_a_replica(preset: str, network: str, tasks: str, cub_replica: Path, tmp_path: Path) -> None:
    config = load_config(preset, [*MINIATURE, f"backbone.name={network}", f"pretext.tasks={tasks}"])
    images = open_dataset(cub_replica)
    assert images.layout == "cub"
    Trainer(config, images.train, tmp_path / "run", labelled=images.labelled_test).run()
    checkpoint = read_checkpoint(tmp_path / "run" / "best.pt")
    assert checkpoint.chosen_epoch == 2  # the recipe's last
    records = read_log(tmp_path / "run" / "log.jsonl")
    assert records[-1]["kind"] == "evaluation"
    rates = [record["learning_rate"] for record in records if record["kind"] == "step"]
    assert rates == pytest.approx([1e-3] * (len(rates) // 2) + [2e-4] * (len(rates) // 2))


@pytest.mark.parametrize("preset", ["paper", "psynet"])
@pytest.mark.parametrize("network", ["legacy_seresnet50", "vgg16_bn"])
def test_networks_of_the_papers(preset: str, network: str) -> None:
    config = load_config(preset, [f"backbone.name={network}"])
    backbone = build_network(config, pretrained=False).backbone
    assert backbone.channels == {"legacy_seresnet50": 2048, "vgg16_bn": 512}[network]
    assert config.data.crop // backbone.stride == 14
