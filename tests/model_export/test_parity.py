"""The parity check finds what differs."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from model_export.errors import ParityError
from model_export.graph import build_model, describe
from model_export.parity import TOLERANCES, Tolerance, check_parity, relative_difference
from model_export.source import NetworkSource
from tests.model_export.networks import change_a_weight, tiny_source

IMAGES = sorted((Path(__file__).resolve().parents[2] / "examples" / "images").iterdir())[:3]


@pytest.fixture(scope="module")
def source() -> NetworkSource:
    return tiny_source()


@pytest.fixture(scope="module")
def model(source: NetworkSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parity") / "tiny.onnx"
    path.write_bytes(build_model(source, describe(source, 64)).SerializeToString())
    return path


def changed(model: Path, tmp_path: Path, change: float) -> Path:
    """The file with one of its weights changed by so much."""
    content = onnx.load(model)
    change_a_weight(content, change)
    path = tmp_path / "changed.onnx"
    path.write_bytes(content.SerializeToString())
    return path


def test_report(source: NetworkSource, model: Path) -> None:
    report = check_parity(source.network, model, IMAGES)
    assert report.images == 3
    assert 0 <= report.attention <= TOLERANCES["fp32"].maps
    assert 0 <= report.features <= TOLERANCES["fp32"].maps
    assert report.iou >= TOLERANCES["fp32"].iou
    assert str(report).startswith("parity on 3 images: attention ")


@pytest.mark.parametrize("change", [0.5, 0.01, float("nan"), float("inf")])
def test_other_weights_are_found(source: NetworkSource, model: Path, tmp_path: Path, change: float) -> None:
    with pytest.raises(ParityError, match=r"the exported model|boxes from ONNX Runtime"):
        check_parity(source.network, changed(model, tmp_path, change), IMAGES)


def test_tolerance_is_the_limit(source: NetworkSource, model: Path) -> None:
    with pytest.raises(ParityError, match="by more than 0: parity on 1 images"):
        check_parity(source.network, model, IMAGES[:1], tolerance=Tolerance(0.0, 1.0))


def test_boxes_count_too(source: NetworkSource, model: Path, tmp_path: Path) -> None:
    other = changed(model, tmp_path, 0.5)
    with pytest.raises(ParityError, match="boxes differ from torch's: parity on 3 images"):
        check_parity(source.network, other, IMAGES, tolerance=Tolerance(1e9, 0.999999))
    assert check_parity(source.network, other, IMAGES, tolerance=Tolerance(1e9, 0.0)).iou < 0.999999


def test_other_network_is_found(model: Path) -> None:
    torch.manual_seed(5)
    other = tiny_source("max")
    with pytest.raises(ParityError):
        check_parity(other.network, model, IMAGES)


def test_no_images(source: NetworkSource, model: Path) -> None:
    with pytest.raises(ParityError, match="at least one image"):
        check_parity(source.network, model, [])


def test_unreadable_image_is_named(source: NetworkSource, model: Path, tmp_path: Path) -> None:
    path = tmp_path / "empty.jpg"
    path.touch()
    with pytest.raises(ParityError, match=r"cannot compare on empty\.jpg: the file has 0 bytes"):
        check_parity(source.network, model, [path])


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.5], [1.0, 2.0], 0.25),
        ([1.0, -3.0], [1.0, -2.0], 0.5),
        ([0.5, 0.0], [0.0, 0.0], 0.5),
        ([], [], 0.0),
        ([np.nan, 1.0], [1.0, 1.0], np.inf),
        ([1.0, 1.0], [np.nan, 1.0], np.inf),
        ([np.inf, 1.0], [np.inf, 1.0], np.inf),
    ],
)
def test_relative_difference(first: list[float], second: list[float], expected: float) -> None:
    found = relative_difference(np.array(first, np.float32), np.array(second, np.float32))
    assert found == pytest.approx(expected)
