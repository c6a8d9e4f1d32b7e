"""Records are written whole, compact, and read back."""

import json
from pathlib import Path

import pytest

from experiments.records import read_record, record_path, write_record
from training.errors import TrainingError
from training.provenance import Provenance


def test_round_trip(tmp_path: Path) -> None:
    path = record_path(tmp_path / "new", "peers")
    results = {"ious": [100, 200, -1], "nested": {"a": [{"b": 1.5}, {}], "none": None, "empty": {}}}
    write_record(path, "peers", Provenance("abc", {"torch": "2"}), {"limit": 3}, results)
    record = read_record(path)
    assert record["results"] == results
    assert (record["commit"], record["settings"], record["versions"]["torch"]) == ("abc", {"limit": 3}, "2")
    assert "[100,200,-1]" in path.read_text()
    assert [file.name for file in path.parent.iterdir()] == ["experiment-peers.json"]


def test_no_number_is_no_record(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_record(path, "a", Provenance("", {}), {}, {"score": float("nan")})
    assert not path.exists()


@pytest.mark.parametrize(
    ("text", "said"), [(None, "there is no record"), ("{", "is damaged"), (json.dumps({"a": 1}), "is no record")]
)
def test_damaged(tmp_path: Path, text: str | None, said: str) -> None:
    path = tmp_path / "a.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TrainingError, match=said):
        read_record(path)
