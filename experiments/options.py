"""What the commands of the experiments have in common."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer

from colocalization.commands.exits import errors_reported
from colocalization.localizer import Localizer
from colocalization.model_choice import box_model
from colocalization.results import Effort
from experiments.records import record_path, write_record
from experiments.sets import EvaluationSet, ScoredImages, open_sets
from training.provenance import Provenance
from training.runlog import peak_memory_mb

__all__ = [
    "Category",
    "Data",
    "Halves",
    "Layout",
    "Limit",
    "Precision",
    "Records",
    "Session",
    "Which",
    "default_model",
    "load_localizer",
    "note",
    "read_sets",
    "session",
]

Data = Annotated[Path, typer.Option(help="Folder of data sets, or one data set.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Most images a set, spread evenly; for a quick look.")]
Which = Annotated[ScoredImages, typer.Option("--images", help="Images scored: all with boxes, or the test split.")]
Halves = Annotated[
    Path | None,
    typer.Option(help="Folder for the models whose priors half of the sets have taught: kept there, and taken from."),
]
Layout = Annotated[str, typer.Option(help="Layout of a single data set, see docs/training.md.")]
Precision = Annotated[Literal["fp32", "int8"], typer.Option(help="Of the model in the box.")]
Category = Annotated[str, typer.Option(help="Class of a single data set.")]
Records = Annotated[
    Path | None, typer.Option(help="Folder of the records: docs/records, and runs/experiments where --limit is given.")
]


@dataclass
class Session:
    """One experiment: what it is measured on, and where its record goes.

    Attributes:
        name: Name of the record.
        path: Its file.
        settings: What it is measured with.
        results: What came out; written at the end if there is anything.
    """

    name: str
    path: Path
    settings: dict[str, Any]
    results: dict[str, Any] = field(default_factory=dict)


@contextmanager
def session(name: str, data: Path, limit: int | None, records: Path | None, **settings: Any) -> Iterator[Session]:
    """Run an experiment and write its record; an error a user can act on ends the command with its message.

    Args:
        name: Name of the record.
        data: Folder of the images; the record tells its name, not its place.
        limit: Most images a set.
        records: Folder of the records.
        **settings: Further settings for the record.
    """
    torch.set_num_threads(1)  # torch and ONNX Runtime alike, so that CPU times mean something
    folder = records or Path("docs/records" if limit is None else "runs/experiments")
    started, provenance = time.perf_counter(), Provenance.here()
    run = Session(name, record_path(folder, name), {"data": data.resolve().name, "limit": limit, **settings})
    with errors_reported(interrupted="interrupted; no record was written"):
        yield run
        if run.results:
            run.results["wall_seconds"] = round(time.perf_counter() - started, 1)
            memory = peak_memory_mb()
            run.results["peak_memory_mb"] = None if memory is None else round(memory)
            write_record(run.path, name, provenance, run.settings, run.results)
            note(f"{run.path} written, {run.results['wall_seconds']:.0f} s")


def load_localizer(
    run: Session, effort: Effort = "full", precision: Literal["fp32", "int8"] = "fp32", *, model: Path | None = None
) -> Localizer:
    """The shipped model, or another one, on one thread of the CPU; its name and hash go into the settings."""
    with box_model(precision) as shipped:
        localizer = Localizer.load(model or shipped, device="cpu", threads=1, effort=effort)
    metadata = localizer.engine.metadata
    run.settings.update(
        model=metadata.name,
        precision=metadata.precision,
        model_sha256=localizer.engine.sha256,
        input_size=metadata.input_size,
        threads=1,
        set_sample_size=localizer.set_sample_size,
    )
    return localizer


@contextmanager
def default_model() -> Iterator[Path]:
    """The file of the shipped model."""
    with box_model() as model:
        yield model


def read_sets(run: Session, data: Path, which: ScoredImages, layout: str, category: str) -> list[EvaluationSet]:
    """Open the sets, and tell the record how many images there are.

    Raises:
        DatasetError: There is none.
    """
    sets = open_sets(data, layout=layout, category=category, images=which, limit=run.settings["limit"])
    run.settings.update(images=which, sets={member.name: len(member.images) for member in sets})
    return sets


def note(text: str) -> None:
    """A line on standard error."""
    typer.echo(text, err=True)
