"""Networks to export: pretrained backbones and checkpoints."""

from pathlib import Path

import pytest
import torch

from model_export.errors import ExportError
from model_export.source import from_checkpoint, pretrained
from tests.model_export.networks import write_checkpoint
from training.checkpoint import read_checkpoint
from training.errors import CheckpointError, TrainingError


def test_pretrained() -> None:
    source = pretrained("tf_efficientnet_lite0", feature_map="block", pooling="ptap", k=0.3)
    network = source.network
    assert (source.name, source.licence) == ("tf_efficientnet_lite0_ptap", "Apache-2.0")
    assert "ImageNet-1k" in source.training_data
    assert not network.training
    assert (network.backbone.channels, network.backbone.feature_map) == (320, "block")
    assert (network.pooling.kind, network.pooling.share, network.pooling.gate) == ("ptap", 0.3, None)


@pytest.mark.parametrize("k", [0.0, 1.5])
def test_share_out_of_range(k: float) -> None:
    with pytest.raises(ExportError, match=rf"\(0, 1\], got {k}"):
        pretrained("tf_efficientnet_lite0", feature_map="block", pooling="ptap", k=k)


def test_unknown_backbone() -> None:
    with pytest.raises(TrainingError, match="no network 'no_such_net'"):
        pretrained("no_such_net", feature_map="block", pooling="ptap", k=0.7)


def test_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "birds.pt"
    config = write_checkpoint(path)
    source = from_checkpoint(path, "CC0-1.0")
    assert (source.name, source.licence) == ("birds", "CC0-1.0")
    assert source.training_data == "3 images without labels, from none weights"
    assert not source.network.training
    assert source.network.backbone.name == config.backbone.name
    stored, state = read_checkpoint(path).network, source.network.state_dict()
    assert all(torch.equal(stored[name], value) for name, value in state.items())


def test_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"none\.pt"):
        from_checkpoint(tmp_path / "none.pt", "CC0-1.0")


@pytest.mark.parametrize("file", ["best.pt", "last.pt"])
def test_files_of_a_run_are_called_as_its_folder(file: str, tmp_path: Path) -> None:
    path = tmp_path / "robins" / file
    write_checkpoint(path)
    assert from_checkpoint(path, "CC0-1.0").name == "robins"
