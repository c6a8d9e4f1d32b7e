"""The command `colocalize show`."""

from typing import Annotated

import typer

from colocalization.commands.exits import errors_reported

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def show(file: Annotated[str, typer.Argument(help="A common object, such as OUT/object.npz, or its URL.")]) -> None:
    """Say what is in a common object: what it was fitted on, with what, and how well the images agreed."""
    from rich.console import Console

    from scoring.kept_objects import load_object
    from scoring.object_table import object_table
    from scoring.stores.urls import redacted

    with errors_reported():
        Console().print(object_table(load_object(file), redacted(file)))
