"""The command `python -m benchmarks`; run it from the root of the repository."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.against import measure_against
from benchmarks.checkpoint import measure_checkpoint
from benchmarks.devices import MeasuredDevice, choose_devices
from benchmarks.folder import MODES, measure_folder, measure_limits
from benchmarks.parts import Part, keep_part
from benchmarks.pooling import BATCHES, measure_equality, measure_pooling
from benchmarks.precision import measure_precision
from benchmarks.ray_growth import measure_growth
from benchmarks.ray_speed import measure_speed
from benchmarks.report import RECORDS, write_report
from benchmarks.sessions import measure_sessions
from colocalization.cores import usable_cores
from colocalization.errors import ProviderError
from experiments.records import describe_run, write_record
from experiments.sets import open_sets
from training.datasets import open_dataset
from training.provenance import Provenance

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__)

PhotographFolder = Annotated[Path, typer.Option(help="Folder of photographs, searched at any depth.")]
Rounds = Annotated[int, typer.Option(min=1, help="Rounds of each comparison.")]
Threads = Annotated[int, typer.Option(min=0, help="Threads of the network; 0: one for each core.")]

OnDevice = Annotated[
    MeasuredDevice | None,
    typer.Option(
        help="Where to run; unless named, the CPU, and CUDA where it can be used.",
        show_default=False,
    ),
]


class RayPart(StrEnum):
    """What `ray` measures."""

    SPEED, GROWTH, STORE = "speed", "growth", "store"


_IMAGES = Path("examples/images")
_CPU_ALONE = "left out: this is measured on the CPU alone"


@contextmanager
def _record(name: str, **settings: Any) -> Iterator[dict[str, Any]]:
    """Write what is put into the dictionary as the record of a benchmark."""
    provenance = Provenance.here()
    results: dict[str, Any] = {}
    yield results
    write_record(_path(name), name, provenance, settings | {"cuda": _CPU_ALONE}, results, "benchmarks")
    _note(f"{_path(name)} written")


def _keeper(name: str, *keys: str, **settings: Any) -> Callable[[Part], None]:
    """What writes a part into the record of a benchmark as soon as it is measured; see `keep_part` for the keys."""
    provenance = Provenance.here()

    def keep(part: Part) -> None:
        keep_part(_path(name), name, {**part, "run": describe_run(provenance, settings, "benchmarks")}, keys)
        _note(f"{_path(name)} written")

    return keep


def _devices(asked: MeasuredDevice | None) -> tuple[tuple[MeasuredDevice, ...], str]:
    try:
        return choose_devices(asked)
    except ProviderError as error:
        raise typer.BadParameter(str(error), param_hint="--device") from error


def _path(name: str) -> Path:
    return RECORDS / f"benchmark-{name}.json"


def _photographs(folder: Path) -> list[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not found:
        raise typer.BadParameter(f"there is no photograph in {folder}")
    return found


def _note(text: str) -> None:
    typer.echo(text, err=True)


@app.command()
def pooling(
    images: PhotographFolder = _IMAGES,
    rounds: Rounds = 200,
    threads: Threads = 1,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Part of a case's name, to measure it anew and keep the others; repeatable."),
    ] = None,
    batch: Annotated[list[int] | None, typer.Option(min=1, max=max(BATCHES), help="Images in a run.")] = None,
    device: OnDevice = None,
) -> None:
    """Forward time with PTAP over that with a channel mean; what is not measured anew is kept."""
    devices, cuda = _devices(device)
    found = (_photographs(images) * max(BATCHES))[: max(BATCHES)]
    keep = _keeper("pooling", "case", "device", "batch", rounds=rounds, cuda=cuda)
    for part in measure_pooling(
        found, rounds, threads, _note, only=only or (), batches=batch or BATCHES, devices=devices
    ):
        keep(part)


@app.command()
def equality(cases: Annotated[int, typer.Option(min=1, help="Feature maps.")] = 12_000) -> None:
    """The poolings in the graph against float64 numpy."""
    with _record("equality", cases=cases) as results:
        results.update(measure_equality(cases, _note))


@app.command()
def precision(
    data: Path = Path("../shared/data"),
    rounds: Rounds = 60,
    threads: Threads = 1,
    limit: Annotated[
        int | None, typer.Option(min=2, help="Most images a set, spread evenly; for a quick look.")
    ] = None,
    device: OnDevice = None,
) -> None:
    """Speed and CorLoc of int8, on CUDA fp16, beside fp32; DATA is a collection of sets as in docs/experiments.md."""
    devices, cuda = _devices(device)
    settings = {"rounds": rounds, "threads": threads, "data": data.resolve().name, "limit": limit, "cuda": cuda}
    keep = _keeper("precision", "device", **settings)
    with tempfile.TemporaryDirectory() as folder:
        sets = open_sets(data, limit=limit)
        images = [image.path for image in sets[0].images[:16]]
        for where in devices:
            keep(measure_precision(sets, images, Path(folder), rounds, threads, _note, where))


@app.command()
def folder(
    images: PhotographFolder = _IMAGES,
    count: Annotated[list[int] | None, typer.Option(min=2, help="Images; repeatable.")] = None,
    mode: Annotated[list[str] | None, typer.Option(help="Mode, attention or common; repeatable.")] = None,
    seconds: Annotated[float, typer.Option(help="Length of each measurement of the bare network.")] = 15.0,
) -> None:
    """`colocalize score` beside the bare network: 100, 1,000 and 5,000 images, both modes."""
    counts = count or [100, 1_000, 5_000]
    keep = _keeper("folder", "mode", "count", seconds=seconds, cuda=_CPU_ALONE)
    for part in measure_folder(_photographs(images), counts, usable_cores(), seconds, _note, mode or MODES):
        keep(part)


@app.command()
def against(
    other: Annotated[Path, typer.Argument(help="The command `colocalize` of another checkout's environment.")],
    commit: Annotated[str, typer.Option(help="What that checkout is, for the record.")],
    images: PhotographFolder = _IMAGES,
    count: Annotated[int, typer.Option(min=2, help="Images.")] = 1_000,
    rounds: Rounds = 2,
    mode: Annotated[list[str] | None, typer.Option(help="Mode, attention or common; repeatable.")] = None,
) -> None:
    """`colocalize score` beside that of another checkout, taking turns: images a second, CPU time, memory."""
    keep = _keeper("against", "mode", "who", commit=commit, rounds=rounds, cuda=_CPU_ALONE)
    for part in measure_against(_photographs(images), other, count, rounds, _note, mode or MODES):
        keep(part)


@app.command()
def ray(
    images: PhotographFolder = _IMAGES,
    only: Annotated[list[RayPart] | None, typer.Option(help="Measure these alone; repeatable.")] = None,
    count: Annotated[int, typer.Option(min=40, help="Images for each core, for `speed`, and of `store`.")] = 300,
    rounds: Rounds = 3,
    mode: Annotated[list[str] | None, typer.Option(help="Mode of `speed`, attention or common; repeatable.")] = None,
    many: Annotated[int, typer.Option(min=1_000, help="Images of `growth`.")] = 100_000,
) -> None:
    """The engine `ray`: what it costs, what a second worker brings, its memory, and a slow and busy store."""
    found, part = _photographs(images), 32
    keep = _keeper("ray", "what", "mode", "way", count=count, rounds=rounds, part=part, cuda=_CPU_ALONE)
    chosen = only or list(RayPart)
    if RayPart.SPEED in chosen:
        for one in mode or ["common"]:
            for told in measure_speed(found, count, rounds, part, one, _note):
                keep(told)
    if RayPart.GROWTH in chosen:
        keep(measure_growth(found, many, 2, _note))
    if RayPart.STORE in chosen:
        from benchmarks.ray_store import measure_store  # needs moto, which no other benchmark does

        keep(measure_store(found, count, 2, 0.1, 0.05, part, _note))


@app.command()
def limits(rounds: Rounds = 50) -> None:
    """Multiply-adds of the network, and what a core could do."""
    with _record("limits", rounds=rounds) as results:
        results.update(measure_limits(rounds))


@app.command()
def sessions(rounds: Rounds = 60, threads: Threads = 0) -> None:
    """What options of ONNX Runtime's sessions change."""
    with _record("sessions", rounds=rounds, threads=threads) as results:
        results.update(measure_sessions(rounds, threads))


@app.command()
def checkpoint(
    path: Annotated[Path, typer.Argument(help="A checkpoint of `colocalize train`.")],
    data: Annotated[Path, typer.Option(help="Data set whose test images are scored.")],
) -> None:
    """A trained checkpoint, exported and scored by `colocalize score`, beside torch."""
    tested = [image.path for image in open_dataset(data).labelled_test]
    with _record("checkpoint", data=data.resolve().name) as results, tempfile.TemporaryDirectory() as folder:
        results.update(measure_checkpoint(path, tested, data / "boxes.csv", Path(folder)))


@app.command()
def everything(images: PhotographFolder = _IMAGES, data: Path = Path("../shared/data")) -> None:
    """All but those whose data is missing and that of a checkpoint, then the report."""
    steps: list[Callable[[], None]] = [equality, limits, sessions, lambda: pooling(images), lambda: folder(images)]
    if data.is_dir():
        steps.append(lambda: precision(data))
    else:
        _note(f"precision left out: there is no folder {data}")
    for step in steps:
        step()
    write_report()


@app.command()
def report() -> None:
    """Write the benchmarks' part of docs/performance.md and its plot from the records."""
    write_report()
