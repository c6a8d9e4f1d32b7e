"""`colocalize train` from the outside."""

import errno
import re
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from colocalization.listing import list_images
from tests.training.conftest import TINY, draw_image
from training.cli import app
from training.console import duration
from training.runlog import read_log


def train(*arguments: str) -> tuple[int, str]:
    options = [part for setting in TINY for part in ("--set", setting)]
    result = CliRunner().invoke(app, [*arguments, "--preset", "small", "--threads", "1", *options])
    return result.exit_code, result.output


@pytest.fixture
def plain_folder(tmp_path: Path) -> Path:
    """Images in nested folders, nothing else."""
    for index in range(10):
        path = tmp_path / "mine" / ("inner" if index % 2 else ".") / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_image(index)).save(path, quality=95)
    return tmp_path / "mine"


def test_a_folder_without_boxes(plain_folder: Path, tmp_path: Path) -> None:
    code, output = train(str(plain_folder), "--out", str(tmp_path / "run"), "--set", "run.select=last")
    assert code == 0, output
    assert "8 images to train on, 2 held out" in output
    assert "about" in output
    assert "a step measured" in output
    assert "chosen: epoch" in output
    assert f"next: colocalize export {tmp_path / 'run' / 'best.pt'} --out model.onnx" in output
    assert (tmp_path / "run" / "best.pt").is_file()
    assert not [record for record in read_log(tmp_path / "run" / "log.jsonl") if record["kind"] == "evaluation"]


def test_boxes_are_scored_for_the_record(image_folder: Path, tmp_path: Path) -> None:
    given = ["--epochs", "1", "--set", "run.select=last"]
    code, output = train(str(image_folder), "--out", str(tmp_path / "run"), *given)
    assert code == 0, output
    assert "epoch 0, test images, cut otsu: CorLoc 0.3:" in output
    assert "epoch 1, test images" in output


def test_dry_run_only_says_how_long_it_takes(plain_folder: Path, tmp_path: Path) -> None:
    code, output = train(str(plain_folder), "--out", str(tmp_path / "run"), "--dry-run", "--seed", "3")
    assert code == 0, output
    assert "2 epochs of 2 steps of 4 images, 4 steps to go" in output
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_overwritten(plain_folder: Path, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "run")]
    assert train(str(plain_folder), *out)[0] == 0
    code, output = train(str(plain_folder), *out)
    assert code == 2
    assert "holds a run already; --resume" in output
    code, output = train(str(plain_folder), *out, "--resume")
    assert code == 0
    assert "is finished" in output


def test_the_same_images_as_other_commands(plain_folder: Path, tmp_path: Path) -> None:
    """Hidden files and results of runs are left out, and other endings and linked folders are not."""
    whole = (plain_folder / "0.jpg").read_bytes()
    for name in (".hidden/a.jpg", "._0.jpg", "results/.colocalize/run.json", "results/overlays/0.jpg"):
        path = plain_folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(whole)
    (plain_folder / "portrait.jfif").write_bytes(whole)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.jpg").write_bytes(whole)
    (plain_folder / "linked").symlink_to(tmp_path / "elsewhere")
    code, output = train(str(plain_folder), "--out", str(tmp_path / "run"), "--dry-run")
    assert code == 0, output
    assert len(list_images(plain_folder).files) == 12
    assert "folder: 12 images" in output
    assert "warning: left out" in output
    assert "results" in output


@pytest.mark.parametrize("problem", ["file", "no room"])
def test_where_nothing_can_be_written_is_said_before_the_loading(
    problem: str, plain_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    if problem == "file":
        (tmp_path / "run").write_text("in the way")
        out = out / "inside"
    else:

        def full(**_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("training.run_folder.tempfile.TemporaryFile", full)
    monkeypatch.setattr("training.cli.open_dataset", lambda *_: pytest.fail("loaded"))
    code, output = train(str(plain_folder), "--out", str(out))
    assert code == 3
    assert output.count("\n") == 1
    assert output.startswith("error: ")
    assert str(out) in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "error: nowhere is not a folder"),
        (["FOLDER", "--layout", "imagenet"], "error: no layout 'imagenet'"),
        (["FOLDER", "--preset", "large"], "error: no configuration file or preset 'large'"),
        (["FOLDER", "--set", "run.epochs=none"], "error: configuration small: run.epochs"),
        (["FOLDER", "--set", "backbone.frozen_stages=9"], "frozen_stages must be in [0, 5]"),
        (["FOLDER", "--layout", "cub"], "images.txt is missing; expected lines of"),
    ],
)
def test_errors_are_one_line(arguments: list[str], message: str, plain_folder: Path) -> None:
    result = CliRunner().invoke(
        app,
        [
            "--preset",
            "small",
            *(part for setting in TINY if "frozen" not in setting for part in ("--set", setting)),
            *(str(plain_folder) if part == "FOLDER" else part for part in arguments),
        ],
    )
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("out", "problem"), [("", "got ''"), ("a_file", "got 'a_file', which is a file")], ids=["empty", "file"]
)
def test_out_must_be_a_folder(
    out: str, problem: str, plain_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").touch()
    code, output = train(str(plain_folder), "--out", out)
    assert code == 2
    said = " ".join(re.sub("│", " ", output).split())
    assert f"'--out': must be the name of a folder ('.' is the working folder), {problem}" in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_file", "mine"]


def test_an_empty_folder(tmp_path: Path) -> None:
    code, output = train(str(tmp_path))
    assert code == 2
    assert "holds no image" in output


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "1 s"), (59, "59 s"), (61, "2 min"), (3600, "1 h 0 min"), (8100, "2 h 15 min")]
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text
