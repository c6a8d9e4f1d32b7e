"""Runs whose images and results lie in a store."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colocalization.localizer import Localizer
from scoring.formats import ExportOptions
from scoring.inputs import discover
from scoring.run_options import ScoreOptions
from scoring.scorer import Scorer
from scoring.stores.results_folder import results_folder
from scoring.summary import ScoreSummary
from tests.dummy_engine import DummyEngine
from tests.scoring.score_images import SIDE, Silent, write_squares
from tests.scoring.stores.s3_server import SECRET, Bucket


def square(x0: int, y0: int) -> bytes:
    pixels = np.zeros((SIDE, SIDE, 3), np.uint8)
    pixels[y0 : y0 + 16, x0 : x0 + 16] = 255
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format="PNG")
    return content.getvalue()


@pytest.fixture
def set_in(bucket: Bucket) -> Bucket:
    """Twelve squares in `set/`, of which one is damaged."""
    for number in range(12):
        bucket.put(f"set/p{number}.png", square(number * 8 % 48, number * 16 % 48))
    bucket.put("set/damaged.png", b"\x89PNG\r\n\x1a\n")
    return bucket


def score(engine: DummyEngine, bucket: Bucket, out: str = "out", **options: object) -> ScoreSummary:
    found = discover([f"{bucket.url}/set"])
    with results_folder(f"{bucket.url}/{out}") as folder:
        return Scorer(Localizer(engine), folder, ScoreOptions(**options), Silent()).score(found.files)  # type: ignore[arg-type]


def test_results_in_a_store_are_those_of_a_folder(set_in: Bucket, dummy_engine: DummyEngine, tmp_path: Path) -> None:
    write_squares(tmp_path / "set", 12)
    (tmp_path / "set/damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    options = ScoreOptions(formats=("csv", "yolo"), overlays=True, export=ExportOptions(yolo_images="copy"))
    here = Scorer(Localizer(dummy_engine), tmp_path / "out", options, Silent())
    here.score(discover([str(tmp_path / "set")]).files)
    summary = score(
        dummy_engine, set_in, formats=("csv", "yolo"), overlays=True, export=ExportOptions(yolo_images="copy")
    )
    assert summary.places[0] == f"{set_in.url}/out/predictions.jsonl"
    assert set_in.get("out/predictions.jsonl") == (tmp_path / "out/predictions.jsonl").read_bytes()
    expected = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and ".colocalize" not in path.parts
    }
    assert {key: set_in.get(key) for key in set_in.names() if key.startswith("out/") and "/.c" not in key} == expected


def test_a_slow_and_busy_store_changes_nothing(set_in: Bucket, dummy_engine: DummyEngine) -> None:
    score(dummy_engine, set_in, "calm")
    set_in.faults.delay, set_in.faults.share = 0.1, 0.05
    score(dummy_engine, set_in, "busy")
    set_in.faults.delay = set_in.faults.share = 0.0
    assert set_in.get("busy/predictions.jsonl") == set_in.get("calm/predictions.jsonl")


def test_what_is_finished_is_not_done_again_on_another_machine(set_in: Bucket, dummy_engine: DummyEngine) -> None:
    score(dummy_engine, set_in)
    first = set_in.get("out/predictions.jsonl")
    summary = score(dummy_engine, set_in)
    assert summary.reused == 12
    assert set_in.get("out/predictions.jsonl") == first


def test_an_interrupted_run_leaves_its_journal_in_the_store(set_in: Bucket, dummy_engine: DummyEngine) -> None:
    found = discover([f"{set_in.url}/set"]).files
    with pytest.raises(KeyboardInterrupt), results_folder(f"{set_in.url}/out") as folder:  # noqa: PT012
        Scorer(Localizer(dummy_engine), folder, ScoreOptions(mode="attention"), Silent()).score(found[:7])
        raise KeyboardInterrupt
    assert score(dummy_engine, set_in, mode="attention").reused == 6  # of the seven, one is damaged and tried again


def test_other_settings_begin_the_journal_anew_and_outdated_files_go(set_in: Bucket, dummy_engine: DummyEngine) -> None:
    score(dummy_engine, set_in, formats=("csv",))
    assert "out/predictions.csv" in set_in.names()
    set_in.put("out/mine.txt", b"someone's own")
    summary = score(dummy_engine, set_in, mode="attention", max_boxes=2)
    assert "out/predictions.csv" not in set_in.names()
    assert "out/mine.txt" in set_in.names()
    assert summary.cleared.removed == 2  # and the common object
    pieces = [key for key in set_in.names() if key.startswith("out/.colocalize/journal/")]
    header = json.loads(set_in.get(min(pieces)).splitlines()[0])
    assert header["settings"]["mode"] == "attention"


def test_the_commands_take_urls_and_never_show_a_key(set_in: Bucket) -> None:
    def colocalize(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "colocalization.commands.main", *arguments]
        environment = {**os.environ, **set_in.environment, "AWS_MAX_ATTEMPTS": "1"}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    set_in.put("hints.csv", b"file,x0,y0,x1,y1\np3.png,24,0,40,16\n")
    told = [
        colocalize("fit", f"{set_in.url}/set", "--hints", f"{set_in.url}/hints.csv", "-o", f"{set_in.url}/square.npz"),
        colocalize("show", f"{set_in.url}/square.npz"),
        colocalize(
            *("score", f"{set_in.url}/set/p*.png", "--object", f"{set_in.url}/square.npz", "--out", f"{set_in.url}/out")
        ),
    ]
    set_in.faults.share = 1.0
    told.append(colocalize("score", f"{set_in.url}/set", "--out", f"{set_in.url}/other"))
    assert [one.returncode for one in told] == [1, 0, 0, 3], told
    assert re.search(r"file\s*│\s*s3://", told[1].stdout)
    assert len(set_in_lines(set_in)) == 12
    assert told[3].stderr.splitlines()[-1].startswith("error: the store has failed 2 times")
    assert not [one for one in told if SECRET in one.stdout + one.stderr or "AKIAnobody" in one.stdout + one.stderr]


def set_in_lines(bucket: Bucket) -> list[bytes]:
    bucket.faults.share = 0.0
    return bucket.get("out/predictions.jsonl").splitlines()
