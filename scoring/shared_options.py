"""Options that `score` and `fit` share: which images, what is known of them, and how the work is done."""

from typing import Annotated, Literal

import typer

from colocalization.results import Effort

__all__ = [
    "BatchSizeOption",
    "EffortOption",
    "EngineName",
    "FilesFromOption",
    "HintsFileOption",
    "HintsOption",
    "InputsArgument",
    "StrictOption",
    "WorkersOption",
    "named",
]

EngineName = Literal["local", "ray"]
"""What does the work: this process, or the machines of a Ray cluster."""

_RUNNING, _KNOWN = "Running", "What is known"

InputsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help="Folders, files, or quoted patterns such as 'sets/**/*.jpg'; also URLs (s3://, gs://, az://).",
    ),
]
FilesFromOption = Annotated[
    str | None,
    typer.Option(
        "--files-from",
        metavar="FILE",
        help="Take the files named in FILE ('-': standard input), one a line or each ended by a NUL; relative to "
        "the one INPUT, a folder, or to the working folder where there is none.",
    ),
]
StrictOption = Annotated[bool, typer.Option("--strict", help="Count files that are no images as failed.")]
HintsFileOption = Annotated[
    str | None,
    typer.Option(
        "--hints",
        metavar="FILE",
        help="CSV with the header file,x0,y0,x1,y1: boxes of the object in some of the images, one is enough; a row "
        "with empty corners says that the image does not show it.",
        rich_help_panel=_KNOWN,
    ),
]
HintsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--hint",
        metavar="NAME:BOX",
        help="One hint, such as a.jpg:12,30,400,410 or b.jpg:none; repeatable.",
        rich_help_panel=_KNOWN,
    ),
]
EffortOption = Annotated[
    Effort,
    typer.Option(
        "--effort",
        help="Of mode common. full: a second look at each image in which the model's prior does not confirm the first; "
        "fast: only at those that it learns outlines from, none of a small set; takes about four fifths of the time "
        "and gives coarser boxes. thorough: as full, and where the set shows many small things, nine looks at tiles of "
        "each image: two to five times the time, more with many boxes.",
    ),
]
WorkersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        min=0,
        help="Threads that decode and draw; 0 takes all cores, at most 12.",
        rich_help_panel=_RUNNING,
    ),
]
BatchSizeOption = Annotated[
    int,
    typer.Option(
        "--batch-size",
        min=1,
        help="Images in one run of the network on a GPU; the CPU takes one at a time, more is no faster there.",
        rich_help_panel=_RUNNING,
    ),
]


def named(place: str) -> str:
    """A folder for results. An empty name, mostly a shell variable that is not set, would be the working folder."""
    if not place:
        raise typer.BadParameter("must be the name of a folder ('.' is the working folder), got ''")
    return place
