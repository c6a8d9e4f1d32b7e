"""The command `colocalize show`."""

from pathlib import Path
from typing import Annotated

import typer

from colocalization.commands.exits import errors_reported, fail
from colocalization.commands.options import ModelOption

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def show(
    file: Annotated[str, typer.Argument(help="A common object, such as OUT/object.npz, or its URL.")],
    images: Annotated[
        list[str] | None,
        typer.Option(
            metavar="INPUT",
            help="What it was fitted on, as it was given to `fit`, or other images, for --contact-sheet; repeatable.",
        ),
    ] = None,
    contact_sheet: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw up to 48 of the images that it learns from, with what it finds there."),
    ] = None,
    model: ModelOption = None,
) -> None:
    """Say what is in a common object: what it was fitted on, with what, and how well the images agreed."""
    from rich.console import Console

    from scoring.kept_objects import load_object
    from scoring.object_table import object_table
    from scoring.stores.urls import redacted

    with errors_reported():
        if (contact_sheet is None) != (not images):
            fail("give --images and --contact-sheet together: what to draw, and the file to draw it into")
        common = load_object(file)
        Console().print(object_table(common, redacted(file)))
        if contact_sheet is not None:
            from scoring.object_sheet import draw_object

            draw_object(common, images or [], contact_sheet, model)
            typer.echo(f"written {contact_sheet}")
