import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from colocalization._version import __version__
from colocalization.commands import main as cli
from colocalization.errors import ModelError
from colocalization.images import ImageLimits
from colocalization.localizer import Localizer
from scoring.progress import ProgressDisplay
from scoring.run_options import ScoreOptions
from scoring.scorer import Scorer
from service.settings import Settings
from tests.dummy_engine import DummyEngine
from tests.scoring.score_images import write_square, write_squares

runner = CliRunner()
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> DummyEngine:
    """The dummy engine in place of any model; what was asked for when loading is in `loaded_with`."""
    dummy = DummyEngine()

    def load(model: Path | None = None, **options: object) -> Localizer:
        loaded_with.update(options, model=model)
        return Localizer(dummy, options["limits"])  # type: ignore[arg-type]

    loaded_with.clear()
    monkeypatch.setattr(Localizer, "load", load)
    return dummy


loaded_with: dict[str, object] = {}


def run(*arguments: object, standard_input: bytes | None = None) -> tuple[int, str, str]:
    result = runner.invoke(cli.app, [str(argument) for argument in arguments], input=standard_input)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def paths(out: Path) -> list[str]:
    return [json.loads(line)["path"] for line in (out / "predictions.jsonl").read_text().splitlines()]


def rows(table: str) -> dict[str, str]:
    """The closing table, by the first column."""
    cells = (line.split("│")[1:3] for line in table.splitlines() if line.startswith("│"))
    return {left.strip(): right.strip() for left, right in cells if left.strip()}


def test_version() -> None:
    assert run("--version") == (0, f"colocalize {__version__}\n", "")


@pytest.mark.parametrize("command", ["score", "fit", "show", "serve", "evaluate"])
def test_every_command_has_help(command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert "Usage" in out


def test_score_writes_predictions_and_a_closing_table(engine: DummyEngine, tmp_path: Path) -> None:
    write_squares(tmp_path / "set", 3)
    (tmp_path / "set/notes.txt").write_text("not an image")
    code, out, err = run("score", tmp_path / "set", "--out", tmp_path / "out")
    assert code == 0
    assert paths(tmp_path / "out") == ["p0.png", "p1.png", "p2.png"]
    table = rows(out)
    assert (table["mode"], table["images"], table["with a box"], table["that failed"]) == ("common", "3", "3", "0")
    assert table["files that are no images"] == "1"
    assert "Scoring: 3/3 images" in err  # plain lines, since this is no terminal


def test_score_passes_everything_on(engine: DummyEngine, tmp_path: Path) -> None:
    write_square(tmp_path / "set/a/x.jpg", 8, 8)
    write_square(tmp_path / "set/y.png", 8, 8)
    code, out, _ = run(
        *("score", tmp_path / "set", "-o", tmp_path / "out", "--mode", "attention", "--model", "m.onnx"),
        *("--effort", "fast"),
        *("--format", "csv", "--format", "coco", "--format", "yolo", "--format", "labelstudio", "--format", "jsonl"),
        *("--heatmaps", "--overlays", "--contact-sheet", "--label", "bird", "--max-boxes", 2, "--no-resume"),
        *(
            "--device",
            "cpu",
            "--require-gpu",
            "--threads",
            3,
            "--workers",
            2,
            "--batch-size",
            2,
            "--max-pixels",
            5000,
            "--max-bytes",
            6000,
        ),
        *("--keep-unflagged", "--yolo-images", "link"),
    )
    assert code == 0
    limits = loaded_with.pop("limits")
    assert limits == ImageLimits(max_pixels=5000, max_bytes=6000)
    assert loaded_with == {
        "model": Path("m.onnx"), "device": "cpu", "require_gpu": True, "threads": 1, "effort": "fast",
        "precision": "auto", "common": None, "prior": None, "prior_kind": None,
    }  # fmt: skip
    written = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert {path for path in written if not path.startswith(".colocalize")} == {
        *("predictions.jsonl", "predictions.csv", "coco.json", "labelstudio.json", "contact-sheet.jpg"),
        *("yolo/classes.txt", "yolo/data.yaml", "yolo/labels/a/x.txt", "yolo/labels/y.txt"),
        *("yolo/images/a/x.jpg", "yolo/images/y.png"),
        *("heatmaps/a/x.jpg.png", "heatmaps/y.png.png", "overlays/a/x.jpg", "overlays/y.png.jpg"),
    }
    assert rows(out)["mode"] == "attention"


@pytest.mark.parametrize(("threads", "lanes", "of_one_operator"), [(1, 1, 1), (2, 2, 1), (4, 4, 1), (16, 4, 13)])
def test_the_cpu_runs_images_side_by_side_with_one_thread_a_core(
    engine: DummyEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    threads: int,
    lanes: int,
    of_one_operator: int,
) -> None:
    write_squares(tmp_path / "set", 8)
    together = threading.Barrier(lanes)

    def wait_for_the_others(_: int) -> None:
        together.wait(10)

    engine.before_run = wait_for_the_others
    arguments = ("--mode", "attention", "--threads", threads)
    assert run("score", tmp_path / "set", "--out", tmp_path / "out", *arguments)[0] == 0
    assert loaded_with["threads"] == of_one_operator
    assert engine.batch_sizes == [1] * 8


@pytest.mark.parametrize(("value", "required"), [("yes", True), ("FALSE", False), ("", False), ("bad", None)])
def test_whether_a_gpu_is_required_is_read_from_the_environment(
    engine: DummyEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, required: bool | None
) -> None:
    write_square(tmp_path / "a.png", 8, 8)
    monkeypatch.setenv("COLOCALIZE_REQUIRE_GPU", value)
    code, _, err = run("score", tmp_path / "a.png", "--out", tmp_path / "out")
    assert (code, loaded_with.get("require_gpu")) == (2 if required is None else 0, required)
    told = "(env var: 'COLOCALIZE_REQUIRE_GPU'): Input should be a valid boolean"
    assert (told in re.sub(r"[│\s]+", " ", err)) == (required is None)


@pytest.mark.parametrize(("cores", "given", "workers"), [(3, 0, 3), (64, 0, 12), (64, 20, 20)])
def test_threads_that_decode_and_draw_are_bounded_unless_given(
    engine: DummyEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, given: int, workers: int
) -> None:
    write_square(tmp_path / "a.png", 8, 8)
    used: list[int] = []

    class Spy(Scorer):
        def __init__(self, localizer: Localizer, out: Path, options: ScoreOptions, progress: ProgressDisplay) -> None:
            used.append(options.sizes.workers)
            super().__init__(localizer, out, options, progress)

    monkeypatch.setattr("scoring.loading.usable_cores", lambda: cores)
    monkeypatch.setattr("scoring.scorer.Scorer", Spy)
    assert run("score", tmp_path / "a.png", "--out", tmp_path / "out", "--workers", given)[0] == 0
    assert used == [workers]


def test_a_gpu_takes_batches(engine: DummyEngine, tmp_path: Path) -> None:
    engine.provider = "CUDAExecutionProvider"
    write_squares(tmp_path / "set", 3)
    arguments = ("--mode", "attention", "--batch-size", 2, "--threads", 4)
    assert run("score", tmp_path / "set", "--out", tmp_path / "out", *arguments)[0] == 0
    assert engine.batch_sizes == [2, 2]


def test_score_reads_settings_from_the_environment(
    engine: DummyEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_square(tmp_path / "a.png", 8, 8)
    monkeypatch.setenv("COLOCALIZE_MODEL", "env.onnx")
    monkeypatch.setenv("COLOCALIZE_DEVICE", "cuda")
    run("score", tmp_path / "a.png", "--out", tmp_path / "out", "--device", "cpu")
    assert (loaded_with["model"], loaded_with["device"]) == (Path("env.onnx"), "cpu")  # options win


def test_names_from_standard_input_and_from_a_file(engine: DummyEngine, tmp_path: Path) -> None:
    write_squares(tmp_path / "set", 3)
    (tmp_path / "names.txt").write_text("p2.png\np0.png\n")
    arguments = ("score", tmp_path / "set", "--out", tmp_path / "out", "--files-from")
    assert run(*arguments, tmp_path / "names.txt")[0] == 0
    assert paths(tmp_path / "out") == ["p2.png", "p0.png"]
    assert run(*arguments, "-", standard_input=b"p1.png\n")[0] == 0
    assert paths(tmp_path / "out") == ["p1.png"]


def test_failed_images_are_named_and_the_exit_code_tells(engine: DummyEngine, tmp_path: Path) -> None:
    write_squares(tmp_path / "set", 2)
    for number in range(7):
        (tmp_path / f"set/bad{number}.jpg").write_bytes(b"")
    code, out, err = run("score", tmp_path / "set", "--out", tmp_path / "out")
    assert code == 1
    assert len(paths(tmp_path / "out")) == 9
    assert "warning: failed: 'bad0.jpg': the file has 0 bytes" in err
    assert "warning: failed: 2 more, see predictions.jsonl" in err
    assert (rows(out)["that failed"], rows(out)["empty file"]) == ("7", "7")


def test_strict_makes_files_that_are_no_images_errors(engine: DummyEngine, tmp_path: Path) -> None:
    write_squares(tmp_path / "set", 2)
    (tmp_path / "set/notes.txt").write_text("not an image")
    code, _, err = run("score", tmp_path / "set", "--out", tmp_path / "out", "--strict")
    assert code == 1
    assert "failed: 'notes.txt': not an image in an allowed format" in err


def test_one_image_falls_back_to_attention_and_says_so(engine: DummyEngine, tmp_path: Path) -> None:
    write_square(tmp_path / "a.png", 8, 8)
    code, out, err = run("score", tmp_path / "a.png", "--out", tmp_path / "out")
    assert code == 0
    assert "warning: mode 'common' needs at least two readable images; used 'attention'" in err
    assert rows(out)["mode"] == "attention"


def test_images_that_share_nothing_fall_back_too_on_every_run(engine: DummyEngine, tmp_path: Path) -> None:
    for number in range(3):
        write_square(tmp_path / f"set/{number}.png", 0, 0, 0)  # black
    for reused in ("0", "3"):
        code, out, err = run("score", tmp_path / "set", "--out", tmp_path / "out")
        assert code == 0
        assert "warning: mode 'common' found no object that the images share; used 'attention'" in err
        assert (rows(out)["mode"], rows(out)["taken over from an earlier run"]) == ("attention", reused)


def test_an_outdated_file_that_was_edited_stays_and_is_named(engine: DummyEngine, tmp_path: Path) -> None:
    write_squares(tmp_path / "set", 3)
    out = tmp_path / "out"
    run("score", tmp_path / "set", "--out", out, "--format", "yolo")
    (out / "yolo/labels/p0.txt").write_text("corrected by hand")
    (tmp_path / "set/p0.png").unlink()
    code, _, err = run("score", tmp_path / "set", "--out", out, "--format", "yolo")
    assert code == 0
    assert f"warning: left what an earlier run wrote, since it was changed or cannot be removed: '{out}/yolo" in err
    assert (out / "yolo/labels/p0.txt").read_text() == "corrected by hand"


def test_links_in_a_circle_are_reported(engine: DummyEngine, tmp_path: Path) -> None:
    write_squares(tmp_path / "set", 2)
    (tmp_path / "set/loop").symlink_to(tmp_path / "set", target_is_directory=True)
    code, _, err = run("score", tmp_path / "set", "--out", tmp_path / "out")
    assert code == 0
    assert "left out 1 links that lead back" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no images: give a folder, files, a pattern, or --files-from"),
        (["one", "--hint", "a.png"], "a hint must be NAME:x0,y0,x1,y1 or NAME:none, got 'a.png'"),
        (["one", "--hint", "b.png:none"], "'b.png:none' is for an image that is not in the set"),
        (["one", "--hints", "gone.csv"], "cannot read 'gone.csv'"),
        (["one", "--hint", "a.png:none", "--mode", "attention"], "mode 'attention' has no use for hints"),
        (["one", "--object", "x.npz", "--mode", "attention"], "mode 'attention' has no use for --object"),
        (["one", "--object", "x.npz", "--hint", "a.png:none"], "give hints or --object, not both"),
        (["one", "--object", "gone.npz"], "there is no file 'gone.npz'"),
        (["missing"], "there is no file or folder 'missing'"),
        ([""], "an INPUT is empty"),
        (["--files-from", "nope.txt"], "cannot read 'nope.txt': No such file or directory"),
        (["one", "--files-from", "two"], "cannot read 'two': Is a directory"),
        (["empty"], "no image found in 'empty'"),
        (["one", "two"], "'one/a.png' and 'two/a.png' would both be called 'a.png'"),
        (["one", "--files-from", "-"], "no image found in the 0 names given"),
        (["one", "--out", "one"], "the results cannot go into the very folder that is scored, 'one'"),
        (["one", "--out", "a_file"], "--out must be a folder, but 'a_file' is a file"),
        (["mixed", "--format", "yolo"], "YOLO would call the labels"),
        (["one", "--format", "xml"], "'xml' is not one of 'jsonl', 'csv', 'coco', 'yolo', 'labelstudio'"),
        (["one", "--mode", "both"], "'both' is not one of 'attention', 'common'"),
        (["one", "--effort", "slow"], "'slow' is not one of 'full', 'fast'"),
        (["one", "--device", "tpu"], "'tpu' is not one of 'auto', 'cpu', 'cuda'"),
        (["one", "--max-boxes", "-1"], "'--max-boxes': Input should be greater than or equal to 0"),
        (["one", "--max-boxes", "abc"], "'--max-boxes': Input should be a valid integer"),
        (["one", "--threads", "-1"], "(env var: 'COLOCALIZE_THREADS'): Input should be greater than or equal to 0"),
        (
            ["one", "--max-pixels", "0"],
            "(env var: 'COLOCALIZE_MAX_PIXELS'): Input should be greater than or equal to 1",
        ),
        (["one", "--batch-size", "0"], "'--batch-size': Input should be greater than or equal to 1"),
        (["one", "--label", ""], "'--label': must be a name on one line, got ''"),
        (["one", "--label", "a\nb"], "must be a name on one line, got 'a\\nb'"),
        (["one", "--out", ""], "must be the name of a folder ('.' is the working folder), got ''"),
    ],
)
def test_usage_errors_are_one_line_and_exit_code_2(
    engine: DummyEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "a_file").touch()
    for name in ("one/a.png", "two/a.png", "mixed/a.png", "mixed/a.jpg"):
        write_square(tmp_path / name, 0, 0)
    code, out, err = run("score", *(arguments if "--out" in arguments else [*arguments, "--out", "results"]))
    assert (code, out) == (2, "")
    assert message in re.sub(r"[│\s]+", " ", err)
    assert engine.batch_sizes == []


def test_a_model_that_cannot_be_used_is_exit_code_3(tmp_path: Path) -> None:
    write_square(tmp_path / "a.png", 0, 0)
    arguments = ("score", tmp_path / "a.png", "--out", tmp_path / "out")
    code, _, err = run(*arguments, "--model", tmp_path / "none.onnx")
    assert (code, err.count("\n")) == (3, 1)
    assert "cannot read the model" in err
    code, _, err = run(*arguments, "--device", "cpu", "--require-gpu", "--model", __file__)
    assert code == 3
    assert "a GPU is required" in err


def test_results_that_cannot_be_written_are_exit_code_3(
    engine: DummyEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_square(tmp_path / "a.png", 0, 0)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "out/overlays/a.png.jpg"))

    monkeypatch.setattr("scoring.drawings.write_atomically", full)
    code, _, err = run("score", tmp_path / "a.png", "--out", tmp_path / "out", "--overlays")
    assert code == 3
    assert err.splitlines()[-1].startswith("error: No space left on device '")


@pytest.fixture
def interruptible() -> Iterator[None]:
    """As in a terminal: a shell starts what runs in the background with SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_state_that_the_next_run_goes_on_from(
    engine: DummyEngine, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    write_squares(tmp_path / "set", 30)
    runs = 0

    def strike(_: int) -> None:
        nonlocal runs
        runs += 1
        if runs == 10:
            # From another thread: the signal's handler runs in the main one, which waits for results.
            threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
        elif runs > 10:
            time.sleep(0.1)

    engine.before_run = strike
    arguments = ("score", tmp_path / "set", "--out", tmp_path / "out", "--mode", "attention", "--threads", 1)
    before = signal.getsignal(number)
    result = run(*arguments)
    assert signal.getsignal(number) == before
    assert result[0] == code
    assert "run the same command to go on" in result[2]
    assert not (tmp_path / "out/predictions.jsonl").exists()
    engine.before_run = None
    result = run(*arguments)
    assert result[0] == 0
    assert 5 <= int(rows(result[1])["taken over from an earlier run"]) < 30
    assert len(paths(tmp_path / "out")) == 30


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """The settings that the service was started with."""
    started: list[Settings] = []
    monkeypatch.setattr("service.process.server.run", started.append)
    return started


def test_serve_takes_options_before_the_environment(served: list[Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOCALIZE_HOST", "127.0.0.2")
    monkeypatch.setenv("COLOCALIZE_PORT", "9000")
    code, _, err = run("serve", "--port", 8001, "--model", "m.onnx", "--device", "cpu", "--workers", 2)
    assert code == 0
    (settings,) = served
    assert (settings.host, settings.port, settings.model) == ("127.0.0.2", 8001, Path("m.onnx"))
    assert (settings.device, settings.require_gpu, settings.threads, settings.workers) == ("cpu", False, 0, 2)
    assert err == ""


@pytest.mark.parametrize(
    ("options", "variables", "said"),
    [
        ([], {"MAX_IMAGES": "viele"}, "COLOCALIZE_MAX_IMAGES must be a whole number of at least 1, got 'viele'"),
        ([], {"BATCH_WAIT": "2"}, "COLOCALIZE_BATCH_WAIT must be a number of at least 0 and at most 1, got '2'"),
        ([], {"RELOAD": "maybe"}, "COLOCALIZE_RELOAD must be true or false, got 'maybe'"),
        ([], {"DEVICE": "tpu"}, "COLOCALIZE_DEVICE must be one of auto, cpu, cuda, got 'tpu'"),
        (
            ["--host", ""],
            {},
            "--host must be an address of this machine or its name (0.0.0.0 or :: for all of its addresses), got ''",
        ),
        ([], {"GPUS": "0,b"}, "COLOCALIZE_GPUS must be a whole number or several, comma-separated, got 'b'"),
        (["--workers", 65], {}, "--workers must be a whole number of at least 1 and at most 64, got 65"),
        (
            [],
            {"MAX_IMAGES": "200"},
            "COLOCALIZE_MAX_PENDING_IMAGES (128) must be at least COLOCALIZE_MAX_IMAGES (200), "
            "or the largest request could never be accepted",
        ),
    ],
)
def test_serve_names_a_wrong_setting_in_one_line(
    served: list[Settings], monkeypatch: pytest.MonkeyPatch, options: list[str], variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"COLOCALIZE_{name}", value)
    assert run("serve", *options) == (2, "", f"error: {said}\n")
    assert served == []


def test_serve_names_a_wrong_option(served: list[Settings]) -> None:
    code, _, err = run("serve", "--port", 99999)
    assert code == 2
    assert "'--port': Input should be less than or equal to 65535" in re.sub(r"[│\s]+", " ", err)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (ModelError("damaged"), 3, "error: damaged\n"),
        (ValueError("an API key is empty"), 2, "error: an API key is empty\n"),
        (OSError(98, "Address already in use"), 3, "error: Address already in use\n"),
    ],
)
def test_serve_that_cannot_start_says_why(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, said: str
) -> None:
    def refuse(_: Settings) -> None:
        raise error

    monkeypatch.setattr("service.process.server.run", refuse)
    assert run("serve") == (code, "", said)


@pytest.fixture
def evaluated(tmp_path: Path) -> tuple[Path, Path]:
    """Predictions and boxes: one right at 0.5, one without a prediction."""
    predictions, boxes = tmp_path / "p.jsonl", tmp_path / "boxes.csv"
    predictions.write_text('{"path": "a", "boxes": [{"x0": 0, "y0": 0, "x1": 10, "y1": 6}]}\n')
    boxes.write_text("file,x0,y0,x1,y1\na,0,0,10,10\nb,0,0,1,1\n")
    return predictions, boxes


def test_evaluate_prints_corloc(evaluated: tuple[Path, Path]) -> None:
    code, out, err = run("evaluate", evaluated[0], "--boxes", evaluated[1])
    assert code == 0
    assert out == (
        "CorLoc 0.3: 50.00  0.5: 50.00  0.7: 0.00  mean: 33.33  (images: 2, without a box: 1)\n"
        "AP50 50.50  recall: 50.00  (boxes: 2, predicted: 1)\n"  # 51 of 101 recalls
    )
    assert err == "warning: 1 files have no prediction, such as 'b': wrong\n"


def test_evaluate_prints_json(evaluated: tuple[Path, Path]) -> None:
    code, out, _ = run("evaluate", evaluated[0], "--boxes", evaluated[1], "--json")
    assert code == 0
    record = json.loads(out)
    assert record.pop("mean") == pytest.approx(100 / 3)
    assert record.pop("ap50") == pytest.approx(100 * 51 / 101)
    assert record == {
        "images": 2,
        "without_box": 1,
        "corloc": {"0.3": 50.0, "0.5": 50.0, "0.7": 0.0},
        "recall": 50.0,
        "boxes": 2,
        "predicted_boxes": 1,
    }


def test_evaluate_restricts_to_files(evaluated: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("a\nz\n")
    code, out, err = run("evaluate", evaluated[0], "--boxes", evaluated[1], "--files", tmp_path / "names.txt")
    assert code == 0
    assert "0.5: 100.00" in out
    assert err == "warning: 1 of the files asked for have no boxes, such as 'z'\n"


def test_evaluate_names_the_damaged_line(evaluated: tuple[Path, Path]) -> None:
    evaluated[0].write_text('{"path": "a", "boxes": []}\n{"path"\n')
    code, _, err = run("evaluate", evaluated[0], "--boxes", evaluated[1])
    assert (code, err.count("\n")) == (2, 1)
    assert "p.jsonl, line 2" in err


@pytest.mark.parametrize("missing", ["predictions", "boxes", "files"])
def test_evaluate_without_one_of_its_files(evaluated: tuple[Path, Path], tmp_path: Path, missing: str) -> None:
    (tmp_path / "names.txt").write_text("a\n")
    given = {"predictions": evaluated[0], "boxes": evaluated[1], "files": tmp_path / "names.txt"}
    for path, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        given[missing] = path
        code, out, err = run("evaluate", given["predictions"], "--boxes", given["boxes"], "--files", given["files"])
        assert (code, out, err) == (2, "", f"error: cannot read '{path}': {reason}\n")


def documented_commands() -> list[str]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "cli.md").read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def test_the_commands_of_the_documentation_work(
    engine: DummyEngine, served: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    # Those of object stores, and what makes models, are run by tests of their own.
    apart = ("pip ", "colocalize foreground ")
    documented = [one for one in documented_commands() if "s3://" not in one and not one.startswith(apart)]
    commands = [shlex.split(command) for command in documented]
    assert [command[:2] for command in commands] == [
        ["colocalize", name] for name in ("score", "score", "fit", "show", "score", "evaluate", "serve")
    ]
    for command in commands:
        assert run(*command[1:])[0] == 0
        if "--contact-sheet" in command:
            assert (tmp_path / "results/contact-sheet.jpg").is_file()
    assert (tmp_path / "birds.npz").is_file()
    assert served[0].port == 8000


def optional_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str) -> typer.Typer:
    """An application with a command `train` out of a module with this source."""
    (tmp_path / "offered_commands.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "offered_commands", raising=False)
    app = typer.Typer()
    app.command()(lambda: None)
    cli.add_commands(app, [EntryPoint("train", "offered_commands:app", "colocalize.commands")])
    return app


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("not_installed_torch.nn", "error: colocalize train needs the package 'not_installed_torch'; "),
    ],
)
def test_an_optional_command_without_its_packages_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, said: str
) -> None:
    app = optional_app(tmp_path, monkeypatch, f"import {missing}\n")
    result = runner.invoke(app, ["train", "folder"])
    assert result.exit_code == 3
    assert result.stderr == said + "install it with: pip install 'colocalize[train]'\n"
    listed = runner.invoke(app, ["--help"])  # the help must not need them either
    assert (listed.exit_code, "the extra 'train'" in listed.stdout) == (0, True)


def test_an_optional_command_that_is_broken_is_not_taken_for_a_missing_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = optional_app(tmp_path, monkeypatch, "import colocalization.no_such_module\n")
    result = runner.invoke(app, ["train"])
    assert isinstance(result.exception, ModuleNotFoundError)


def test_an_optional_command_gets_all_its_arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "import typer\n"
        "app = typer.Typer()\n"
        "@app.command()\n"
        "def train(folder: str, epochs: int = 1, quick: bool = False) -> None:\n"
        "    'Help of the offered command.'\n"
        "    print(folder, epochs, quick)\n"
    )
    app = optional_app(tmp_path, monkeypatch, source)
    assert runner.invoke(app, ["train", "--epochs", "3", "folder", "--quick"]).stdout == "folder 3 True\n"
    assert runner.invoke(app, ["train", "--epochs=x", "folder"]).exit_code == 2
    shown = runner.invoke(app, ["train", "--help"]).stdout
    assert "Help of the offered command." in shown
    assert "colocalize train [OPTIONS]" in shown


def test_the_command_line_starts_without_what_it_does_not_need() -> None:
    program = (
        "import sys, colocalization.commands.main; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    for name in ("torch", "fastapi", "onnxruntime", "pydantic", "training", "model_export", "uvicorn"):
        assert f"'{name}'" not in loaded


def test_fit_writes_an_object_that_score_takes_and_show_explains(engine: DummyEngine, tmp_path: Path) -> None:
    write_squares(tmp_path / "set", 3)
    (tmp_path / "set/bad.png").write_bytes(b"")
    (tmp_path / "hints.csv").write_text("file,x0,y0,x1,y1\np0.png,0,0,16,16\n")
    code, out, err = run(
        *("fit", tmp_path / "set", "--out", tmp_path / "new/squares.npz"),
        *("--hints", tmp_path / "hints.csv", "--hint", "p2.png:none"),
    )
    assert code == 1
    assert "warning: failed: 'bad.png': " in err
    table = rows(out)
    assert (table["fitted on images"], table["hinted"], table["model"]) == ("3", "2", "dummy")
    assert run("show", tmp_path / "new/squares.npz") == (0, out, "")
    code, _, err = run(
        "score", tmp_path / "set/p1.png", "--out", tmp_path / "out", "--object", tmp_path / "new/squares.npz"
    )
    assert (code, err.count("warning")) == (0, 0)
    (line,) = (tmp_path / "out/predictions.jsonl").read_text().splitlines()
    assert json.loads(line)["contains_common_object"] is not None  # a single image, and not by attention alone
    assert not (tmp_path / "out/object.npz").exists()


def test_fit_says_why_there_is_no_object_and_writes_nothing(engine: DummyEngine, tmp_path: Path) -> None:
    write_square(tmp_path / "set/a.png", 8, 8)
    (tmp_path / "set/bad.png").write_bytes(b"")
    code, _, err = run("fit", tmp_path / "set", "--out", tmp_path / "x.npz")
    assert code == 2
    assert (
        "error: a common object needs at least two readable images, and there are 1; 1 cannot be read, such as" in err
    )
    write_square(tmp_path / "blank/a.png", 8, 8, level=0)
    write_square(tmp_path / "blank/b.png", 8, 8, level=0)
    code, _, err = run("fit", tmp_path / "blank", "--out", tmp_path / "x.npz")
    assert (code, "error: found no object that the 2 images share" in err) == (2, True)
    assert run("fit", tmp_path / "blank", "--out", tmp_path)[0] == 2
    assert not (tmp_path / "x.npz").exists()


def test_show_refuses_what_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"PK")
    code, out, err = run("show", tmp_path / "x.npz")
    assert (code, out) == (2, "")
    assert "x.npz' is no common object, or is damaged" in err
    assert len(err.splitlines()) == 1


def test_the_table_says_what_hints_did(engine: DummyEngine, tmp_path: Path) -> None:
    write_squares(tmp_path / "set", 4)
    arguments = (
        "score",
        tmp_path / "set",
        "--out",
        tmp_path / "out",
        "--hint",
        "p1.png:8,16,24,32",
        "--hint",
        "p2.png:none",
    )
    for _ in range(2):  # a run that has nothing to do says the same
        code, out, _ = run(*arguments)
        table = rows(out)
        assert (code, table["hinted images"], table["hinted boxes"], table["said not to show it"]) == (0, "2", "1", "1")
        assert table["hints"].startswith(("joined what the images share", "taught the object"))
