"""Whether a run finds a folder that can be written, and room."""

import shutil
from pathlib import Path

import pytest

from training.errors import TrainingError
from training.run_folder import check_room, check_writable


def test_a_folder_is_made_and_nothing_left_in_it(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "run")
    assert list((tmp_path / "a" / "run").iterdir()) == []


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "run").touch()
    with pytest.raises(OSError, match="File exists") as caught:
        check_writable(tmp_path / "run")
    assert str(caught.value.filename) == str(tmp_path / "run")


def test_room_for_three_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=300_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    check_room(tmp_path, 100_000_000)
    with pytest.raises(TrainingError, match="has 300 MB left; the checkpoints of this run need about 303 MB"):
        check_room(tmp_path, 101_000_000)
