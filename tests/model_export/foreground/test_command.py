"""`colocalize foreground` on the example images: what it writes is a model that works, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from colocalization.localizer import Localizer
from colocalization.model_choice import box_model
from model_export.foreground.cli import app

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "images"


def learnt_on_examples(out: Path) -> str:
    done = CliRunner().invoke(app, [str(EXAMPLES), "--out", str(out)])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_model_that_sees_foreground(tmp_path: Path) -> None:
    out = tmp_path / "models" / "mine.onnx"
    said = learnt_on_examples(out)
    assert "of 1 set, without labels: examples (" in said  # a folder called images goes by its parent's name
    localizer = Localizer.load(out, device="cpu")
    assert localizer.engine.metadata.foreground
    assert localizer.engine.metadata.foreground_data.endswith("images of 1 set, without labels")
    bird = EXAMPLES / "kingfisher.jpg"
    prepared = localizer.prepare(bird)
    (features,) = localizer.run([prepared])
    assert features.foreground is not None
    centre, rim = features.foreground[8:20, 8:20].mean(), features.foreground[0].mean()
    assert centre > rim
    (found,) = localizer.localize([bird], mode="attention").images
    assert len(found.boxes) == 1
    # Nothing but the new output has changed.
    with box_model() as path:
        before = Localizer.load(path, device="cpu").run([prepared])[0]
    np.testing.assert_allclose(features.features, before.features, atol=1e-3)


class TestRefused:
    def test_sets_without_anything_in_common_to_trust(self, tmp_path: Path) -> None:
        folder = tmp_path / "blank"
        folder.mkdir()
        for index in range(9):
            Image.new("RGB", (64, 64), (index, index, index)).save(folder / f"{index}.png")
        done = CliRunner().invoke(app, [str(folder), "--out", str(tmp_path / "model.onnx")])
        assert done.exit_code != 0
        assert "no set has outlines that can be trusted" in done.output
        assert not (tmp_path / "model.onnx").exists()

    def test_too_few_images(self, tmp_path: Path) -> None:
        folder = tmp_path / "few"
        folder.mkdir()
        Image.new("RGB", (64, 64)).save(folder / "one.png")
        done = CliRunner().invoke(app, [str(folder), "--out", str(tmp_path / "model.onnx")])
        assert "few is left out: 1 of its images can be read, and at least 8 are needed" in done.output

    @pytest.mark.parametrize("content", [b"", b"nothing"])
    def test_no_model_file(self, tmp_path: Path, content: bytes) -> None:
        model = tmp_path / "model.onnx"
        model.write_bytes(content)
        done = CliRunner().invoke(app, [str(EXAMPLES), "--model", str(model), "--out", str(tmp_path / "out.onnx")])
        assert done.exit_code != 0
        assert str(model) in done.output.replace("\n", "")

    def test_a_folder_to_write_to(self, tmp_path: Path) -> None:
        done = CliRunner().invoke(app, [str(EXAMPLES), "--out", str(tmp_path)])
        assert done.exit_code != 0
        assert "must be the name of a file to write" in done.output
