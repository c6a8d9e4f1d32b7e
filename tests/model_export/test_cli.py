"""`colocalize export`, from a checkpoint to boxes; and the model that is shipped."""

import hashlib
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import timm
import torch
from onnx import numpy_helper
from PIL import Image
from typer.testing import CliRunner, Result

from colocalization.engine import OnnxEngine
from colocalization.localizer import Localizer
from colocalization.metadata import ModelMetadata
from colocalization.model_choice import DEFAULT_MODEL, IN_THE_BOX
from model_export import cli
from model_export.errors import ParityError
from model_export.foreground.foreground_output import without_foreground
from model_export.graph import build_model
from model_export.parity import TOLERANCES, Tolerance
from model_export.source import NetworkSource
from tests.model_export.networks import change_a_weight, write_checkpoint

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "examples" / "images"
MODELS = ROOT / "colocalization" / "models"


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.pt"
    write_checkpoint(path)
    return path


def export(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def test_checkpoint_to_boxes(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder" / "tiny.onnx"
    done = export(checkpoint, "--out", out, "--parity-images", IMAGES, "--input-size", 64, "--licence", "CC BY 4.0")
    assert done.exit_code == 0, done.output
    assert "parity on 15 images: attention " in done.output
    assert f"sha256 {hashlib.sha256(out.read_bytes()).hexdigest()}" in done.output.replace("\n", " ")
    assert [path.name for path in out.parent.iterdir()] == ["tiny.onnx"]
    localizer = Localizer.load(out, device="cpu", threads=1)
    metadata = localizer.engine.metadata
    assert (metadata.name, metadata.backbone, metadata.input_size) == ("tiny", "resnet10t", 64)
    assert (metadata.licence, metadata.gate, metadata.pooling) == ("CC BY 4.0", True, "ptap")
    assert localizer.engine.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    results = localizer.localize(sorted(IMAGES.iterdir())[:3]).images
    assert all(result.error is None for result in results)
    assert any(result.boxes for result in results)


def test_parity_failure_leaves_the_file_that_was_there(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build_another(source: NetworkSource, metadata: ModelMetadata, calibration: object) -> onnx.ModelProto:
        model = build_model(source, metadata)
        change_a_weight(model, 0.1)
        return model

    monkeypatch.setattr(cli, "build_model", build_another)
    out = tmp_path / "out" / "tiny.onnx"
    out.parent.mkdir()
    out.write_bytes(b"the old one")
    done = export(checkpoint, "--out", out, "--parity-images", IMAGES, "--input-size", 64)
    assert done.exit_code == 2
    assert "error: the exported model" in done.output
    assert [path.name for path in out.parent.iterdir()] == ["tiny.onnx"]
    assert out.read_bytes() == b"the old one"


def test_parity_failure_writes_nothing(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def differs(*arguments: object, **options: object) -> None:
        raise ParityError("the exported model differs from torch")

    monkeypatch.setattr(cli, "check_parity", differs)
    monkeypatch.setattr(cli, "build_model", lambda *arguments: onnx.ModelProto())
    out = tmp_path / "out" / "tiny.onnx"
    done = export(checkpoint, "--out", out, "--parity-images", IMAGES, "--input-size", 64)
    assert done.exit_code == 2
    assert "error: the exported model differs from torch" in done.output
    assert list(out.parent.iterdir()) == []


def test_photographs_that_cannot_be_read_are_left_out(checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    (folder / "x.jpg").mkdir(parents=True)
    (folder / "results" / ".colocalize").mkdir(parents=True)
    photographs = sorted(IMAGES.iterdir())
    whole = photographs[0].read_bytes()
    (folder / "a.jpg").write_bytes(whole)
    (folder / "._a.jpg").write_bytes(b"Mac OS X")
    (folder / "cut.jpg").write_bytes(whole[: len(whole) // 9])
    (folder / "results" / "overlay.jpg").write_bytes(whole)
    with Image.open(photographs[1]) as image:
        image.save(folder / "x.jpg" / "b.tif")
    done = export(checkpoint, "--out", tmp_path / "tiny.onnx", "--parity-images", folder, "--input-size", 64)
    assert done.exit_code == 0, done.output
    assert "parity on 2 images: " in done.output
    said = " ".join(done.output.split())
    assert "cut.jpg is left out: " in said
    assert "holds the results of a run" in said
    assert "._a.jpg" not in said


def test_a_sample_of_the_photographs(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny.onnx"
    given = [checkpoint, "--out", out, "--parity-images", IMAGES, "--input-size", 64]
    done = export(*given, "--max-parity-images", 4, "--name", "my birds", "--threads", 1)
    assert done.exit_code == 0, done.output
    assert "parity on 4 images: " in done.output
    assert Localizer.load(out, device="cpu", threads=1).engine.metadata.name == "my birds"


@pytest.mark.parametrize("exists", [True, False])
def test_no_images_to_compare_on(checkpoint: Path, tmp_path: Path, exists: bool) -> None:
    folder = tmp_path / "images"
    if exists:
        folder.mkdir()
        (folder / "notes.txt").touch()
    done = export(checkpoint, "--out", tmp_path / "tiny.onnx", "--parity-images", folder, "--input-size", 64)
    assert done.exit_code == 2
    assert "there are no images in" in done.output
    assert str(folder) in done.output.replace("\n", "")
    assert not (tmp_path / "tiny.onnx").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{checkpoint}", "--input-size", "100"], "multiple of 16 pixels, got 100"),
        (["{folder}/none.pt"], "none.pt"),
        (["imagenet:no_such_net"], "no network 'no_such_net'"),
        (["imagenet:tf_efficientnet_lite0", "--k", "1.5"], "(0, 1], got 1.5"),
    ],
)
def test_what_cannot_be_exported(checkpoint: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    given = [argument.format(checkpoint=checkpoint, folder=tmp_path) for argument in arguments]
    done = export(*given, "--out", tmp_path / "tiny.onnx", "--parity-images", IMAGES)
    assert done.exit_code == 2
    assert message in done.output
    assert "Traceback" not in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny.pt"]


@pytest.mark.parametrize(
    ("out", "problem"), [("", "got ''"), (".", "got '.', which is a folder")], ids=["empty", "folder"]
)
def test_out_must_be_a_file(
    out: str, problem: str, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = export(checkpoint, "--out", out, "--parity-images", IMAGES, "--input-size", 64)
    assert done.exit_code == 2
    said = " ".join(re.sub("│", " ", done.output).split())
    assert f"'--out': must be the name of a file to write, such as model.onnx, {problem}" in said
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.pt"]


@pytest.mark.parametrize(
    ("name", "size", "cells"), [("vit_small_patch14_dinov2", 112, 8), ("vit_small_patch16_dinov3", 96, 6)]
)
def test_a_transformer_without_training(
    name: str, size: int, cells: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random weights, two blocks: from timm's name to boxes in both modes, over a set."""
    create = timm.create_model

    def shallow(name: str, pretrained: bool = False, **settings: object) -> object:
        torch.manual_seed(0)
        return create(name, pretrained=False, depth=2, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(timm, "create_model", shallow)
    out = tmp_path / "vit.onnx"
    given = ["--out", out, "--parity-images", IMAGES, "--max-parity-images", 3, "--input-size", size]
    done = export(f"imagenet:{name}", *given)
    assert done.exit_code == 0, done.output
    localizer = Localizer.load(out, device="cpu", threads=1)
    metadata = localizer.engine.metadata
    assert (metadata.backbone, metadata.channels, metadata.map_size) == (name, 384, cells)
    for mode in ("attention", "common"):
        results = localizer.localize(sorted(IMAGES.iterdir())[:4], mode=mode).images
        assert all(result.error is None for result in results)


@pytest.mark.parametrize("size", [100, 20])
def test_a_size_that_is_no_multiple_of_the_patch(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = timm.create_model
    monkeypatch.setattr(
        timm, "create_model", lambda name, **settings: create(name, **{**settings, "pretrained": False})
    )
    done = export(
        "imagenet:vit_small_patch14_dinov2",
        "--out",
        tmp_path / "a.onnx",
        "--parity-images",
        IMAGES,
        "--input-size",
        size,
    )
    assert done.exit_code == 2
    assert f"must be a positive multiple of 14 pixels, got {size}" in " ".join(done.output.split())


def readme() -> str:
    return (MODELS / "README.md").read_text()


def test_shipped_models_are_the_recorded_ones() -> None:
    lines = (MODELS / "SHA256SUMS").read_text().splitlines()
    recorded = {name: digest for digest, name in map(str.split, lines)}
    assert recorded.keys() == {*IN_THE_BOX.values()} == {path.name for path in MODELS.glob("*.onnx")}
    for name, digest in recorded.items():
        assert hashlib.sha256((MODELS / name).read_bytes()).hexdigest() == digest


def test_shipped_model_is_described() -> None:
    metadata = Localizer.load(device="cpu", precision="fp32").engine.metadata
    assert metadata.licence in readme()
    assert metadata.training_data in readme()


def test_both_precisions_of_a_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "tiny.onnx"
    given = [checkpoint, "--out", out, "--parity-images", IMAGES, "--max-parity-images", 3, "--input-size", 64]
    done = export(*given, "--precision", "both")
    assert done.exit_code == 0, done.output
    assert done.output.count("parity on 3 images") == 2
    assert sorted(path.name for path in out.parent.iterdir()) == ["tiny.onnx", "tiny_int8.onnx"]
    engines = [OnnxEngine(out.with_name(name), device="cpu") for name in ("tiny.onnx", "tiny_int8.onnx")]
    assert [engine.metadata.precision for engine in engines] == ["fp32", "int8"]


def test_both_precisions_or_none(checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_for_int8(*arguments: object, tolerance: Tolerance, **options: object) -> str:
        if tolerance == TOLERANCES["int8"]:
            raise ParityError("the exported model differs from torch")
        return "fine"

    monkeypatch.setattr(cli, "check_parity", fails_for_int8)
    out = tmp_path / "out" / "tiny.onnx"
    given = [checkpoint, "--out", out, "--parity-images", IMAGES, "--max-parity-images", 2, "--input-size", 64]
    done = export(*given, "--precision", "both")
    assert done.exit_code == 2
    assert list(out.parent.iterdir()) == []


@pytest.mark.slow
def test_recorded_command_gives_the_shipped_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = (ROOT / "Makefile").read_text()
    recorded = re.search(r"colocalize export (imagenet:.*)$", told, re.MULTILINE)
    assert recorded is not None
    out = tmp_path / DEFAULT_MODEL
    monkeypatch.chdir(ROOT)
    done = export(*recorded[1].replace("$(MODEL)", str(out)).split())
    assert done.exit_code == 0, done.output
    assert out.read_bytes() == exported(MODELS / DEFAULT_MODEL).SerializeToString(deterministic=True)
    # What the ranges of int8 are calibrated by is computed, on each kind of processor with another rounding.
    ours, theirs = (constants(folder / IN_THE_BOX["int8"]) for folder in (tmp_path, MODELS))
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        assert np.allclose(values, theirs[name], rtol=1e-3, atol=1e-4 if values.dtype == np.float32 else 1), name


def exported(model: Path) -> onnx.ModelProto:
    """A model as it was before it learnt what foreground is."""
    return without_foreground(onnx.load(model))


def constants(model: Path) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in exported(model).graph.initializer}
