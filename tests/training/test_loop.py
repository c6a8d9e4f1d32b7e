"""The loop: what a run leaves behind, resuming, choosing the epoch, and refusals."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.training.conftest import TINY
from training import selection
from training.build import load_network
from training.checkpoint import read_checkpoint
from training.config import TrainingConfig
from training.datasets import open_dataset
from training.errors import CheckpointError, TrainingError
from training.estimate import measure_run
from training.loop import Trainer
from training.run_progress import RunProgress, SilentProgress
from training.runlog import read_log
from training.validation import Signals

Configure = Callable[..., TrainingConfig]


def trainer(
    config: TrainingConfig, folder: Path, out: Path, *, resume: bool = False, progress: RunProgress | None = None
) -> Trainer:
    images = open_dataset(folder)
    return Trainer(config, images.train, out, labelled=images.labelled_test, resume=resume, progress=progress)


def state(path: Path) -> dict[str, torch.Tensor]:
    return read_checkpoint(path).network


def assert_same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_what_a_run_leaves_behind(tiny_config: Configure, image_folder: Path, tmp_path: Path) -> None:
    config = tiny_config("run.evaluate=epochs", "run.tensorboard=true")
    run = trainer(config, image_folder, tmp_path / "run")
    assert (len(run.images.train), len(run.images.held_out), run.batch_size, run.steps_per_epoch) == (9, 3, 4, 2)
    run.run()
    records = read_log(tmp_path / "run" / "log.jsonl")
    kinds = [record["kind"] for record in records]
    assert kinds[0] == "start"
    assert kinds[-1] == "end"
    steps = [record for record in records if record["kind"] == "step"]
    assert [record["step"] for record in steps] == [1, 2, 3, 4]
    assert {"loss", "rotation_accuracy", "scale_loss", "map_contrast", "feature_contrast", "learning_rate"} <= set(
        steps[0]
    )
    assert [record["epoch"] for record in records if record["kind"] == "validation"] == [0, 1, 2]
    evaluations = [record for record in records if record["kind"] == "evaluation"]
    assert {(record["epoch"], record["cut"]) for record in evaluations} == {
        (epoch, cut) for epoch in (0, 1, 2) for cut in ("otsu", "set_otsu", "psynet")
    }
    assert all({"corloc_0.3", "corloc_0.5", "corloc_0.7", "mean"} <= set(record) for record in evaluations)
    speed = next(record for record in records if record["kind"] == "epoch")
    shares = [speed[f"{part}_share"] for part in ("load", "forward", "backward", "update")]
    assert sum(shares) == pytest.approx(1, abs=1e-6)
    assert speed["images_per_second"] > 0
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    network, checkpoint = load_network(tmp_path / "run" / "best.pt")
    assert checkpoint.chosen_epoch in (0, 1, 2)
    assert not network.training
    assert checkpoint.optimizer == {}


def test_the_same_seed_trains_the_same_and_another_does_not(
    tiny_config: Configure, image_folder: Path, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        trainer(tiny_config(f"run.seed={seed}"), image_folder, tmp_path / name).run()
    first, same, other = (state(tmp_path / name / "last.pt") for name in "abc")
    assert_same(first, same)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_measuring_the_speed_changes_nothing(tiny_config: Configure, image_folder: Path, tmp_path: Path) -> None:
    config = tiny_config("backbone.norm=train")
    for name, measures in (("a", False), ("b", True)):
        run = trainer(config, image_folder, tmp_path / name)
        if measures:
            assert measure_run(run).seconds > 0
        run.run()
    assert_same(state(tmp_path / "a" / "last.pt"), state(tmp_path / "b" / "last.pt"))


class Stop(Exception):  # noqa: N818
    pass


class StopAt(SilentProgress):
    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, step: int, total: int, losses: dict[str, float]) -> None:
        if step == self.at:
            raise Stop


FULL = ("backbone.norm=train", "optimizer.ema=0.9", "run.checkpoint_steps=1", "run.evaluate=never")


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_resume_is_exact_after_a_stop_at_any_step(
    stop: int, tiny_config: Configure, image_folder: Path, tmp_path: Path
) -> None:
    config = tiny_config(*FULL)
    trainer(config, image_folder, tmp_path / "whole").run()
    with pytest.raises(Stop):
        trainer(config, image_folder, tmp_path / "parts", progress=StopAt(stop)).run()
    torch.rand(5)  # where the generators are must not matter
    resumed = trainer(config, image_folder, tmp_path / "parts", resume=True)
    assert resumed.step < 4
    resumed.run()
    for file in ("last.pt", "best.pt"):
        whole, parts = read_checkpoint(tmp_path / "whole" / file), read_checkpoint(tmp_path / "parts" / file)
        assert_same(whole.network, parts.network)
        assert whole.average is not None
        assert parts.average is not None
        assert_same(whole.average, parts.average)
        assert (whole.signals, whole.chosen_epoch) == (parts.signals, parts.chosen_epoch)
    logs = [read_log(tmp_path / name / "log.jsonl") for name in ("whole", "parts")]
    losses = [[(record["step"], record["loss"]) for record in log if record["kind"] == "step"] for log in logs]
    assert losses[0] == losses[1]


@pytest.mark.slow
def test_resume_is_exact_after_kill_9(tiny_config: Configure, image_folder: Path, tmp_path: Path) -> None:
    """In a process of its own, killed at a random step."""
    settings = [*TINY, *FULL, "run.epochs=10"]
    config = tiny_config(*FULL, "run.epochs=10")
    trainer(config, image_folder, tmp_path / "whole").run()
    command = [sys.executable, "-m", "training", str(image_folder), "--out", str(tmp_path / "parts"), "--resume"]
    command += ["--preset", "small"]
    for setting in settings:
        command += ["--set", setting]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    log = tmp_path / "parts" / "log.jsonl"
    step = random.SystemRandom().randrange(2, 19)
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if log.is_file() and f'"step", "step": {step},' in log.read_text("utf-8"):
            break
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    _, errors = process.communicate()
    assert process.returncode == -signal.SIGKILL, (step, errors.decode())
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for file in ("last.pt", "best.pt"):
        assert_same(state(tmp_path / "whole" / file), state(tmp_path / "parts" / file))
    steps = [record["step"] for record in read_log(log) if record["kind"] == "step"]
    assert steps == list(range(1, 21)), step


def test_a_finished_run_is_left_alone(tiny_config: Configure, image_folder: Path, tmp_path: Path) -> None:
    trainer(tiny_config(), image_folder, tmp_path).run()
    before = (tmp_path / "log.jsonl").read_text()
    trainer(tiny_config(), image_folder, tmp_path, resume=True).run()
    assert (tmp_path / "log.jsonl").read_text() == before


def test_resume_refuses_other_settings_and_other_images(
    tiny_config: Configure, image_folder: Path, tmp_path: Path
) -> None:
    trainer(tiny_config(), image_folder, tmp_path).run()
    with pytest.raises(CheckpointError, match="other settings"):
        trainer(tiny_config("optimizer.lr=0.5"), image_folder, tmp_path, resume=True)
    assert trainer(tiny_config("data.workers=1"), image_folder, tmp_path, resume=True).step == 4
    (image_folder / "split.csv").write_text("file,split\n00.jpg,test\n")
    with pytest.raises(CheckpointError, match="4 of the 15 found here are new to it"):
        trainer(tiny_config(), image_folder, tmp_path, resume=True)


@pytest.mark.parametrize(
    ("select", "values", "chosen"),
    [
        ("transfer", (0.1, 0.2, 0.3, 0.3), 2),  # as good as an earlier epoch is not enough
        ("transfer", (0.9, 0.1, 0.3, 0.2), 0),  # the network before training is a candidate
        ("distinctness", (0.1, 0.2, 0.3, 0.2), 2),
        ("last", (0.9, 0.1, 0.3, 0.2), 3),
        ("loss", (0.9, 0.1, 0.3, 0.2), 1),
    ],
)
def test_which_epoch_is_chosen(
    select: str,
    values: tuple[float, ...],
    chosen: int,
    tiny_config: Configure,
    image_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signals = iter(Signals(value, 0.5, 0.5, value, value) for value in values)
    monkeypatch.setattr(selection, "validate", lambda *arguments: next(signals))
    run = trainer(tiny_config("run.epochs=3", f"run.select={select}"), image_folder, tmp_path)
    run.run()
    best = read_checkpoint(tmp_path / "best.pt")
    assert (best.chosen_epoch, best.epoch) == (chosen, chosen)


def test_test_boxes_choose_nothing(tiny_config: Configure, image_folder: Path, tmp_path: Path) -> None:
    images = open_dataset(image_folder)
    for name, labelled in (("with", images.labelled_test), ("without", ())):
        Trainer(tiny_config("run.evaluate=epochs"), images.train, tmp_path / name, labelled=labelled).run()
    first, second = (read_checkpoint(tmp_path / name / "best.pt") for name in ("with", "without"))
    assert_same(first.network, second.network)
    assert first.chosen_epoch == second.chosen_epoch


def test_without_held_out_images_the_last_epoch_is_kept(
    tiny_config: Configure, image_folder: Path, tmp_path: Path
) -> None:
    trainer(tiny_config("data.held_out=0"), image_folder, tmp_path).run()
    assert read_checkpoint(tmp_path / "best.pt").epoch == 2


def test_a_loss_that_is_not_finite_stops_the_run(tiny_config: Configure, image_folder: Path, tmp_path: Path) -> None:
    run = trainer(tiny_config("run.evaluate=never", "data.held_out=0"), image_folder, tmp_path)
    with torch.no_grad():
        run.stepper.network.heads.get_parameter("rotation.bias").fill_(float("nan"))
    with pytest.raises(TrainingError, match="not finite at step 0"):
        run.run()


def test_a_damaged_image_is_left_out_and_named(
    tiny_config: Configure, image_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (image_folder / "images" / "03.jpg").write_bytes(b"no image")
    run = trainer(tiny_config("data.held_out=0"), image_folder, tmp_path)
    assert len(run.images.train) == 11
    assert "03.jpg" in caplog.text


@pytest.mark.parametrize("cache_mb", [0, 1024])
@pytest.mark.parametrize("when", ["before", "between"])
def test_a_bad_file_ends_nothing_and_bars_no_resuming(
    cache_mb: int, when: str, tiny_config: Configure, image_folder: Path, tmp_path: Path
) -> None:
    """It is there from the start, or goes bad while the run is stopped; then it is removed, and the run goes on."""
    bad = image_folder / "images" / "03.jpg"
    config = tiny_config(f"data.cache_mb={cache_mb}", "run.epochs=3", "run.checkpoint_steps=1", "run.select=last")
    if when == "before":
        bad.write_bytes(b"no image")
    with pytest.raises(Stop):
        trainer(config, image_folder, tmp_path / "run", progress=StopAt(2)).run()
    bad.write_bytes(b"no image")
    (image_folder / "split.csv").write_text(
        "\n".join(line for line in (image_folder / "split.csv").read_text().splitlines() if "03.jpg" not in line)
    )
    with pytest.raises(Stop):
        trainer(config, image_folder, tmp_path / "run", resume=True, progress=StopAt(4)).run()
    bad.unlink()
    boxes = (image_folder / "boxes.csv").read_text().splitlines()
    (image_folder / "boxes.csv").write_text("\n".join(line for line in boxes if "03.jpg" not in line))
    run = trainer(config, image_folder, tmp_path / "run", resume=True)
    run.run()
    assert run.step == run.total_steps
    assert read_log(tmp_path / "run" / "log.jsonl")[-1]["kind"] in ("end", "evaluation")


def test_a_test_image_that_cannot_be_read_is_not_scored(
    tiny_config: Configure, image_folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (image_folder / "images" / "13.jpg").write_bytes(b"no image")
    trainer(tiny_config("run.epochs=1"), image_folder, tmp_path).run()
    assert "13.jpg is not scored" in caplog.text
    assert any(record["kind"] == "evaluation" for record in read_log(tmp_path / "log.jsonl"))


def test_other_images_of_the_same_number_are_refused(
    tiny_config: Configure, image_folder: Path, tmp_path: Path
) -> None:
    trainer(tiny_config(), image_folder, tmp_path).run()
    for path in (image_folder / "images").iterdir():
        path.rename(path.with_name(f"other{path.name}"))
    for table in ("boxes.csv", "split.csv"):
        (image_folder / table).unlink()
    with pytest.raises(CheckpointError, match=r"new to it, such as 'images/other00\.jpg'"):
        trainer(tiny_config(), image_folder, tmp_path, resume=True)


def test_fewer_images_than_a_batch(tiny_config: Configure, image_folder: Path, tmp_path: Path) -> None:
    run = trainer(tiny_config("run.batch_size=64", "data.held_out=0"), image_folder, tmp_path)
    assert (run.batch_size, run.steps_per_epoch) == (12, 1)


def test_mixed_precision(tiny_config: Configure, image_folder: Path, tmp_path: Path) -> None:
    trainer(tiny_config("run.amp=bf16", "run.epochs=1"), image_folder, tmp_path).run()
    losses = [record["loss"] for record in read_log(tmp_path / "log.jsonl") if record["kind"] == "step"]
    assert all(0 < loss < 100 for loss in losses)


def test_training_learns(tiny_config: Configure, image_folder: Path, tmp_path: Path) -> None:
    """Twelve images can be learnt by heart: the loss must fall."""
    settings = ("run.epochs=30", "optimizer.lr=3e-3", "data.held_out=0", "pretext.tasks=R", "backbone.norm=train")
    config = tiny_config(*settings, "run.batch_size=12", "run.evaluate=never", "loss.feature_weight=0")
    trainer(config, image_folder, tmp_path).run()
    steps = [record for record in read_log(tmp_path / "log.jsonl") if record["kind"] == "step"]
    assert sum(step["map_contrast"] for step in steps[-5:]) < 0.8 * sum(step["map_contrast"] for step in steps[:5])
    assert sum(step["rotation_loss"] for step in steps[-5:]) < 0.9 * sum(step["rotation_loss"] for step in steps[:5])
