"""The command `python -m training.experiments`."""

import logging
import time
from collections.abc import Callable
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import typer

from colocalization.errors import ColocalizeError
from colocalization.localizer import DEFAULT_MODEL, Localizer
from training.errors import TrainingError
from training.experiments.compare import compare, compare_saliency
from training.experiments.records import record_path, write_record
from training.experiments.saliency import Saliency, fetch_u2netp
from training.experiments.sets import Pictures, open_sets
from training.runlog import peak_memory_mb

__all__ = ["app"]

Name = Literal["peers", "saliency"]
app = typer.Typer(add_completion=False)


@app.command()
def run(
    name: Annotated[Name, typer.Argument()],
    data: Annotated[Path, typer.Option()] = Path("../shared/data"),
    limit: Annotated[int | None, typer.Option()] = None,
    pictures: Annotated[Pictures, typer.Option()] = "all",
    layout: str = "auto",
    category: str = "",
    records: Path = Path("docs/records"),
    cache: Path = Path.home() / ".cache" / "colocalize",
) -> None:
    """x"""
    torch.set_num_threads(1)
    started = time.perf_counter()
    sets = open_sets(data, layout=layout, category=category, pictures=pictures, limit=limit)
    note = lambda text: typer.echo(text, err=True)
    with as_file(files("colocalization") / "models" / DEFAULT_MODEL) as model:
        localizer = Localizer.load(model, device="cpu", threads=1)
        if name == "peers":
            results = compare(localizer, model, sets, note)
        else:
            results = compare_saliency(Saliency(fetch_u2netp(cache)), localizer, sets, note)
        settings = {
            "data": data.name,
            "limit": limit,
            "pictures": pictures,
            "model": localizer.engine.metadata.name,
            "model_sha256": localizer.engine.sha256,
            "threads": 1,
        }
    results["seconds"] = round(time.perf_counter() - started, 1)
    results["peak_memory_mb"] = round(peak_memory_mb() or 0)
    write_record(record_path(records, name), name, settings, results)
