"""The command `colocalize show`."""

from pathlib import Path
from typing import Annotated

import typer

from colocalization.commands.exits import errors_reported

__all__ = ["app"]

app = typer.Typer(add_completion=False)


@app.command()
def show(file: Annotated[Path, typer.Argument(help="A common object, such as OUT/object.npz.")]) -> None:
    """Say what is in a common object: what it was fitted on, with what, and how well the images agreed."""
    from rich.console import Console

    from colocalization.common_object import CommonObject
    from scoring.object_table import object_table

    with errors_reported():
        Console().print(object_table(CommonObject.load(file), file))
