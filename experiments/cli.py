"""The command `python -m experiments`."""

from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path
from typing import Annotated, get_args

import typer

from colocalization.commands.exits import errors_reported
from colocalization.exemplar import JOINS_FROM
from colocalization.localizer import Localizer
from colocalization.memory import keep_freed_memory
from colocalization.results import Effort, Mode
from experiments.background import measure_background
from experiments.calibrate import measure_calibration
from experiments.compare import KINDS, OF_ANY_MODEL, Kind, compare, merge
from experiments.failures import draw_failures
from experiments.figure2 import draw_figure
from experiments.foreground import half_taught, measure_foreground
from experiments.hints import measure_hints
from experiments.kept_object import measure_kept_object
from experiments.options import (
    Category,
    Data,
    Halves,
    Layout,
    Limit,
    Precision,
    Records,
    Which,
    default_model,
    load_localizer,
    note,
    read_sets,
    session,
)
from experiments.ours import OURS
from experiments.records import read_record
from experiments.report import write_report
from experiments.saliency import Saliency, fetch_u2netp
from experiments.scale import COUNTS, measure_scale
from experiments.set_size import measure_set_size
from experiments.sets import open_background, open_sets
from experiments.tables import GridPlan, run_grid
from experiments.training_pays import measure_training
from training.config import FeatureMap
from training.config_file import load_config
from training.console import ConsoleProgress
from training.datasets import ImageSet, open_dataset
from training.errors import TrainingError

__all__ = ["app"]

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)

_DATA = Path("../shared/data")
_CACHE = Path.home() / ".cache" / "colocalize"


@app.command()
def peers(
    data: Data = _DATA,
    limit: Limit = None,
    which: Which = "all",
    layout: Layout = "auto",
    category: Category = "",
    records: Records = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help=f"Measure these alone, repeatable, keep the rest of the record: {', '.join(KINDS)}."),
    ] = None,
    cache: Annotated[Path, typer.Option(help="Where the saliency network is kept, outside the repository.")] = _CACHE,
    label: Annotated[str, typer.Option(help="Added to the record's name, to keep it beside another one.")] = "",
    model: Annotated[
        Path | None,
        typer.Option(
            help=f"ONNX file of another network, with --only {' or '.join(OF_ANY_MODEL)}; else the one in the box.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Every method on the same images, with the same network's features."""
    with session("peers" + (f"-{label}" if label else ""), data, limit, records) as run, ExitStack() as stack:
        kinds = _kinds(only)
        if model is not None and not set(kinds) <= set(OF_ANY_MODEL):
            raise TrainingError(f"with --model, --only must be of {', '.join(OF_ANY_MODEL)}, got {', '.join(kinds)}")
        path = model or stack.enter_context(default_model())
        sets = read_sets(run, data, which, layout, category)
        localizer = load_localizer(run, model=model)
        merges = bool(only) and run.path.is_file()
        if merges and read_record(run.path)["settings"].get("model_sha256") != localizer.engine.sha256:
            raise TrainingError(f"{run.path} was measured with another model; measure all kinds anew, without --only")
        saliency = None
        if "saliency" in kinds:
            try:
                saliency = Saliency(fetch_u2netp(cache))
            except TrainingError as error:
                run.settings["left_out"] = {Saliency.name: error.message}
                note(f"left out: {error.message}")
        results = compare(localizer, path, sets, note, kinds=kinds, saliency=saliency)
        # Read after measuring, which takes long: another kind may have been measured meanwhile.
        run.results.update(merge(read_record(run.path)["results"], results) if merges else results)


def _kinds(names: list[str] | None) -> tuple[Kind, ...]:
    if unknown := [name for name in names or () if name not in KINDS]:
        raise TrainingError(f"there is no kind of method {unknown[0]!r}; allowed: {', '.join(KINDS)}")
    # Peers made for transformers are asked for by name: on the features of the model in the box they are not fair.
    return tuple(kind for kind in KINDS if (kind in names if names else kind != "tokens"))


@app.command()
def background(
    data: Data = _DATA,
    limit: Limit = None,
    which: Which = "all",
    records: Records = None,
    halves: Halves = None,
) -> None:
    """Does the confidence tell images without the common object?"""
    with session("background", data, limit, records) as run, default_model() as model:
        sets = read_sets(run, data, which, "auto", "")
        load_localizer(run, "fast")  # tells the record of the model
        with half_taught(model, data, sets, note, folder=halves, effort="fast") as taught:
            run.settings["priors"] = dict(taught.lessons)
            found = measure_background(taught.plain, sets, open_background(data), note, with_prior=taught.with_prior)
        run.results.update(found)


@app.command()
def set_size(
    data: Data = _DATA,
    limit: Limit = None,
    which: Which = "all",
    layout: Layout = "auto",
    category: Category = "",
    records: Records = None,
    effort: Annotated[Effort, typer.Option(help="Effort of mode common.")] = "full",
    halves: Halves = None,
) -> None:
    """How does quality grow with the set?"""
    with session("set-size", data, limit, records, effort=effort) as run, default_model() as model:
        sets = read_sets(run, data, which, layout, category)
        load_localizer(run, effort)  # tells the record of the model
        with half_taught(model, data, sets, note, folder=halves, effort=effort) as taught:
            run.settings["priors"] = dict(taught.lessons)
            run.results.update(measure_set_size(taught.with_prior, sets, note))


@app.command()
def kept_object(
    data: Data = _DATA,
    limit: Limit = None,
    only: Annotated[list[str] | None, typer.Option("--set", help="Group of sets, repeatable; else all.")] = None,
    records: Records = None,
    effort: Annotated[Effort, typer.Option(help="Effort of mode common.")] = "full",
    halves: Halves = None,
) -> None:
    """What is lost when the common object comes from other images of the same kind?"""
    with session("kept-object", data, limit, records, effort=effort) as run, default_model() as model:
        sets = read_sets(run, data, "all", "auto", "")
        if unknown := sorted(set(only or ()) - {members.group for members in sets}):
            allowed = ", ".join(dict.fromkeys(members.group for members in sets))
            raise TrainingError(f"there is no group of sets {unknown[0]!r}; allowed: {allowed}")
        load_localizer(run, effort)  # tells the record of the model
        with half_taught(model, data, sets, note, folder=halves, effort=effort) as taught:
            run.settings["priors"] = dict(taught.lessons)
            sets = [members for members in sets if not only or members.group in only]
            run.settings["sets"] = {members.name: len(members.images) for members in sets}
            run.results.update(measure_kept_object(taught.with_prior, sets, note))


@app.command()
def hints(data: Data = _DATA, limit: Limit = None, records: Records = None, precision: Precision = "fp32") -> None:
    """What boxes teach: every set without a hint, with the box of its hint.csv, and with two more."""
    with session("hints", data, limit, records, joins_from=JOINS_FROM) as run:
        sets = open_sets(data)  # whole: hints are drawn from all of a set
        localizer = load_localizer(run, "full", precision)
        run.results.update(measure_hints(localizer, data, sets, note, limit=limit))


@app.command()
def foreground(data: Data = _DATA, limit: Limit = None, records: Records = None, halves: Halves = None) -> None:
    """What a foreground prior adds that was learnt on other sets."""
    with session("foreground", data, limit, records) as run, default_model() as model:
        sets = read_sets(run, data, "all", "auto", "")
        load_localizer(run)  # tells the record of the model
        run.results.update(measure_foreground(model, data, sets, note, folder=halves))


@app.command()
def training(
    data: Data = _DATA,
    records: Records = None,
    halves: Annotated[
        Path, typer.Option(help="Folder of the half-taught priors and of what is measured: kept there, and taken from.")
    ] = Path("runs/halves"),
    seed: Annotated[list[int] | None, typer.Option(help="Divisions of each set, repeatable.")] = None,
    most_to_train: Annotated[int, typer.Option(min=8, help="Most images of a set to train on.")] = 60,
    most_to_try: Annotated[int, typer.Option(min=1, help="Most images of a set to try.")] = 40,
) -> None:
    """Does training pay, and does it say so? Trained on one half of each set, tried on the other."""
    seeds = list(seed or [0, 1, 2])
    with session("training", data, None, records, seeds=seeds) as run, default_model() as model:
        run.settings.update(most_to_train=most_to_train, most_to_try=most_to_try)
        sets = read_sets(run, data, "all", "auto", "")
        load_localizer(run)  # tells the record of the model
        measured = measure_training(
            model, data, sets, note,
            seeds=seeds, most_to_train=most_to_train, most_to_try=most_to_try, folder=halves,
        )  # fmt: skip
        run.results.update(measured)


@app.command()
def calibrate(data: Data = _DATA, limit: Limit = None, records: Records = None, halves: Halves = None) -> None:
    """Is the score of a box the probability that it is right, on sets that did not teach it?"""
    with session("calibrate", data, limit, records) as run, default_model() as model:
        sets = read_sets(run, data, "all", "auto", "")
        load_localizer(run)  # tells the record of the model
        run.results.update(measure_calibration(model, data, sets, note, folder=halves))


@app.command()
def scale(
    data: Data = _DATA,
    records: Records = None,
    count: Annotated[list[int] | None, typer.Option(min=2, help="Images; repeatable.")] = None,
) -> None:
    """Time and memory of `colocalize score` on folders of 100, 1,000 and 10,000 images."""
    with session("scale", data, None, records) as run:
        sets = read_sets(run, data, "all", "auto", "")
        run.results.update(measure_scale(sets, count or COUNTS, note))


@app.command()
def figure2(
    out: Annotated[Path, typer.Option(help="PNG or JPEG to draw.")],
    data: Data = Path("examples"),
    model: Annotated[
        Path | None, typer.Option(help="ONNX file of a trained network; else the model in the box.", show_default=False)
    ] = None,
    mode: Annotated[Mode, typer.Option(help="What to draw; the paper's figure is in mode attention.")] = "common",
    count: Annotated[int, typer.Option(min=1, help="Images to draw.")] = 8,
    limit: Limit = None,
    which: Which = "all",
    layout: Layout = "auto",
    category: Category = "",
) -> None:
    """Draw heat maps, ground truth (red) and prediction (green). Mind the licence of the images."""
    with session("figure2", data, limit, None) as run:
        sets = read_sets(run, data, which, layout, category)
        localizer = load_localizer(run) if model is None else Localizer.load(model, device="cpu", threads=1)
        sheet = draw_figure(localizer, sets[0].images, count=count, method=OURS[f"ours, {mode}"])
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out, quality=88)


@app.command()
def failures(
    out: Annotated[Path, typer.Option(help="Folder of the sheets, one a set; outside the repository.")],
    data: Data = _DATA,
    count: Annotated[int, typer.Option(min=1, help="Worst images of a set to draw.")] = 12,
    limit: Limit = None,
    which: Which = "all",
    layout: Layout = "auto",
    category: Category = "",
    precision: Precision = "fp32",
) -> None:
    """Sheets of each set's worst images: truth (red), prediction (green), the prior's map, the set's map."""
    with session("failures", data, limit, None) as run:
        sets = read_sets(run, data, which, layout, category)
        draw_failures(load_localizer(run, "full", precision), sets, out, note, count=count)


_GridData = Annotated[Path, typer.Option(help="One data set with boxes for its test images.")]
_Runs = Annotated[Path, typer.Option(help="Where runs are looked for and trained.")]
_Preset = Annotated[str, typer.Option(help="Preset, or a TOML file of settings.")]
_Override = Annotated[list[str] | None, typer.Option("--set", help="One setting, section.name=value.")]
_Seed = Annotated[list[int] | None, typer.Option(help="Seeds, repeatable.")]
_Train = Annotated[bool, typer.Option(help="Train what is missing, or score finished runs alone.")]
_RUNS = Path("runs/experiments")


def _add_grid(name: str, title: str) -> None:
    """Add the command of an experiment that trains."""

    @app.command(name, help=title)
    def run(
        data: _GridData,
        runs: _Runs = _RUNS,
        preset: _Preset = "small",
        override: _Override = None,
        seed: _Seed = None,
        train: _Train = True,
        limit: Limit = None,
        layout: Layout = "auto",
        category: Category = "",
        records: Records = None,
        label: Annotated[str, typer.Option(help="Added to the record's name, to keep it beside another one.")] = "",
    ) -> None:
        keep_freed_memory()
        images = _open_grid_data(data, layout, category)
        plan = GridPlan(preset, runs / data.resolve().name, tuple(override or ()), tuple(seed or (0,)), train, limit)
        _measure_grid(name, data, images, plan, category, records, label)


def _open_grid_data(data: Path, layout: str, category: str) -> ImageSet:
    with errors_reported():
        return open_dataset(data, layout, category)


def _measure_grid(
    name: str, data: Path, images: ImageSet, plan: GridPlan, category: str, records: Path | None, label: str
) -> None:
    """Train and score the cells of an experiment, and write its record."""
    record = "-".join(part for part in (name, data.resolve().name, category, label) if part)
    settings = {"preset": Path(plan.preset).name, "overrides": list(plan.overrides), "seeds": list(plan.seeds)}
    with session(record, data, plan.limit, records, grid=name, **settings) as experiment:
        experiment.settings["images"] = {"train": len(images.train), "test": len(images.labelled_test)}
        with default_model() as shipped:  # it takes no part, and says which one these runs stand beside
            experiment.settings["model_sha256"] = sha256(shipped.read_bytes()).hexdigest()
        with ConsoleProgress(load_config(plan.preset, plan.overrides).run.batch_size) as progress:
            experiment.results.update(run_grid(name, plan, images, progress))


for _name, _title in (
    ("figure1", "k sweep: baseline + PTAP and full method."),
    ("table1", "PTAP at train and at test, with the loss."),
    ("table2", "Channel-wise and pixel-wise, with the loss."),
    ("table3", "R+S and S+T, baseline and ours; once for each data set."),
    ("ablation", "With and without PTAP and loss, for R, R+S and S+T."),
    ("baselines", "The baseline on the head's features, for R, R+S and S+T."),
    ("forms", "The forms of the contrastive loss."),
    ("psynet", "PsyNet's training: its pretext tasks, without PTAP and loss."),
):
    _add_grid(_name, _title)


@app.command()
def paper(
    data: _GridData,
    runs: _Runs = _RUNS,
    preset: _Preset = "small",
    override: _Override = None,
    seed: _Seed = None,
    train: _Train = True,
    limit: Limit = None,
    layout: Layout = "auto",
    category: Category = "",
    records: Records = None,
) -> None:
    """All of the paper on one data set: Tables 1 to 3 and Figure 1, each on both feature maps; three seeds."""
    keep_freed_memory()
    images = _open_grid_data(data, layout, category)
    for name in ("table1", "table2", "table3", "figure1"):
        for feature_map in get_args(FeatureMap):
            overrides = (*(override or ()), f"backbone.feature_map={feature_map}")
            folder = runs / data.resolve().name / feature_map
            plan = GridPlan(preset, folder, overrides, tuple(seed or (0, 1, 2)), train, limit)
            _measure_grid(name, data, images, plan, category, records, feature_map)


@app.command()
def report(
    records: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("docs/records"),
    out: Annotated[Path, typer.Option(help="Text to write; its plots go into `figures` beside it.")] = Path(
        "docs/results.md"
    ),
) -> None:
    """Write docs/results.md and its plots from the records."""
    write_report(records, out)
