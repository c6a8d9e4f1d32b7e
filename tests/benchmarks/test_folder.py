"""The bare network is run as `colocalize score` runs it."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks import cli, folder
from benchmarks.parts import read_parts


@pytest.mark.parametrize(("cores", "lanes", "threads"), [(2, 2, 1), (16, 4, 13)])
def test_as_many_lanes_and_threads_as_score(
    cores: int, lanes: int, threads: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(folder, "_bare_rate", lambda lanes, threads, _: seen.append((lanes, threads)) or 10.0)
    monkeypatch.setattr(folder, "score_folder", lambda *_: {"wall_seconds": 1.0})
    monkeypatch.setattr(cli, "usable_cores", lambda: cores)
    monkeypatch.setattr(cli, "RECORDS", tmp_path)
    images = Path(__file__).resolve().parents[2] / "examples" / "images"

    def measure(*options: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(cli.app, ["folder", "--images", str(images), *options])
        assert result.exit_code == 0, result.output
        return read_parts(tmp_path / "benchmark-folder.json")

    measure("--count", "2", "--mode", "common")
    assert seen == [(1, cores), (lanes, threads)] * 2  # before and after
    parts = measure("--count", "4", "--mode", "attention")
    assert [(part["mode"], part["count"], part["lanes"], part["threads"]) for part in parts] == [
        ("common", 2, lanes, threads),
        ("attention", 4, lanes, threads),
    ]
    assert [part["share"]["side by side"] for part in parts] == [0.4, 0.4]  # two images, of half of 10, and four of 10
