"""The command `colocalize train`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from colocalization.commands.exits import errors_reported, sigterm_interrupts, warn
from colocalization.memory import keep_freed_memory
from training.config import TrainingConfig
from training.config_file import load_config, presets
from training.console import ConsoleProgress, duration
from training.datasets import LAYOUTS, ImageSet, open_dataset
from training.distributed import Processes, process_group
from training.errors import TrainingError
from training.estimate import measure_run
from training.foreground_run import ForegroundRun, seconds_to_learn
from training.loop import Trainer
from training.run_folder import check_room, check_writable
from training.threads import TorchThreadsOption, set_threads

__all__ = ["app"]

app = typer.Typer(add_completion=False)

_LAYOUT_HELP = f"Layout of the folder: auto, {', '.join(LAYOUTS)}."


def _run_folder(value: str | Path) -> Path:
    # An empty name, mostly a shell variable that is not set, would be the working folder.
    if not str(value) or Path(value).is_file():
        given = f"{str(value)!r}, which is a file" if str(value) else "''"
        raise typer.BadParameter(f"must be the name of a folder ('.' is the working folder), got {given}")
    return Path(value)


@app.command()
def train(
    folder: Annotated[Path, typer.Argument(help="Folder of images, or a data set in its official layout.")],
    out: Annotated[
        Path,
        typer.Option(parser=_run_folder, metavar="FOLDER", help="Folder of the run: checkpoints, log, TensorBoard."),
    ] = Path("runs/train"),
    preset: Annotated[str, typer.Option(help=f"Settings to start from: {', '.join(presets())}.")] = "foreground",
    config: Annotated[Path | None, typer.Option(help="TOML file of settings, in place of a preset.")] = None,
    override: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, section.name=value; repeatable.", metavar="SETTING")
    ] = None,
    layout: Annotated[str, typer.Option(help=_LAYOUT_HELP)] = "",
    epochs: Annotated[int | None, typer.Option(help="Short for --set run.epochs=N.")] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set run.seed=N.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out, if there is one.")] = False,
    threads: TorchThreadsOption = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done and how long it takes, then stop.")] = False,
) -> None:
    """Train a model on a folder of images of one kind of thing; no label is needed.

    It learns what the things look like beside their surroundings, so that one look at one new image does what mode
    common does over a set (preset foreground: minutes, no gradient); the other presets first train the network by
    pretext tasks. At the end it says whether the model is better than the one in the box. Writes best.pt (to export
    with `colocalize export`), comparison.json, last.pt (to resume), config.json and log.jsonl. Several GPUs: torchrun
    --nproc-per-node N -m training FOLDER ...
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    keep_freed_memory()
    overrides = list(override or [])
    for name, value in (("run.epochs", epochs), ("run.seed", seed), ("data.layout", layout or None)):
        if value is not None:
            overrides.append(f"{name}={value}")
    stopped = f"stopped; --resume --out {out} goes on from the last checkpoint"
    with errors_reported(interrupted=stopped), sigterm_interrupts():
        settings = load_config(config if config is not None else preset, overrides)
        set_threads(threads)
        with process_group(settings.run.device) as processes:
            _train(folder, out, settings, processes, resume=resume, dry_run=dry_run)


def _train(
    folder: Path, out: Path, settings: TrainingConfig, processes: Processes, *, resume: bool, dry_run: bool
) -> None:
    if not resume and (out / "last.pt").exists():
        raise TrainingError(f"{out} holds a run already; --resume goes on with it, or choose another --out")
    if not dry_run and processes.main:
        check_writable(out)
    images = open_dataset(folder, settings.data.layout, settings.data.category)
    if not processes.main:
        trainer = Trainer(
            settings, images.train, out, labelled=images.labelled_test, processes=processes, resume=resume
        )
        measure_run(trainer)
        if not dry_run:
            trainer.run()
        return
    for text in images.left_out:
        warn(text)
    with ConsoleProgress(settings.run.batch_size) as progress:
        trainer = Trainer(
            settings, images.train, out,
            labelled=images.labelled_test, processes=processes, resume=resume, progress=progress,
        )  # fmt: skip
        if not dry_run:
            check_room(out, trainer.stepper.bytes_of_checkpoint())
        _announce(trainer, images, progress)
        if not dry_run:
            trainer.run()
            if settings.foreground.learn:
                of_run = [*trainer.images.train.images, *trainer.images.held_out.images]
                stage = ForegroundRun(out, settings, of_run, progress.note)
                stage.tell(stage.run(), folder)
            elif trainer.chooser.choice.epoch > 0:  # else there is nothing new to export
                progress.note(f"next: colocalize export {out / 'best.pt'} --out model.onnx --parity-images {folder}")


def _announce(trainer: Trainer, images: ImageSet, progress: ConsoleProgress) -> None:
    """Say what will be done and how long it takes."""
    settings, estimate = trainer.config, measure_run(trainer)
    train, held_out = trainer.images.train, trainer.images.held_out
    network = f"{settings.backbone.name}, on {trainer.device}"
    if settings.run.epochs:
        progress.note(
            f"{images.layout}: {len(images.images)} images, {len(train)} images to train on, {len(held_out)} held out "
            f"to choose the epoch, {len(images.labelled_test)} with boxes scored for the record"
        )
        progress.note(
            f"{network}, {'+'.join(settings.pretext.tasks)}: {settings.run.epochs} epochs of "
            f"{trainer.steps_per_epoch} steps of {trainer.batch_size} images, {estimate.steps} steps to go, about "
            f"{duration(estimate.seconds)} ({estimate.seconds_per_step:.2f} s a step measured; validation "
            f"{duration(estimate.validation)}, scoring {duration(estimate.evaluation)})"
        )
    else:
        progress.note(f"{images.layout}: {len(images.images)} images, {len(train)} images to train on")
        progress.note(f"{network}: the network stays as it is")
    if settings.foreground.learn:
        seconds = seconds_to_learn(len(train) + len(held_out), train.images[0])
        progress.note(f"then learns the foreground and compares with the model in the box: about {duration(seconds)}")
