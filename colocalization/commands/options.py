"""Options that several commands share, and what Typer has no reader for.

Numbers are bounded by Typer's `min` and `max`, and closed sets of words are `Literal`.
"""

from pathlib import Path
from typing import Annotated

import typer

from colocalization.engine import Device
from colocalization.images import ImageLimits
from colocalization.model_choice import PrecisionChoice
from colocalization.outside_prior import PriorKind

__all__ = [
    "LIMITS",
    "DeviceOption",
    "MaxBytesOption",
    "MaxPixelsOption",
    "ModelOption",
    "PrecisionOption",
    "PriorKindOption",
    "PriorOption",
    "RequireGpuOption",
    "ThreadsOption",
    "class_name",
    "out_folder",
]

LIMITS = ImageLimits()
"""The limits where nothing else is said. They are set by the same names in every command, and in the service."""

RUNNING = "Running"
"""The panel of the help that these options are shown in."""

ModelOption = Annotated[
    Path | None, typer.Option("--model", envvar="COLOCALIZE_MODEL", help="Model file; the one in the box if left out.")
]
PrecisionOption = Annotated[
    PrecisionChoice,
    typer.Option(
        "--precision",
        envvar="COLOCALIZE_PRECISION",
        help="Of the model in the box. auto: int8, at twice the speed, on CPUs with 8-bit dot products, else fp32. "
        "A file given by --model has a precision of its own.",
        rich_help_panel=RUNNING,
    ),
]
PriorOption = Annotated[
    Path | None,
    typer.Option(
        "--prior",
        envvar="COLOCALIZE_PRIOR",
        metavar="FILE",
        help="ONNX file of a saliency network (u2netp, isnet-general-use, birefnet, ...) in place of the model's own "
        "prior. Such networks are trained with masks.",
    ),
]
PriorKindOption = Annotated[
    PriorKind | None,
    typer.Option(
        "--prior-kind",
        envvar="COLOCALIZE_PRIOR_KIND",
        help="What kind of network that is, where its name does not tell.",
    ),
]
DeviceOption = Annotated[
    Device,
    typer.Option("--device", envvar="COLOCALIZE_DEVICE", help="Where the network runs.", rich_help_panel=RUNNING),
]
RequireGpuOption = Annotated[
    bool,
    typer.Option(
        "--require-gpu",
        envvar="COLOCALIZE_REQUIRE_GPU",
        help="Refuse to run where CUDA cannot be used.",
        rich_help_panel=RUNNING,
    ),
]
ThreadsOption = Annotated[
    int,
    typer.Option(
        "--threads",
        min=0,
        envvar="COLOCALIZE_THREADS",
        help="Threads that the network takes on the CPU; 0 takes all cores.",
        rich_help_panel=RUNNING,
    ),
]
MaxPixelsOption = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        min=1,
        envvar="COLOCALIZE_MAX_PIXELS",
        help="Most pixels (width x height) of an image.",
        rich_help_panel=RUNNING,
    ),
]
MaxBytesOption = Annotated[
    int,
    typer.Option(
        "--max-bytes",
        min=1,
        envvar="COLOCALIZE_MAX_BYTES",
        help="Largest file of an image, in bytes.",
        rich_help_panel=RUNNING,
    ),
]


def out_folder(value: str | Path) -> Path:
    """A folder for results. An empty name, mostly a shell variable that is not set, would be the working folder."""
    if not str(value):
        raise typer.BadParameter("must be the name of a folder ('.' is the working folder), got ''")
    return Path(value)


def class_name(value: str) -> str:
    """The name of a class, which files of one class a line must be able to hold."""
    if not value.strip() or value.splitlines() != [value] or any(0xD800 <= ord(letter) < 0xE000 for letter in value):
        raise typer.BadParameter(f"must be a name on one line, got {value!r}")
    return value
