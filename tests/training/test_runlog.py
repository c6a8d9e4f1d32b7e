"""The record of a run, whole after a crash."""

import json
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.runlog import RunLog, read_log


def write(folder: Path, steps: range, resume_step: int | None = None) -> None:
    with RunLog(folder, resume_step=resume_step, tensorboard=False) as log:
        for step in steps:
            log.write("step", step, loss=step / 2)


def test_records_are_lines_of_json(tmp_path: Path) -> None:
    write(tmp_path, range(1, 4))
    assert read_log(tmp_path / "log.jsonl") == [{"kind": "step", "step": step, "loss": step / 2} for step in (1, 2, 3)]


def test_a_resumed_run_drops_what_came_after_its_checkpoint(tmp_path: Path) -> None:
    write(tmp_path, range(1, 6))
    with (tmp_path / "log.jsonl").open("a") as stream:
        stream.write('{"kind": "st')  # the crash
    write(tmp_path, range(4, 6), resume_step=3)
    assert [record["step"] for record in read_log(tmp_path / "log.jsonl")] == [1, 2, 3, 4, 5]


def test_a_new_run_starts_a_new_record(tmp_path: Path) -> None:
    write(tmp_path, range(3))
    write(tmp_path, range(1))
    assert len(read_log(tmp_path / "log.jsonl")) == 1


def test_infinity_is_null(tmp_path: Path) -> None:
    with RunLog(tmp_path, resume_step=None, tensorboard=False) as log:
        log.write("step", 1, gradient_norm=float("inf"), loss=1.0)
    assert json.loads((tmp_path / "log.jsonl").read_text())["gradient_norm"] is None


def test_missing_and_damaged_logs(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run log"):
        read_log(tmp_path / "log.jsonl")
    (tmp_path / "log.jsonl").write_text('{"step": 1}\nnonsense\n{"step": 2}\n')
    with pytest.raises(TrainingError, match="line 2"):
        read_log(tmp_path / "log.jsonl")


def test_tensorboard_has_the_same_numbers(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with RunLog(tmp_path, resume_step=None, tensorboard=True) as log:
        log.write("step", 1, loss=0.25)
        log.write("step", 2, loss=0.125)
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(event.step, event.value) for event in events.Scalars("step/loss")] == [(1, 0.25), (2, 0.125)]
