"""`colocalize foreground`: a prior of what is foreground, learnt across sets, into a model file."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import onnx
import typer
from rich.console import Console
from rich.progress import track

from colocalization.commands.exits import errors_reported, sigterm_interrupts, warn
from colocalization.engine import OnnxEngine
from colocalization.files import atomic_writer
from colocalization.listing import list_images
from colocalization.localizer import Localizer
from colocalization.model_choice import box_model
from model_export.errors import ExportError
from model_export.foreground.foreground_output import append_foreground
from model_export.foreground.taps import TappedEngine
from training.datasets import DatasetImage
from training.teaching import SetOutlines, learn, outline_set

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def foreground(
    sets: Annotated[
        list[Path], typer.Argument(help="Folders, each a set of images of one kind of thing; no label is needed.")
    ],
    out: Annotated[Path, typer.Option(metavar="FILE", help="ONNX file to write.")],
    model: Annotated[
        Path | None, typer.Option(help="ONNX file of `colocalize export` to start from; else the one in the box.")
    ] = None,
    threads: Annotated[int, typer.Option(min=0, help="Threads of the network; 0 takes one for each core.")] = 0,
) -> None:
    """Learn what things look like beside their surroundings, from sets without labels, into a model file.

    The outlines that mode `common` finds in the sets teach it; sets whose outlines cannot be trusted are left out. The
    model written sees the foreground of a single image (mode `attention`), and finds it better over a set. A dozen
    varied sets of fifty images are a good start.
    """
    with errors_reported(interrupted="interrupted; nothing was written"), sigterm_interrupts():
        if out.is_dir():
            raise ExportError(f"--out must be the name of a file to write, such as model.onnx, got {str(out)!r}")
        out.parent.mkdir(parents=True, exist_ok=True)
        with _model_file(model) as path, atomic_writer(out) as file:
            engine = OnnxEngine(path, device="cpu", threads=threads)  # refuses what is no model, in one line
            graph = onnx.load(path)
            tapped = TappedEngine(graph, engine, threads=threads)
            outlines = [one for one in (_outlines(tapped, folder) for folder in _watched(sets)) if one is not None]
            lesson = learn(outlines)
            for one in lesson.left_out:
                warn(f"{one.name} is left out: {one.trusted} of {one.images} outlines can be trusted")
            teachers = lesson.taught_by
            counted = f"{len(teachers)} set{'' if len(teachers) == 1 else 's'}"
            learnt_on = f"{sum(one.trusted for one in teachers)} images of {counted}, without labels"
            taps = list(zip(tapped.taps, tapped.channels, strict=True))
            content = append_foreground(graph, lesson.prior, taps, learnt_on).SerializeToString(deterministic=True)
            file.write(content)
            file.flush()
            OnnxEngine(Path(file.name), device="cpu")  # what is written can be loaded
    typer.echo(f"learnt on {learnt_on}: {', '.join(f'{one.name} ({one.trusted})' for one in teachers)}")
    typer.echo(f"{out}  {len(content) / 1e6:.1f} MB  sha256 {hashlib.sha256(content).hexdigest()}")


def _outlines(tapped: TappedEngine, folder: Path) -> SetOutlines | None:
    listing = list_images(folder)
    for line in listing.left_out.warnings():
        warn(line)
    resolved = folder.resolve()
    name = resolved.parent.name if resolved.name == "images" else resolved.name
    images = [DatasetImage(str(file.path), Path(file.path)) for file in listing.files]
    return outline_set(Localizer(tapped), tapped, name, images, warn)


@contextmanager
def _model_file(model: Path | None) -> Iterator[Path]:
    if model is not None:
        yield model
    else:
        with box_model() as path:
            yield path


def _watched(sets: Sequence[Path]) -> Iterator[Path]:
    """The sets, with a bar where standard error is a terminal."""
    console = Console(stderr=True)
    yield from track(sets, "looking at the sets", console=console, transient=True, disable=not console.is_terminal)
