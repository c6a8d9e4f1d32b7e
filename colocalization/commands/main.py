"""The entry point of the command line: finds the commands that the installed packages offer.

What a command needs is imported when it is called, so that each starts as fast as it can.
"""

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from typing import Annotated

import typer

from colocalization._version import __version__
from colocalization.commands.exits import EXIT_CANNOT_RUN, fail

__all__ = ["add_commands", "app", "main"]

_COMMANDS = {
    "score": ("cpu", "Find the common object in images: a box for each."),
    "fit": ("cpu", "Learn what images have in common, and keep it for other images."),
    "show": ("cpu", "Say what is in a common object that was kept."),
    "evaluate": ("cpu", "Print CorLoc, AP50 and recall of predictions against boxes."),
    "serve": ("serve", "Start the HTTP service (needs the extra 'serve')."),
    "train": ("train", "Train a network on a folder of images (needs the extra 'train')."),
    "export": ("export", "Write a checkpoint as an ONNX model (needs the extra 'export')."),
    "foreground": ("export", "Learn a foreground prior from sets of images (needs the extra 'export')."),
}
"""Our own commands in the order in which help lists them: the extra that brings what they need, and what they do."""

_OWN_PACKAGES = {"colocalization", "scoring", "service", "training", "model_export"}

app = typer.Typer(
    name="colocalize",
    help="Find the thing that a set of images has in common: a box and a heat map for each, without a label.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


def add_commands(cli: typer.Typer, points: Iterable[EntryPoint]) -> None:
    """Add the commands that packages offer; each is imported only when it is called.

    Args:
        cli: Where to add them.
        points: Entry points, each naming a Typer application.
    """
    order = list(_COMMANDS)
    found = {point.name: point for point in points}
    for name in sorted(found, key=lambda name: (order.index(name) if name in order else len(order), name)):
        extra, summary = _COMMANDS.get(name, (None, f"Provided by {found[name].module}."))
        _add_command(cli, found[name], extra, summary)


def _add_command(cli: typer.Typer, point: EntryPoint, extra: str | None, summary: str) -> None:
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


add_commands(app, entry_points(group="colocalize.commands"))


def main() -> None:
    """Entry point of the command `colocalize`."""
    app()


if __name__ == "__main__":
    main()
