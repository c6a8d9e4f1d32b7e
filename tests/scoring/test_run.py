"""Which model a run takes that an earlier one into the same folder was begun with."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from colocalization.model_choice import box_model
from scoring.run import _as_before
from scoring.run_options import MachineOptions, ScoreOptions
from tests.colocalization import objects

AUTO = MachineOptions(threads=3)


def begin(out: Path, model: str) -> None:
    (out / ".colocalize").mkdir(parents=True)
    (out / ".colocalize" / "journal.jsonl").write_text(json.dumps({"journal": 3, "settings": {"model": model}}) + "\n")


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_run_goes_on_with_the_precision_that_it_was_begun_with(tmp_path: Path, precision: str) -> None:
    with box_model(precision) as path:  # type: ignore[arg-type]
        begin(tmp_path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert _as_before(AUTO, str(tmp_path), ScoreOptions()) == replace(AUTO, precision=precision)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("machine", "options"),
    [
        (replace(AUTO, precision="int8"), ScoreOptions()),
        (replace(AUTO, model=Path("my.onnx")), ScoreOptions()),
        (AUTO, ScoreOptions(resume=False)),
        (AUTO, ScoreOptions(common=objects.PLAIN)),  # which is of a model of its own
    ],
)
def test_what_was_asked_for_stays(tmp_path: Path, machine: MachineOptions, options: ScoreOptions) -> None:
    with box_model("fp32") as path:
        begin(tmp_path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert _as_before(machine, str(tmp_path), options) is machine


def test_a_new_folder_and_another_model_leave_the_choice(tmp_path: Path) -> None:
    assert _as_before(AUTO, str(tmp_path), ScoreOptions()) is AUTO
    begin(tmp_path, "0" * 64)
    assert _as_before(AUTO, str(tmp_path), ScoreOptions()) is AUTO
