"""Results in the types of other packages, each imported only where it is asked for."""

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from colocalization.heatmaps import BOX_COLOURS, overlay

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv
    from matplotlib.figure import Figure

    from colocalization.results import ImageResult

__all__ = ["as_detections", "as_figure", "as_frame"]


def as_detections(result: "ImageResult", label: str) -> "sv.Detections":
    """The boxes as supervision's `Detections`; see `ImageResult.to_supervision`."""
    detections: sv.Detections = _package("supervision", "to_supervision").Detections(
        xyxy=result.boxes_array.astype(np.float32),
        confidence=result.scores.astype(np.float32),
        class_id=np.zeros(len(result), dtype=int),
        data={"class_name": np.array([label] * len(result), dtype=str)},
    )
    return detections


def as_frame(results: Sequence["ImageResult"], names: Sequence[str | int]) -> "pd.DataFrame":
    """A table of all boxes; see `SetResult.to_pandas`.

    Raises:
        ValueError: There are not as many names as results.
    """
    if len(names) != len(results):
        raise ValueError(f"names must be as many as images, {len(results)}, got {len(names)}")
    rows: list[dict[str, Any]] = []
    for name, result in zip(names, results, strict=True):
        about = {
            "confidence": result.confidence,
            "contains_common_object": result.contains_common_object,
            "width": result.width,
            "height": result.height,
            "error": None if result.error is None else result.error.code,
        }
        corners = [
            dict(zip(("x0", "y0", "x1", "y1"), box.as_tuple(), strict=True), score=box.score) for box in result.boxes
        ]
        empty: dict[str, float] = dict.fromkeys(("x0", "y0", "x1", "y1", "score"), np.nan)
        rows += [{"image": name, **box, **about} for box in corners or [empty]]
    columns = [
        "image",
        "x0",
        "y0",
        "x1",
        "y1",
        "score",
        "confidence",
        "contains_common_object",
        "width",
        "height",
        "error",
    ]
    frame: pd.DataFrame = _package("pandas", "to_pandas").DataFrame(rows, columns=columns)
    return frame.astype({"contains_common_object": "boolean"})


def as_figure(result: "ImageResult", rgb: NDArray[np.uint8] | None) -> "Figure":
    """The heat map with its boxes as a figure; see `ImageResult.to_figure`.

    Raises:
        ValueError: The result has no heat map, or the image is of another size.
    """
    if result.heatmap is None:
        raise ValueError("the result has no heat map: its image could not be read, or none was asked for")
    figures, patches = _package("matplotlib.figure", "to_figure"), _package("matplotlib.patches", "to_figure")
    figure: Figure = figures.Figure(layout="constrained")
    axes = figure.subplots()
    shown = result.heatmap if rgb is None else overlay(rgb, result.heatmap)
    # In pixels of the original, in which the boxes are.
    extent = (0, result.width, result.height, 0)
    drawn = axes.imshow(shown, cmap="inferno", vmin=0, vmax=1, extent=extent)
    if rgb is None:
        figure.colorbar(drawn, ax=axes, label="heat")
    for rank, box in enumerate(result.boxes):
        for colour, width in zip(reversed(BOX_COLOURS), (3.5, 1.5), strict=True):
            axes.add_patch(
                patches.Rectangle(
                    (box.x0, box.y0), box.x1 - box.x0, box.y1 - box.y0, fill=False,
                    edgecolor=[channel / 255 for channel in colour], linewidth=width if rank == 0 else width - 0.75,
                )
            )  # fmt: skip
    return figure


def _package(module: str, method: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise  # something that it needs in its turn
        raise ModuleNotFoundError(
            f"{method} needs the package {package!r}; install it with: pip install {package}", name=package
        ) from None
