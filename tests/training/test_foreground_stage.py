"""What a set teaches a network: the stage alone on small images, and `colocalize train` to its end on photographs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from colocalization.engine import OnnxEngine
from colocalization.localizer import Localizer
from colocalization.model_choice import box_model
from training.backbones import create_backbone
from training.checkpoint import read_checkpoint
from training.cli import app
from training.comparison import Comparison
from training.config import PoolingConfig
from training.datasets import DatasetImage
from training.foreground_prior import ForegroundPrior
from training.foreground_stage import Learnt, learn_foreground
from training.network import ColocalizationNet
from training.torch_engine import TorchEngine

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "images"


def learn(images: list[DatasetImage]) -> tuple[Learnt, list[str]]:
    network = ColocalizationNet(create_backbone("resnet10t", "head", "none"), {}, PoolingConfig(gate=False))
    notes: list[str] = []
    with box_model("int8") as model:
        teacher = Localizer(OnnxEngine(model, device="cpu", threads=1))
        return learn_foreground(teacher, TorchEngine(network, 64), images, notes.append), notes


def written(folder: Path, arrays: list[NDArray[np.uint8]]) -> list[DatasetImage]:
    images = []
    for index, rgb in enumerate(arrays):
        path = folder / f"{index}.png"
        Image.fromarray(rgb).save(path)
        images.append(DatasetImage(path.name, path))
    return images


class TestNothingToLearn:
    def test_too_few_images_can_be_read(self, tmp_path: Path) -> None:
        images = written(tmp_path, [np.full((40, 40, 3), 9, np.uint8)] * 7)
        (tmp_path / "bad.png").write_bytes(b"none")
        learnt, notes = learn([*images, DatasetImage("bad.png", tmp_path / "bad.png")])
        assert learnt.prior is None
        assert learnt.comparison.reason == "7 images can be read, and at least 8 are needed"
        assert [line.partition(" is left out")[0] for line in notes] == [str(tmp_path / "bad.png")]

    def test_images_without_anything(self, tmp_path: Path) -> None:
        learnt, _ = learn(written(tmp_path, [np.full((40, 40, 3), 9, np.uint8)] * 8))
        assert learnt.prior is None
        assert learnt.comparison.reason == "the outlines of 0 images can be trusted, and at least 8 are needed"
        assert not learnt.comparison.better


@pytest.mark.slow
def test_a_network_of_random_weights_is_no_better_than_the_model_in_the_box() -> None:
    torch.manual_seed(0)
    images = [DatasetImage(path.name, path) for path in sorted(EXAMPLES.iterdir())]
    learnt, notes = learn(images)
    assert notes == []
    assert learnt.prior is not None
    assert learnt.prior.learnt_on.endswith("images of 1 set, without labels")
    assert len(learnt.prior.discriminant.direction) == 256 + 512
    assert learnt.comparison.images == 15
    assert learnt.comparison.box is not None
    assert learnt.comparison.trained is not None
    assert learnt.comparison.box.agreement > learnt.comparison.trained.agreement
    assert learnt.comparison.judgements == {"attention": "no better", "common": "no better"}


@pytest.mark.slow
def test_train_ends_with_the_foreground(tmp_path: Path) -> None:
    out = tmp_path / "run"
    arguments = [str(EXAMPLES), "--out", str(out), "--threads", "1"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert "15 images to train on" in done.output
    assert "then learns the foreground and compares with the model in the box: about" in done.output
    state = read_checkpoint(out / "best.pt").foreground
    assert state is not None
    assert len(ForegroundPrior.from_state(state).discriminant.direction) == 80 + 112 + 192 + 320
    kept = Comparison.from_json(json.loads((out / "comparison.json").read_text()))
    told = done.output[done.output.index("compared on 15 images") :]
    assert kept.reason in told
    assert ("next: colocalize export" in told) == kept.better
    # Once more: nothing is learnt anew, the same is told.
    again = CliRunner().invoke(app, [*arguments, "--resume"])
    assert again.exit_code == 0, again.output
    assert again.output[again.output.index("compared on 15 images") :] == told


def test_an_input_that_is_no_multiple_of_the_stride(tmp_path: Path) -> None:
    given = [str(EXAMPLES), "--out", str(tmp_path / "run"), "--set", "foreground.input_size=100"]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 2
    assert "foreground.input_size must be a multiple of 16 pixels for tf_efficientnet_lite0, got 100" in done.output
