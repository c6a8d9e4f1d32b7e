"""Saliency networks from outside: which files are taken, how inputs are made and outputs read."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from colocalization.errors import ModelError
from colocalization.localizer import Localizer
from colocalization.outside_prior import OutsidePrior
from tests.colocalization.saliency import SIDE, write_saliency
from tests.dummy_engine import DummyEngine


def bright_right() -> np.ndarray:
    rgb = np.zeros((16, 32, 3), np.uint8)
    rgb[:, 16:] = 200
    return rgb


@pytest.mark.parametrize("name", ["u2netp", "u2net", "silueta", "isnet-general-use", "birefnet-general-lite", "U2NETP"])
def test_kinds_that_the_name_tells(tmp_path: Path, name: str) -> None:
    prior = OutsidePrior(write_saliency(tmp_path / f"{name}.onnx"), device="cpu")
    assert prior.name == name
    found = prior.map(bright_right())
    assert found.shape == (SIDE, SIDE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[:, : SIDE // 2], 0, atol=1e-6)
    np.testing.assert_allclose(found[:, SIDE // 2 :], 1, atol=1e-6)


def test_logits_become_probabilities_before_they_are_scaled(tmp_path: Path) -> None:
    rgb = bright_right()
    rgb[:, 8:16] = 100  # half as bright
    plain = OutsidePrior(write_saliency(tmp_path / "u2net.onnx"), device="cpu").map(rgb)
    steep = OutsidePrior(write_saliency(tmp_path / "birefnet.onnx", factor=100.0), device="cpu").map(rgb)
    assert plain[0, 3] == pytest.approx(0.5, abs=0.02)
    assert steep[0, 3] == pytest.approx(1.0, abs=1e-3)


def test_side_that_the_file_leaves_free_is_the_kinds_own(tmp_path: Path) -> None:
    path = write_saliency(tmp_path / "u2net.onnx", shape=(1, 3, "h", "w"), out=(1, 1, "h", "w"))
    assert OutsidePrior(path, device="cpu").map(bright_right()).shape == (320, 320)


def test_what_is_not_finite_does_not_pass_for_no_foreground(tmp_path: Path) -> None:
    path = write_saliency(tmp_path / "u2net.onnx", factor=float("inf"))
    assert np.isnan(OutsidePrior(path, device="cpu").map(bright_right())).all()
    localizer = Localizer(DummyEngine(), prior=OutsidePrior(path, device="cpu"))
    (found,) = localizer.localize([bright_right()], mode="attention").images
    assert found.error is not None
    assert found.error.code == "not_finite"


def test_one_colour_all_over_is_no_foreground(tmp_path: Path) -> None:
    prior = OutsidePrior(write_saliency(tmp_path / "u2net.onnx"), device="cpu")
    assert not prior.map(np.full((4, 4, 3), 7, np.uint8)).any()
    assert not prior.map(np.zeros((4, 4, 3), np.uint8)).any()


class TestRefused:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"cannot read the prior '.*none\.onnx': No such file"):
            OutsidePrior(tmp_path / "none.onnx")

    def test_unknown_kind_names_what_is_allowed(self, tmp_path: Path) -> None:
        path = write_saliency(tmp_path / "mine.onnx")
        with pytest.raises(ModelError, match=r"'mine\.onnx'.*say it: u2net, isnet, birefnet"):
            OutsidePrior(path)
        assert OutsidePrior(path, "u2net", device="cpu").kind == "u2net"

    def test_no_onnx_file(self, tmp_path: Path) -> None:
        path = tmp_path / "u2net.onnx"
        path.write_bytes(b"nothing")
        with pytest.raises(ModelError, match="ONNX Runtime cannot load"):
            OutsidePrior(path, device="cpu")

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"shape": (1, 4, SIDE, SIDE)}, r"takes \[\[1, 4, 8, 8\]\]; expected one image"),
            ({"shape": (1, 3, SIDE, 4), "out": (1, 1, SIDE, 4)}, r"takes images of 4 x 8 pixels; expected square"),
            ({"kind": TensorProto.DOUBLE}, r"expected one image \(1, 3, S, S\) as tensor\(float\)"),
            ({"classes": 21}, r"gives \[1, 21, 8, 8\] first; expected one map"),
        ],
        ids=["channels", "not square", "type", "a map a class"],
    )
    def test_another_signature(self, tmp_path: Path, given: dict[str, object], said: str) -> None:
        path = write_saliency(tmp_path / "u2net.onnx", **given)  # type: ignore[arg-type]
        with pytest.raises(ModelError, match=said):
            OutsidePrior(path, device="cpu")
