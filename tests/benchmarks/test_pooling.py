"""The poolings' comparison on a tiny network, by the command."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks import cli, pooling
from benchmarks.networks import Case
from benchmarks.parts import read_parts
from colocalization.engine import OnnxEngine

IMAGES = Path(__file__).resolve().parents[2] / "examples" / "images"


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Images of each run of a network."""
    seen: list[int] = []
    run = OnnxEngine.run

    def watched(engine: OnnxEngine, images: np.ndarray) -> object:
        seen.append(len(images))
        return run(engine, images)

    monkeypatch.setattr(OnnxEngine, "run", watched)
    return seen


def test_parts_are_kept_and_measured_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, batches: list[int]) -> None:
    monkeypatch.setattr(cli, "RECORDS", tmp_path)
    monkeypatch.setattr(pooling, "CASES", (Case("tiny", "resnet10t", "none", 64, None),))
    monkeypatch.setattr(pooling, "_SESSIONS", 2)

    def measure(batch: int, rounds: int) -> None:
        options = ["--device", "cpu", "--images", str(IMAGES), "--batch", str(batch), "--rounds", str(rounds)]
        result = CliRunner().invoke(cli.app, ["pooling", *options])
        assert result.exit_code == 0, result.output

    measure(2, 4)
    assert set(batches) == {2}
    measure(1, 6)
    assert set(batches) == {1, 2}
    parts = read_parts(tmp_path / "benchmark-pooling.json")
    found = [
        (part["case"], part["device"], part["batch"], part["sessions"], part["run"]["settings"]["rounds"])
        for part in parts
    ]
    assert found == [("tiny", "cpu", 1, 2, 6), ("tiny", "cpu", 2, 2, 4)]
    assert [part["poolings"]["ptap"]["rounds"] for part in parts] == [6, 4]
    assert {part["run"]["settings"]["cuda"] for part in parts} == {"left out: the CPU alone was asked for"}
