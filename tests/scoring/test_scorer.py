import json
import os
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colocalization.common_object import CommonObject
from colocalization.engine import NetworkOutput
from colocalization.errors import ObjectError, ProviderError
from colocalization.hints import HintError, ImageHints
from colocalization.images import DecodedImage
from colocalization.listing import ImageFile
from colocalization.localizer import ImageFeatures, Localizer, PreparedImage
from colocalization.outside_prior import OutsidePrior
from colocalization.results import Effort, Mode
from scoring.formats import FormatError
from scoring.inputs import discover
from scoring.outputs import Cleared
from scoring.pipeline import PipelineSizes
from scoring.run_options import ScoreOptions
from scoring.scorer import Scorer
from scoring.summary import ScoreSummary
from tests.colocalization.saliency import write_saliency
from tests.dummy_engine import DummyEngine
from tests.scoring.score_images import Silent, write_square, write_squares

EXAMPLES = Path(__file__).resolve().parents[2] / "examples" / "images"


class StopError(Exception):
    """Ends a run from within."""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Seven images."""
    write_squares(tmp_path / "set", 7)
    return tmp_path / "set"


def score(engine: DummyEngine, folder: Path, out: Path, *, effort: Effort = "full", **options: object) -> ScoreSummary:
    options.setdefault("sizes", PipelineSizes(workers=2))
    files = discover([str(folder)], exclude=out).files
    return Scorer(Localizer(engine, effort=effort), out, ScoreOptions(**options), Silent()).score(files)  # type: ignore[arg-type]


def lines(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "predictions.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("mode", ["attention", "common"])
def test_every_image_has_a_line_in_order(dummy_engine: DummyEngine, images: Path, mode: Mode) -> None:
    summary = score(dummy_engine, images, images / "out", mode=mode)
    found = lines(images / "out")
    assert [line["path"] for line in found] == [f"p{number}.png" for number in range(7)]
    assert all((line["width"], line["height"], line["error"]) == (64, 64, None) for line in found)
    assert (summary.mode, summary.images, summary.reused, summary.errors.total()) == (mode, 7, 0, 0)


def test_the_box_is_at_the_square(dummy_engine: DummyEngine, images: Path) -> None:
    score(dummy_engine, images, images / "out", mode="attention")
    # The square of p1 is at x 8 ... 24, y 16 ... 32; a cell of the map has 8 pixels.
    (box,) = lines(images / "out")[1]["boxes"]  # type: ignore[misc]
    corners = [box[key] for key in ("x0", "y0", "x1", "y1")]
    assert corners == pytest.approx([8, 16, 24, 32], abs=4)


@pytest.mark.parametrize("mode", ["attention", "common"])
def test_results_are_the_same_bytes_whatever_the_sizes(tmp_path: Path, images: Path, mode: Mode) -> None:
    contents = set()
    for number, sizes in enumerate([PipelineSizes(1, 1, 1), PipelineSizes(2, 1, 3), PipelineSizes(16, 2, 4)]):
        out = tmp_path / f"out{number}"
        score(DummyEngine(), images, out, mode=mode, sizes=sizes)
        contents.add((out / "predictions.jsonl").read_bytes())
    assert len(contents) == 1


def test_no_image_gets_a_look_twice(dummy_engine: DummyEngine, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    score(dummy_engine, images, images / "out", mode="common")
    assert sum(dummy_engine.batch_sizes) == 7 + 7  # second looks, which are fitted on, are used for the boxes
    # The same when the sample is smaller than the set.
    monkeypatch.setattr(Localizer, "set_sample_size", 3)
    dummy_engine.batch_sizes.clear()
    score(dummy_engine, images, images / "out", mode="common", resume=False)
    assert sum(dummy_engine.batch_sizes) == 7 + 3 + 4


@pytest.mark.parametrize("lanes", [1, 3])
def test_first_and_second_looks_together_keep_to_the_lanes(
    dummy_engine: DummyEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lanes: int
) -> None:
    monkeypatch.setattr(Localizer, "set_sample_size", 8)  # so that both the fit and the workers look again
    write_squares(tmp_path / "set", 24)
    running, most, lock = 0, 0, threading.Lock()
    run = DummyEngine.run

    def gauged(self: DummyEngine, images: NDArray[np.float32]) -> NetworkOutput:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        try:
            return run(self, images)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(DummyEngine, "run", gauged)
    sizes = PipelineSizes(lanes=lanes, workers=8)
    score(dummy_engine, tmp_path / "set", tmp_path / "out", mode="common", sizes=sizes)
    assert (most, sum(dummy_engine.batch_sizes)) == (lanes, 2 * 24)


def test_every_run_of_the_network_has_a_whole_batch(dummy_engine: DummyEngine, images: Path) -> None:
    score(dummy_engine, images, images / "out", mode="attention", sizes=PipelineSizes(batch=3))
    assert dummy_engine.batch_sizes == [3, 3, 3]  # seven images, the last run filled up


def test_the_common_object_is_estimated_from_the_sample(
    dummy_engine: DummyEngine, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []
    fit = Localizer.fit_features

    def spy(self: Localizer, decoded: list[DecodedImage], features: list[ImageFeatures], **more: object) -> object:
        fitted.append(len(features))
        return fit(self, decoded, features, **more)

    monkeypatch.setattr(Localizer, "fit_features", spy)
    monkeypatch.setattr(Localizer, "set_sample_size", 3)
    score(dummy_engine, images, images / "out", mode="common")
    assert fitted == [3]


def test_a_single_readable_image_falls_back_to_attention(dummy_engine: DummyEngine, tmp_path: Path) -> None:
    write_square(tmp_path / "set/a.png", 8, 8)
    (tmp_path / "set/b.png").write_bytes(b"")
    summary = score(dummy_engine, tmp_path / "set", tmp_path / "out", mode="common")
    assert (summary.mode, summary.errors, summary.with_boxes) == ("attention", {"empty_file": 1}, 1)


def test_a_set_without_a_common_object_is_the_same_when_taken_over(dummy_engine: DummyEngine, tmp_path: Path) -> None:
    for number in range(3):
        write_square(tmp_path / f"set/{number}.png", 0, 0, 0)  # black
    first = score(dummy_engine, tmp_path / "set", tmp_path / "out", mode="common")
    content = (tmp_path / "out/predictions.jsonl").read_bytes()
    second = score(dummy_engine, tmp_path / "set", tmp_path / "out", mode="common")
    assert (first.mode, first.reused) == ("attention", 0)
    assert (second.mode, second.reused) == ("attention", 3)
    assert (tmp_path / "out/predictions.jsonl").read_bytes() == content


@pytest.mark.parametrize("mode", ["attention", "common"])
def test_what_is_not_finite_is_the_error_of_its_image_and_tried_again(
    dummy_engine: DummyEngine, images: Path, mode: Mode
) -> None:
    write_square(images / "p7.png", 8, 8, level=128)
    dummy_engine.spoils = lambda one: float(one.max()) < 0.9
    summary = score(dummy_engine, images, images / "out", mode=mode, overlays=True)
    assert (summary.mode, summary.errors, summary.with_boxes) == (mode, {"not_finite": 1}, 7)
    assert "not finite" in lines(images / "out")[7]["error"]["message"]  # type: ignore[index]
    dummy_engine.spoils = None
    assert score(dummy_engine, images, images / "out", mode=mode, overlays=True).errors == {}


def test_a_set_without_any_readable_image_is_all_errors(dummy_engine: DummyEngine, tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set/b.png").write_bytes(b"")
    (tmp_path / "set/c.jpg").write_text("text")
    summary = score(dummy_engine, tmp_path / "set", tmp_path / "out", contact_sheet=True)
    assert [line["error"]["code"] for line in lines(tmp_path / "out")] == ["empty_file", "unsupported_format"]  # type: ignore[index]
    assert len(summary.failures) == 2
    assert dummy_engine.batch_sizes == []


def test_a_second_run_takes_everything_over(dummy_engine: DummyEngine, images: Path) -> None:
    score(dummy_engine, images, images / "out")
    first = (images / "out/predictions.jsonl").read_bytes()
    dummy_engine.batch_sizes.clear()
    summary = score(dummy_engine, images, images / "out")
    assert (summary.reused, summary.images, summary.mode) == (7, 7, "common")
    assert dummy_engine.batch_sizes == []
    assert (images / "out/predictions.jsonl").read_bytes() == first


@pytest.mark.parametrize("change", [{"resume": False}, {"mode": "attention"}, {"max_boxes": 2}])
def test_other_options_begin_anew(dummy_engine: DummyEngine, images: Path, change: dict[str, object]) -> None:
    score(dummy_engine, images, images / "out")
    assert score(dummy_engine, images, images / "out", **change).reused == 0


def test_another_effort_begins_anew(dummy_engine: DummyEngine, images: Path) -> None:
    score(dummy_engine, images, images / "out", mode="common", effort="fast")
    assert score(dummy_engine, images, images / "out", mode="common", effort="fast").reused == 7
    assert score(dummy_engine, images, images / "out", mode="common").reused == 0


def test_little_effort_spares_second_looks_beyond_the_sample(
    dummy_engine: DummyEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Localizer, "set_sample_size", 8)
    write_squares(tmp_path / "set", 12)
    score(dummy_engine, tmp_path / "set", tmp_path / "out", mode="common", effort="fast")
    assert sum(dummy_engine.batch_sizes) == 12 + 8


def test_another_model_begins_anew(dummy_engine: DummyEngine, images: Path) -> None:
    score(dummy_engine, images, images / "out")
    assert score(DummyEngine(sha256="1" * 64), images, images / "out").reused == 0


def test_another_prior_begins_anew(dummy_engine: DummyEngine, images: Path, tmp_path: Path) -> None:
    def reused(prior: OutsidePrior | None) -> int:
        localizer, options = Localizer(dummy_engine, prior=prior), ScoreOptions(sizes=PipelineSizes(workers=2))
        files = discover([str(images)], exclude=images / "out").files
        return Scorer(localizer, images / "out", options, Silent()).score(files).reused

    priors = [OutsidePrior(write_saliency(tmp_path / f"u2net{factor}.onnx", factor=factor)) for factor in (1.0, 2.0)]
    assert [reused(prior) for prior in (None, None, *priors, priors[1])] == [0, 7, 0, 0, 7]


def test_other_sizes_do_not(dummy_engine: DummyEngine, images: Path) -> None:
    score(dummy_engine, images, images / "out")
    assert score(dummy_engine, images, images / "out", sizes=PipelineSizes(2, 2, 2)).reused == 7


@pytest.mark.parametrize(("mode", "reused"), [("attention", 6), ("common", 0)])
def test_a_changed_image_is_scored_again_and_with_common_the_set_with_it(
    dummy_engine: DummyEngine, images: Path, mode: Mode, reused: int
) -> None:
    score(dummy_engine, images, images / "out", mode=mode)
    write_square(images / "p3.png", 0, 0, 40)
    assert score(dummy_engine, images, images / "out", mode=mode).reused == reused
    fresh = images.parent / "fresh"
    score(DummyEngine(), images, fresh, mode=mode)
    assert (images / "out/predictions.jsonl").read_bytes() == (fresh / "predictions.jsonl").read_bytes()


def test_images_of_one_base_name_in_two_folders_are_two_images(dummy_engine: DummyEngine, tmp_path: Path) -> None:
    write_square(tmp_path / "set/a/x.png", 0, 0)
    score(dummy_engine, tmp_path / "set", tmp_path / "out", mode="attention")
    write_square(tmp_path / "set/b/x.png", 32, 32)
    assert score(dummy_engine, tmp_path / "set", tmp_path / "out", mode="attention").reused == 1
    first, second = lines(tmp_path / "out")
    assert first["boxes"] != second["boxes"]


def test_a_failed_image_is_tried_again_and_counts_for_the_common_object(
    dummy_engine: DummyEngine, images: Path
) -> None:
    (images / "p9.png").write_bytes(b"")
    assert score(dummy_engine, images, images / "out").errors == {"empty_file": 1}
    again = score(dummy_engine, images, images / "out")
    assert (again.errors, again.reused) == ({"empty_file": 1}, 7)
    write_square(images / "p9.png", 0, 40)
    assert score(dummy_engine, images, images / "out").reused == 0  # the common object is another one now


def test_a_removed_image_changes_the_common_object(dummy_engine: DummyEngine, images: Path) -> None:
    score(dummy_engine, images, images / "out")
    (images / "p0.png").unlink()
    assert score(dummy_engine, images, images / "out").reused == 0


def interrupting(error: type[BaseException], at: int) -> Callable[..., object]:
    finish = Localizer.finish
    finished = 0

    def interrupted(self: Localizer, prepared: PreparedImage, *args: object, **options: object) -> object:
        nonlocal finished
        finished += 1
        if finished == at:
            raise error
        return finish(self, prepared, *args, **options)  # type: ignore[arg-type]

    return interrupted


@pytest.mark.parametrize("error", [StopError, KeyboardInterrupt])
@pytest.mark.parametrize("mode", ["attention", "common"])
def test_an_interrupted_run_goes_on_where_it_stopped_and_ends_the_same(
    tmp_path: Path, mode: Mode, error: type[BaseException]
) -> None:
    write_squares(tmp_path / "set", 40)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    score(DummyEngine(), tmp_path / "set", whole, mode=mode, overlays=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Localizer, "finish", interrupting(error, 21))
        with pytest.raises(error):
            score(DummyEngine(), tmp_path / "set", parts, mode=mode, overlays=True)
    assert not (parts / "predictions.jsonl").exists()
    summary = score(DummyEngine(), tmp_path / "set", parts, mode=mode, overlays=True)
    assert 1 <= summary.reused <= 21
    for name in ("predictions.jsonl", *(f"overlays/p{number}.png.jpg" for number in range(40))):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()


def test_old_results_stay_until_the_new_ones_are_whole(dummy_engine: DummyEngine, images: Path) -> None:
    score(dummy_engine, images, images / "out", mode="attention")
    before = (images / "out/predictions.jsonl").read_bytes()
    dummy_engine.before_run = lambda _: (_ for _ in ()).throw(StopError)
    with pytest.raises(ProviderError, match="cannot run on CPUExecutionProvider: StopError"):
        score(dummy_engine, images, images / "out", mode="common")
    assert (images / "out/predictions.jsonl").read_bytes() == before


def test_heat_maps_and_overlays_keep_the_sub_folders(dummy_engine: DummyEngine, tmp_path: Path) -> None:
    write_square(tmp_path / "set/a/b/x.jpg", 8, 8, size=(64, 48))
    write_square(tmp_path / "set/y.png", 8, 8)
    out = tmp_path / "out"
    summary = score(dummy_engine, tmp_path / "set", out, heatmaps=True, overlays=True)
    for name in ("heatmaps/a/b/x.jpg.png", "overlays/a/b/x.jpg"):
        with Image.open(out / name) as image:
            assert (image.size, image.mode) == ((64, 48), "RGB")
    assert (out / "heatmaps/y.png.png").is_file()
    assert (out / "overlays/y.png.jpg").is_file()
    assert summary.written == [out / "predictions.jsonl", out / "object.npz", out / "heatmaps", out / "overlays"]


def test_a_missing_overlay_is_drawn_again(dummy_engine: DummyEngine, images: Path) -> None:
    out = images / "out"
    score(dummy_engine, images, out, mode="attention")
    assert score(dummy_engine, images, out, mode="attention", overlays=True).reused == 0
    (out / "overlays/p2.png.jpg").unlink()
    assert score(dummy_engine, images, out, mode="attention", overlays=True).reused == 6
    assert (out / "overlays/p2.png.jpg").is_file()


def test_an_overlay_of_other_results_is_drawn_again(dummy_engine: DummyEngine, images: Path) -> None:
    out = images / "out"
    score(dummy_engine, images, out, mode="attention", overlays=True)
    score(dummy_engine, images, out, mode="attention", max_boxes=2)
    assert score(dummy_engine, images, out, mode="attention", max_boxes=2, overlays=True).reused == 0


def written(out: Path) -> set[str]:
    files = (path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())
    return {name for name in files if not name.startswith(".colocalize/")}


def test_nothing_stays_of_images_that_are_gone_or_fail_now(dummy_engine: DummyEngine, tmp_path: Path) -> None:
    images, out = tmp_path / "set", tmp_path / "out"
    write_square(images / "sub/gone.png", 8, 8)
    write_squares(images, 3)
    wanted = {"formats": ("yolo", "csv"), "heatmaps": True, "overlays": True, "contact_sheet": True}
    score(dummy_engine, images, out, mode="attention", **wanted)
    assert {"yolo/labels/sub/gone.txt", "heatmaps/sub/gone.png.png", "overlays/p0.png.jpg"} < written(out)
    (out / "overlays/mine.jpg").write_text("my own")
    (images / "sub/gone.png").unlink()
    (images / "p0.png").write_bytes(b"")  # fails
    summary = score(dummy_engine, images, out, mode="attention", **wanted)
    assert summary.cleared == Cleared(removed=10)  # of two images: labels, link, heat map, overlay and tile
    assert written(out) == {
        *("predictions.jsonl", "predictions.csv", "contact-sheet.jpg", "overlays/mine.jpg"),
        *("yolo/classes.txt", "yolo/data.yaml", "yolo/images/p1.png", "yolo/images/p2.png"),
        *(f"yolo/labels/p{number}.txt" for number in (1, 2)),
        *(f"heatmaps/p{number}.png.png" for number in (1, 2)),
        *(f"overlays/p{number}.png.jpg" for number in (1, 2)),
    }
    assert not (out / "heatmaps/sub").exists()


def test_files_that_were_not_asked_for_again_stay_only_while_they_hold(dummy_engine: DummyEngine, images: Path) -> None:
    out = images / "out"
    score(dummy_engine, images, out, formats=("csv",), contact_sheet=True)
    assert score(dummy_engine, images, out, formats=("coco",)).cleared == Cleared()
    assert written(out) == {"predictions.jsonl", "object.npz", "predictions.csv", "coco.json", "contact-sheet.jpg"}
    write_square(images / "p3.png", 0, 0, 40)
    assert score(dummy_engine, images, out, formats=("coco",)).cleared.removed == 2 + 7  # and the tiles
    assert written(out) == {"predictions.jsonl", "object.npz", "coco.json"}


def test_drawings_of_an_interrupted_run_are_known(images: Path) -> None:
    out = images / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Localizer, "finish", interrupting(StopError, 5))
        with pytest.raises(StopError):
            score(DummyEngine(), images, out, mode="attention", overlays=True)
    assert "overlays/p0.png.jpg" in written(out)
    (images / "p0.png").unlink()
    score(DummyEngine(), images, out, mode="attention", overlays=True)
    assert written(out) == {"predictions.jsonl", *(f"overlays/p{number}.png.jpg" for number in range(1, 7))}


def test_the_contact_sheet_shows_a_bounded_number(dummy_engine: DummyEngine, tmp_path: Path) -> None:
    write_squares(tmp_path / "set", 60)
    out = tmp_path / "out"
    summary = score(dummy_engine, tmp_path / "set", out, contact_sheet=True)
    assert len(list((out / ".colocalize/tiles").iterdir())) == 48
    with Image.open(out / "contact-sheet.jpg") as sheet:
        assert sheet.width == 7 * 248 + 8
    assert summary.written[-1] == out / "contact-sheet.jpg"


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (("a.jpg", "a.png"), {"formats": ("yolo",)}, "both 'a.txt'"),
        (("a.png", "a.png.jpg"), {"overlays": True}, "the overlays of 'a.png' and 'a.png.jpg'"),
    ],
)
def test_names_that_cannot_be_told_apart_are_refused_before_any_work(
    dummy_engine: DummyEngine, tmp_path: Path, names: tuple[str, ...], options: dict[str, object], message: str
) -> None:
    for name in names:
        write_square(tmp_path / "set" / name, 0, 0)
    with pytest.raises(FormatError, match=message):
        score(dummy_engine, tmp_path / "set", tmp_path / "out", **options)
    assert dummy_engine.batch_sizes == []


def test_a_pipe_among_the_names_is_an_error_line_and_never_opened(dummy_engine: DummyEngine, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    files = [ImageFile("pipe.jpg", str(tmp_path / "pipe.jpg"), 0, 0)]
    Scorer(Localizer(dummy_engine), tmp_path / "out", ScoreOptions(), Silent()).score(files)
    assert lines(tmp_path / "out")[0]["error"] == {
        "code": "not_readable",
        "message": "'pipe.jpg' is not a regular file",
    }


def test_progress_covers_every_image(dummy_engine: DummyEngine, images: Path) -> None:
    files = discover([str(images)]).files
    progress = Silent()
    Scorer(Localizer(dummy_engine), images / "out", ScoreOptions(), progress).score(files)
    assert progress.phases == [["Finding the common object", 7, 7], ["Scoring", 7, 7]]


def test_memory_does_not_grow_with_the_set(
    dummy_engine: DummyEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The most prepared images alive at once, for sets of 20 and of 200."""

    class Held(PreparedImage):
        __slots__ = ("__weakref__",)
        __hash__ = object.__hash__  # arrays have none

    alive: weakref.WeakSet[Held] = weakref.WeakSet()
    most = 0
    prepare = Localizer.prepare

    def counting(self: Localizer, source: Path) -> PreparedImage:
        nonlocal most
        prepared = prepare(self, source)
        held = Held(prepared.image, prepared.input)
        alive.add(held)
        most = max(most, len(alive))
        return held

    monkeypatch.setattr(Localizer, "prepare", counting)
    monkeypatch.setattr(Localizer, "set_sample_size", 8)
    sizes = PipelineSizes(2, 2, 2)
    peaks = []
    for count in (20, 200):
        most = 0
        write_squares(tmp_path / f"set{count}", count)
        score(dummy_engine, tmp_path / f"set{count}", tmp_path / f"out{count}", sizes=sizes)
        peaks.append(most)
    assert max(peaks) <= sizes.in_flight + sizes.workers
    assert peaks[1] <= peaks[0] + sizes.batch


@pytest.fixture(scope="module")
def real_localizer() -> Localizer:
    """The model in the box."""
    return Localizer.load(device="cpu", threads=1, precision="fp32")


@pytest.mark.parametrize("mode", ["attention", "common"])
def test_the_shipped_model_gives_the_same_bytes_twice(real_localizer: Localizer, tmp_path: Path, mode: Mode) -> None:
    files = discover([str(EXAMPLES)]).files[:6]
    contents = set()
    for number, sizes in enumerate([PipelineSizes(1, 1, 1), PipelineSizes(1, 3, 2)]):
        out = tmp_path / str(number)
        Scorer(real_localizer, out, ScoreOptions(mode=mode, sizes=sizes), Silent()).score(files)
        contents.add((out / "predictions.jsonl").read_bytes())
    assert len(contents) == 1


def test_the_shipped_model_gives_an_image_alone_the_box_that_it_has_among_others(
    real_localizer: Localizer, tmp_path: Path
) -> None:
    files = discover([str(EXAMPLES)]).files[:3]
    options = ScoreOptions(mode="attention")
    Scorer(real_localizer, tmp_path / "all", options, Silent()).score(files)
    for file, among_others in zip(files, lines(tmp_path / "all"), strict=True):
        Scorer(real_localizer, tmp_path / "one", options, Silent()).score([file])
        assert lines(tmp_path / "one") == [among_others]


def write_broken(folder: Path, count: int) -> None:
    """Files that are no readable images, before and among others in the order of names."""
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"o{number}.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(50))


def without_broken(out: Path) -> list[dict[str, object]]:
    return [line for line in lines(out) if line["error"] is None]


@pytest.mark.parametrize("broken", [30, 300])
def test_files_that_cannot_be_read_do_not_use_up_the_sample(
    dummy_engine: DummyEngine, images: Path, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    monkeypatch.setattr(Localizer, "set_sample_size", 10)
    alone = images.parent / "alone"
    score(dummy_engine, images, alone)
    write_broken(images, broken)
    summary = score(dummy_engine, images, images.parent / "among")
    assert (summary.mode, summary.errors.total(), summary.reused) == ("common", broken, 0)
    assert without_broken(images.parent / "among") == lines(alone)


def test_what_the_network_gives_no_numbers_for_does_not_use_up_the_sample(
    dummy_engine: DummyEngine, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Localizer, "set_sample_size", 10)
    alone = images.parent / "alone"
    score(dummy_engine, images, alone)
    for number in range(40):
        write_square(images / f"a{number}.png", 8, 8, level=128)
    dummy_engine.spoils = lambda one: float(one.max()) < 0.9
    score(dummy_engine, images, images.parent / "among")
    assert without_broken(images.parent / "among") == lines(alone)


@pytest.mark.parametrize("error", [MemoryError(), AssertionError("odd"), RecursionError(), KeyError("tag")])
def test_a_decoder_that_raises_anything_is_an_error_of_its_image(
    dummy_engine: DummyEngine, images: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    prepare = Localizer.prepare

    def failing(self: Localizer, source: Path) -> PreparedImage:
        if source.name in ("p2.png", "p5.png"):
            raise error
        return prepare(self, source)

    monkeypatch.setattr(Localizer, "prepare", failing)
    summary = score(dummy_engine, images, images / "out")
    assert (summary.mode, summary.images, summary.errors.total()) == ("common", 7, 2)
    assert [line["path"] for line in lines(images / "out") if line["error"] is not None] == ["p2.png", "p5.png"]


def test_an_image_that_failed_for_the_sample_is_not_read_again(
    dummy_engine: DummyEngine, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is any image of a set that is small enough to be the sample as a whole."""
    read: list[str] = []
    prepare = Localizer.prepare

    def counting(self: Localizer, source: Path) -> PreparedImage:
        read.append(source.name)
        return prepare(self, source)

    monkeypatch.setattr(Localizer, "prepare", counting)
    write_broken(images, 5)
    score(dummy_engine, images, images / "out")
    assert sorted(read) == sorted(path.name for path in images.iterdir() if path.is_file())


def test_an_engine_that_fails_ends_the_run_and_what_was_finished_is_kept(
    dummy_engine: DummyEngine, images: Path
) -> None:
    runs = 0

    def fail(_: int) -> None:
        nonlocal runs
        runs += 1
        if runs == 5:
            raise RuntimeError("CUDA error 2:\n  out of memory")

    dummy_engine.before_run = fail
    with pytest.raises(ProviderError, match="cannot run on CPUExecutionProvider: CUDA error 2: out of memory"):
        score(dummy_engine, images, images / "out", mode="attention", sizes=PipelineSizes(1, 1, 1))
    assert not (images / "out/predictions.jsonl").exists()
    dummy_engine.before_run = None
    assert score(dummy_engine, images, images / "out", mode="attention").reused in (
        2,
        3,
        4,
    )  # those in flight are worked on again


def test_a_name_that_leaves_no_room_for_an_ending_gets_a_shortened_drawing(
    dummy_engine: DummyEngine, tmp_path: Path
) -> None:
    names = [letter * 251 + ".png" for letter in "ab"]
    for name in (*names, "c.png"):
        write_square(tmp_path / "set" / name, 8, 8)
    everything = {"heatmaps": True, "overlays": True, "contact_sheet": True, "formats": ("yolo", "csv")}
    out = tmp_path / "out"
    for reused in (0, 3):
        assert score(dummy_engine, tmp_path / "set", out, **everything).reused == reused
    assert [line["path"] for line in lines(out)] == [*names, "c.png"]
    assert len(list((out / "heatmaps").iterdir())) == len(list((out / "overlays").iterdir())) == 3
    (tmp_path / "set" / names[0]).unlink()
    assert score(dummy_engine, tmp_path / "set", out, **everything).cleared.removed == 5


def test_results_of_mode_attention_do_not_tell_of_the_set(dummy_engine: DummyEngine, images: Path) -> None:
    summary = score(dummy_engine, images, images / "out", mode="attention", formats=("csv", "coco"))
    assert {line["contains_common_object"] for line in lines(images / "out")} == {None}
    assert summary.with_common_object == 0
    assert summary.with_boxes == 7
    assert len(json.loads((images / "out/coco.json").read_text())["annotations"]) == 7  # nothing says they are wrong


def test_the_object_of_a_run_gives_its_boxes_again(dummy_engine: DummyEngine, images: Path, tmp_path: Path) -> None:
    score(dummy_engine, images, tmp_path / "a")
    common = CommonObject.load(tmp_path / "a/object.npz")
    assert common.origin is not None
    assert common.origin.images == 7
    for number, name in enumerate(sorted(path.name for path in images.iterdir())):  # alone, each in a run of its own
        score(dummy_engine, images / name, tmp_path / name, common=common)
        assert lines(tmp_path / name) == [lines(tmp_path / "a")[number]]
        assert not (tmp_path / name / "object.npz").exists()


def test_the_object_of_a_run_may_be_used_in_its_own_folder(dummy_engine: DummyEngine, images: Path) -> None:
    """And is not taken for something outdated then."""
    out = images / "out"
    score(dummy_engine, images, out)
    common = CommonObject.load(out / "object.npz")
    write_square(images / "new.png", 8, 8)
    summary = score(dummy_engine, images, out, common=common)
    assert (summary.images, summary.cleared) == (8, Cleared())
    assert CommonObject.load(out / "object.npz").digest == common.digest
    score(dummy_engine, images, out, mode="attention")  # which has none
    assert not (out / "object.npz").exists()


def test_an_object_that_is_gone_or_changed_is_made_again(dummy_engine: DummyEngine, images: Path) -> None:
    out = images / "out"
    score(dummy_engine, images, out)
    content = (out / "object.npz").read_bytes()
    assert score(dummy_engine, images, out).reused == 7
    for spoil in (lambda path: path.unlink(), lambda path: path.write_bytes(b"")):
        spoil(out / "object.npz")
        score(dummy_engine, images, out)
        assert (out / "object.npz").read_bytes() == content


def test_runs_with_other_hints_or_another_object_take_nothing_over(dummy_engine: DummyEngine, images: Path) -> None:
    out = images / "out"
    hints = {"p1.png": ImageHints(((8, 16, 24, 32),))}
    other = {"p1.png": ImageHints(((8, 16, 24, 33),))}
    score(dummy_engine, images, out)
    common = CommonObject.load(out / "object.npz")
    for options in ({"hints": hints}, {"hints": other}, {"common": common}, {}):
        assert score(dummy_engine, images, out, **options).reused == 0
        assert score(dummy_engine, images, out, **options).reused == 7


def test_a_hint_is_the_best_box_of_its_image(dummy_engine: DummyEngine, images: Path) -> None:
    hints = {"p1.png": ImageHints(((8, 16, 24, 33),)), "p4.png": ImageHints(())}
    summary = score(dummy_engine, images, images / "out", hints=hints)
    found = lines(images / "out")
    assert found[1]["boxes"] == [{"x0": 8, "y0": 16, "x1": 24, "y1": 33, "score": 1.0}]
    assert (found[1]["confidence"], found[1]["contains_common_object"]) == (1.0, True)
    assert (found[4]["boxes"], found[4]["contains_common_object"]) == ([], False)
    assert summary.hints == hints


def test_hinted_images_belong_to_the_sample_of_a_large_set(
    dummy_engine: DummyEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Localizer, "set_sample_size", 4)
    write_squares(tmp_path / "set", 20)
    hints = {"p19.png": ImageHints(((8, 0, 24, 16),)), "p18.png": ImageHints(())}
    summary = score(dummy_engine, tmp_path / "set", tmp_path / "out", hints=hints)
    assert summary.common is not None
    assert summary.common.origin is not None
    assert (summary.common.origin.images, summary.common.origin.hinted) == (4, 2)
    assert score(dummy_engine, tmp_path / "set", tmp_path / "out", hints=hints).reused == 20


def test_a_hint_outside_its_image_ends_the_run(dummy_engine: DummyEngine, images: Path) -> None:
    with pytest.raises(HintError, match=r"the hint 8,16,65,33 does not lie in 'p1.png', which is 64 x 64 pixels"):
        score(dummy_engine, images, images / "out", hints={"p1.png": ImageHints(((8, 16, 65, 33),))})


def test_a_hinted_file_that_cannot_be_read_is_a_line_that_names_the_hint(
    dummy_engine: DummyEngine, images: Path
) -> None:
    (images / "p1.png").write_bytes(b"")
    hints = {"p1.png": ImageHints(((8, 16, 24, 33),)), "p2.png": ImageHints(((16, 32, 32, 48),))}
    summary = score(dummy_engine, images, images / "out", hints=hints)
    error = lines(images / "out")[1]["error"]
    assert error["message"].endswith("; the hint 'p1.png:8,16,24,33' is not used")  # type: ignore[index]
    assert (summary.errors.total(), summary.mode) == (1, "common")


def test_the_object_of_another_model_ends_the_run_before_any_work(dummy_engine: DummyEngine, images: Path) -> None:
    score(dummy_engine, images, images / "out")
    common = CommonObject.load(images / "out/object.npz")
    other = DummyEngine(sha256="1" * 64)
    with pytest.raises(ObjectError, match="fit it again with this one"):
        score(other, images, images / "out2", common=common)
    assert other.batch_sizes == []
    assert not (images / "out2").exists()
