"""Which of the two files in the box is taken, and that neither stands in for the other."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from colocalization import model_choice
from colocalization.boxes import box_iou
from colocalization.errors import ModelError, ObjectError
from colocalization.localizer import Localizer
from colocalization.model_choice import IN_THE_BOX, PrecisionChoice, box_model, load_engine, precision_of
from tests.colocalization.networks import write_network

BIRDS = sorted((Path(__file__).resolve().parents[2] / "examples" / "images").iterdir())


@pytest.fixture(scope="module")
def fp32() -> Localizer:
    return Localizer.load(device="cpu", threads=1, precision="fp32")


@pytest.fixture(scope="module")
def int8() -> Localizer:
    return Localizer.load(device="cpu", threads=1, precision="int8")


def digest(precision: str) -> str:
    with box_model(precision) as path:  # type: ignore[arg-type]
        return hashlib.sha256(path.read_bytes()).hexdigest()


def test_both_files_say_what_they_are_and_differ_in_nothing_else(fp32: Localizer, int8: Localizer) -> None:
    assert (fp32.engine.metadata.precision, int8.engine.metadata.precision) == ("fp32", "int8")
    # The foreground prior is learnt with each file, so that a few images more or less may have taught it.
    told = [replace(one.engine.metadata, foreground_data="") for one in (fp32, int8)]
    assert replace(told[0], precision="int8") == told[1]
    assert all(one.engine.metadata.foreground for one in (fp32, int8))
    assert (fp32.engine.sha256, int8.engine.sha256) == (digest("fp32"), digest("int8"))


def test_both_files_together_are_small() -> None:
    total = 0
    for precision in IN_THE_BOX:
        with box_model(precision) as path:
            total += path.stat().st_size
    assert total <= 17_000_000


@pytest.mark.parametrize(
    ("device", "cuda", "dots", "faster", "expected"),
    [
        ("cpu", True, True, False, "int8"),
        ("cpu", False, False, True, "fp32"),  # a processor without dot products is not even measured
        ("auto", False, True, False, "int8"),
        ("auto", True, True, True, "fp32"),
        ("cuda", True, True, True, "fp32"),
        ("cpu", False, None, True, "int8"),
        ("cpu", False, None, False, "fp32"),
    ],
)
def test_auto(
    device: str, cuda: bool, dots: bool | None, faster: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    monkeypatch.setattr(model_choice, "can_use_cuda", lambda: cuda)
    monkeypatch.setattr(model_choice, "dot_products", lambda: dots)
    monkeypatch.setattr(model_choice, "_measured", lambda: faster)
    monkeypatch.setattr(model_choice, "OnnxEngine", lambda path, **options: loaded.append(path.name))
    load_engine(None, device=device)  # type: ignore[arg-type]
    assert loaded == [IN_THE_BOX[expected]]  # type: ignore[index]


@pytest.mark.parametrize(("seconds", "expected"), [((3.0, 1.0), True), ((3.0, 2.5), False), ((1.0, 2.0), False)])
def test_runs_decide_where_nothing_else_does(
    seconds: tuple[float, float], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]

    class Engine:
        def __init__(self, path: Path, **options: object) -> None:
            self.seconds = seconds[path.name == IN_THE_BOX["int8"]]
            self.metadata = type("Metadata", (), {"input_size": 4})

        def run(self, image: np.ndarray) -> None:
            assert image.shape == (1, 3, 4, 4)
            clock[0] += self.seconds

    monkeypatch.setattr(model_choice, "OnnxEngine", Engine)
    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    assert model_choice._measured.__wrapped__() is expected


def test_a_file_keeps_its_own_precision(tmp_path: Path) -> None:
    path = write_network(tmp_path / "tiny.onnx")
    for precision in get_args(PrecisionChoice)[:2]:
        assert load_engine(path, precision, device="cpu").path == path
    with pytest.raises(ModelError, match=r"tiny.onnx' is of precision fp32, and int8 was asked for; leave out"):
        load_engine(path, "int8", device="cpu")


def test_a_precision_that_there_is_not() -> None:
    with pytest.raises(ValueError, match="precision must be one of auto, fp32, int8, got 'fp16'"):
        Localizer.load(precision="fp16")  # type: ignore[arg-type]
    assert get_args(PrecisionChoice)[1:] == tuple(IN_THE_BOX)


def test_precision_of_a_digest() -> None:
    assert [precision_of(digest(one)) for one in IN_THE_BOX] == list(IN_THE_BOX)
    assert precision_of("0" * 64) is None


@pytest.mark.parametrize(("fitted", "other"), [("fp32", "int8"), ("int8", "fp32")])
def test_an_object_takes_its_own_file_and_no_other(fitted: PrecisionChoice, other: PrecisionChoice) -> None:
    localizer = Localizer.load(device="cpu", threads=1, precision=fitted, effort="fast")
    common = localizer.fit(BIRDS[:3])
    assert Localizer.load(device="cpu", common=common).engine.sha256 == localizer.engine.sha256
    wrong = Localizer.load(device="cpu", threads=1, precision=other, common=common)
    said = rf"\({digest(fitted)[:12]}\), and this is .* \({digest(other)[:12]}, {other}\): .* precision {fitted}$"
    with pytest.raises(ObjectError, match=said):
        wrong.localize(BIRDS[:1], common=common)


def test_both_find_the_same_birds(fp32: Localizer, int8: Localizer) -> None:
    images = BIRDS[::2]
    results = [one.localize(images) for one in (fp32, int8)]
    boxes = [[one.boxes[0].as_tuple() for one in result] for result in results]
    assert box_iou(*boxes).diagonal().min() > 0.5
