"""The command line: `colocalize score`, `serve`, `evaluate`, and the commands that optional packages add.

What a command needs is imported inside it, so that each starts as fast as it can.
"""

import json
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from colocalization._version import __version__
from colocalization.engine import Device
from service.exits import EXIT_CANNOT_RUN, errors_reported, fail, warn
from service.options import one_of, whole_number
from service.scoring.command import score

__all__ = ["add_optional_commands", "app", "main"]

_OPTIONAL = {
    "train": ("train", "Train a network on a folder of images (needs the extra 'train')."),
    "export": ("export", "Write a checkpoint as an ONNX model (needs the extra 'export')."),
}
"""Commands of the optional packages: the extra that brings what they need, and what they do."""

_OWN_PACKAGES = {"colocalization", "training", "model_export", "service"}

app = typer.Typer(
    name="colocalize",
    help="Find the thing that a set of images has in common: a box and a heat map for each, without a label.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(score)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"colocalize {__version__}")
        raise typer.Exit


@app.callback()
def _common_options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """What all commands share."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        int | None,
        typer.Option(parser=whole_number(0, 65535), metavar="0..65535", help="Port to listen on; 0 takes a free one."),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Model file; the one in the box if left out.")] = None,
    device: Annotated[
        Device | None, typer.Option(parser=one_of(Device), metavar="auto|cpu|cuda", help="Where the network runs.")
    ] = None,
    require_gpu: Annotated[
        bool | None, typer.Option("--require-gpu", help="Refuse to start where CUDA cannot be used.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(parser=whole_number(0), metavar="N>=0", help="Threads of the network; 0 takes all cores."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(parser=whole_number(1), metavar="N>=1", help="Processes, each with a model of its own."),
    ] = None,
) -> None:
    """Start the HTTP service.

    Every setting can be given as an environment variable COLOCALIZE_NAME too, and most only so; options win.
    """
    from pydantic import ValidationError

    from service.server import run
    from service.settings import Settings
    from service.settings_errors import explain

    options: dict[str, Any] = {
        "host": host,
        "port": port,
        "model": model,
        "device": device,
        "require_gpu": require_gpu,
        "threads": threads,
        "workers": workers,
    }
    for name in Settings.unknown_variables():
        warn(f"{name} is no setting")
    given = {name: value for name, value in options.items() if value is not None}
    try:
        settings = Settings(**given)
    except ValidationError as error:
        fail(explain(error, given))
    with errors_reported():
        try:
            run(settings)
        except ValueError as error:  # a setting that only shows to be wrong when it is used, such as an API key
            fail(str(error))


@app.command()
def evaluate(
    predictions: Annotated[Path, typer.Argument(help="A predictions.jsonl.")],
    boxes: Annotated[Path, typer.Option(help="CSV with the header file,x0,y0,x1,y1, in pixels.")],
    files: Annotated[Path | None, typer.Option(help="Score only the files named in this file, one a line.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object in place of text.")] = False,
) -> None:
    """Print CorLoc of predictions: the share of images whose first box is right, in percent.

    Right at a threshold: intersection over union with any of the file's boxes is at least that. A file without a
    prediction, or without a predicted box, counts as wrong.
    """
    from service.scoring import evaluation

    with errors_reported():
        result = evaluation.evaluate(predictions, boxes, files)
        if result.unknown:
            warn(f"{len(result.unknown)} of the files asked for have no boxes, such as {result.unknown[0]!r}")
        if result.unpredicted:
            warn(f"{len(result.unpredicted)} files have no prediction, such as {result.unpredicted[0]!r}: wrong")
        scores = result.scores
        if as_json:
            corloc = {f"{threshold:g}": value for threshold, value in scores.at.items()}
            record = {"images": scores.images, "without_box": scores.missing, "corloc": corloc, "mean": scores.mean}
            typer.echo(json.dumps(record))
        else:
            typer.echo(str(scores))


def add_optional_commands(cli: typer.Typer, points: Iterable[EntryPoint]) -> None:
    """Add commands that other packages offer; each is imported only when it is called.

    Args:
        cli: Where to add them.
        points: Entry points, each naming a Typer application.
    """
    for point in {point.name: point for point in points}.values():
        extra, summary = _OPTIONAL.get(point.name, (None, f"Provided by {point.module}."))
        _add_optional_command(cli, point, extra, summary)


def _add_optional_command(cli: typer.Typer, point: EntryPoint, extra: str | None, summary: str) -> None:
    def command(context: typer.Context) -> None:
        try:
            loaded = point.load()
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in _OWN_PACKAGES:
                raise  # not an optional part that is missing, but a broken installation
            install = f"; install it with: pip install 'colocalize[{extra}]'" if extra else ""
            fail(f"colocalize {point.name} needs the package {missing!r}{install}", EXIT_CANNOT_RUN)
        loaded(args=context.args, prog_name=f"colocalize {point.name}")

    # All arguments, --help among them, go to the loaded command.
    forward = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
    cli.command(point.name, help=summary, context_settings=forward, add_help_option=False)(command)


add_optional_commands(app, entry_points(group="colocalize.commands"))


def main() -> None:
    """Entry point of the command `colocalize`."""
    app()


if __name__ == "__main__":
    main()
