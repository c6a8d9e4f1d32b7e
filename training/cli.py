"""The command `colocalize train`."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from colocalization.errors import ColocalizeError
from colocalization.memory import keep_freed_memory
from training.config import TrainingConfig
from training.config_file import load_config, presets
from training.console import ConsoleProgress, SilentProgress, duration
from training.datasets import LAYOUTS, open_dataset
from training.distributed import Processes, process_group
from training.errors import TrainingError
from training.loop import Trainer

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
    preset: Annotated[str, typer.Option(help=f"Settings to start from: {', '.join(presets())}.")] = "small",
    config: Annotated[Path | None, typer.Option(help="TOML file of settings, in place of a preset.")] = None,
    override: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, section.name=value; repeatable.", metavar="SETTING")
    ] = None,
    layout: Annotated[str, typer.Option(help=_LAYOUT_HELP)] = "",
    epochs: Annotated[int | None, typer.Option(help="Short for --set run.epochs=N.")] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set run.seed=N.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out, if there is one.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what would be done and how long it takes, then stop.")] = False,
) -> None:
    """Train a network on a folder of images of one kind of thing; no label is needed.

    Writes last.pt (to resume), best.pt (to export with `colocalize export`), config.json and log.jsonl. Several GPUs:
    torchrun --nproc-per-node N -m training FOLDER ...
    """
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    keep_freed_memory()
    overrides = list(override or [])
    for name, value in (("run.epochs", epochs), ("run.seed", seed), ("data.layout", layout or None)):
        if value is not None:
            overrides.append(f"{name}={value}")
    try:
        settings = load_config(config if config is not None else preset, overrides)
        with process_group(settings.run.device) as processes:
            _train(folder, out, settings, processes, resume=resume, dry_run=dry_run)
    except ColocalizeError as error:
        typer.echo(f"error: {error.message}", err=True)
        raise typer.Exit(2) from error
    except KeyboardInterrupt:
        typer.echo(f"stopped; --resume --out {out} goes on from the last checkpoint", err=True)
        raise typer.Exit(130) from None


def _train(
    folder: Path, out: Path, settings: TrainingConfig, processes: Processes, *, resume: bool, dry_run: bool
) -> None:
    if not resume and (out / "last.pt").exists():
        raise TrainingError(f"{out} holds a run already; --resume goes on with it, or choose another --out")
    images = open_dataset(folder, settings.data.layout, settings.data.category)
    trainer = Trainer(settings, images.train, out, labelled=images.labelled_test, processes=processes, resume=resume)
    seconds = trainer.seconds_per_step()
    if not processes.main:
        if not dry_run:
            trainer.run(SilentProgress())
        return
    with ConsoleProgress(trainer.batch_size) as progress:
        left = trainer.total_steps - trainer.step
        progress.note(
            f"{images.layout}: {len(trainer.train)} images to train on, {len(trainer.held_out)} held out to "
            f"choose the epoch, {len(images.labelled_test)} with boxes scored for the record"
        )
        progress.note(
            f"{settings.backbone.name}, {'+'.join(settings.pretext.tasks)}, on {trainer.device}: {settings.run.epochs} "
            f"epochs of {trainer.steps_per_epoch} steps of {trainer.batch_size} images, {left} steps to go, about "
            f"{duration(seconds * left)} ({seconds:.2f} s a step measured)"
        )
        if not dry_run:
            trainer.run(progress)
