"""Configuration: presets, files, overrides, and refusals that name the setting."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from training.config import TrainingConfig
from training.config_file import load_config, presets
from training.errors import TrainingError


def test_presets_are_those_documented() -> None:
    assert presets() == ("foreground", "paper", "psynet", "small")
    for name in presets():
        load_config(name)


def test_the_paper_s_recipe() -> None:
    config = load_config("paper")
    assert (config.backbone.name, config.backbone.dilated) == ("legacy_seresnet50", False)
    # Of the forms of the loss the one that does best, docs/results.md.
    assert (config.loss.feature_weight, config.loss.map_weight) == (1.0, 0.0)
    assert (config.pooling.kind, config.pooling.k) == ("ptap", 0.7)
    assert config.pretext.tasks == ("rotation", "scale")
    optimizer, run = config.optimizer, config.run
    assert (optimizer.name, optimizer.lr, optimizer.momentum) == ("sgd", 1e-3, 0.9)
    assert (optimizer.schedule, optimizer.milestones, optimizer.gamma) == ("step", (60.0,), 0.2)
    assert (run.epochs, run.batch_size) == (80, 32)
    assert (config.data.resize, config.data.crop) == (256, 224)


@pytest.mark.parametrize(
    ("override", "section", "name", "value"),
    [
        ("optimizer.lr=1e-3", "optimizer", "lr", 1e-3),
        ("backbone.name=resnet50", "backbone", "name", "resnet50"),
        ('backbone.name = "resnet50"', "backbone", "name", "resnet50"),
        ("pretext.tasks=S+T", "pretext", "tasks", ("scale", "translation")),
        ("optimizer.milestones=[3, 5]", "optimizer", "milestones", (3.0, 5.0)),
        ("pooling.gate=false", "pooling", "gate", False),
        ("data.category=bus=left", "data", "category", "bus=left"),
    ],
)
def test_overrides(override: str, section: str, name: str, value: object) -> None:
    assert getattr(getattr(load_config("small", [override]), section), name) == value


def test_later_overrides_win() -> None:
    assert load_config("small", ["run.epochs=3", "run.epochs=4"]).run.epochs == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lr=0", "optimizer.lr"),
        ("optimizer.lr=inf", "optimizer.lr"),
        ("optimizer.rate=1", "optimizer.rate"),
        ("pooling.k=0", "pooling.k"),
        ("pooling.k=1.5", "pooling.k"),
        ("pooling.kind=median", "'median'"),
        ("pretext.tasks=R+Q", "there is no pretext task 'Q'"),
        ("pretext.tasks=P", "point_symmetry needs fill 'reflect', got 'mean'"),
        ("data.crop=512", "at most resize"),
        ("data.held_out=0.95", "0.95"),
        ("run.device=tpu", "run.device"),
        ("training.epochs=3", "training"),
        ("epochs=3", "section.name=value"),
        ("run.epochs", "section.name=value"),
    ],
)
def test_refusals_name_the_setting(override: str, message: str) -> None:
    with pytest.raises(TrainingError, match=message):
        load_config("paper", [override])


def test_flip_and_mirrored_views_exclude_each_other() -> None:
    with pytest.raises(TrainingError, match=r"data\.mirror must be off"):
        load_config("small", ["pretext.tasks=R+F", "data.mirror=true"])


def test_files(tmp_path: Path) -> None:
    toml = tmp_path / "mine.toml"
    toml.write_text('[run]\nepochs = 7\n[pretext]\ntasks = ["rotation"]\n')
    config = load_config(toml, ["run.seed=5"])
    assert (config.run.epochs, config.run.seed, config.pretext.tasks) == (7, 5, ("rotation",))
    (tmp_path / "config.json").write_text(config.model_dump_json())
    assert load_config(tmp_path / "config.json") == config


def test_missing_and_damaged_files(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"preset 'nowhere\.toml'; presets: .*paper"):
        load_config("nowhere.toml")
    (tmp_path / "bad.toml").write_text("[run\n")
    with pytest.raises(TrainingError, match=r"bad\.toml"):
        load_config(tmp_path / "bad.toml")


def test_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainingConfig().run = None  # type: ignore[assignment,misc]
