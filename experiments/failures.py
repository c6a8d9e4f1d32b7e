"""Experiment `failures`: the worst images of each set, to be looked at.

Three tiles an image: the image with the ground truth in red and the prediction in green, the map of the foreground
prior, and the map of the set that the box was made of. The images are others' work: the sheets belong outside the
repository.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from colocalization.localizer import Localizer
from colocalization.maps import upsample
from experiments.figure2 import with_boxes
from experiments.observe import observe, prepare
from experiments.ours import OURS, OwnMethod
from experiments.records import Note
from experiments.scores import best_iou
from experiments.sets import EvaluationSet
from scoring.contact_sheet import Tile, contact_sheet

__all__ = ["draw_failures"]

_TILES = 3
_IMAGES_IN_A_ROW = 2


def draw_failures(
    localizer: Localizer,
    sets: Sequence[EvaluationSet],
    out: Path,
    note: Note,
    *,
    count: int = 12,
    method: OwnMethod = OURS["ours, common"],
) -> list[Path]:
    """Localize sets and draw the images whose best box is furthest from the truth.

    Args:
        localizer: The model.
        sets: The sets.
        out: Folder of the sheets; is made.
        note: Is told how it goes.
        count: Most images of a set, worst first.
        method: The mode.

    Returns:
        The sheets, one a set.

    Raises:
        ImageError: An image cannot be read.
        OSError: A sheet cannot be written.
    """
    out.mkdir(parents=True, exist_ok=True)
    sheets = []
    for members in sets:
        with observe(localizer, {}, None, members.images) as observed, tempfile.TemporaryDirectory() as folder:
            finish = method.fit(localizer, observed)
            results = [finish(index) for index in range(len(members.images))]
            ious = [
                best_iou(result.boxes[0].as_tuple() if result.boxes else None, image.boxes)
                for result, image in zip(results, members.images, strict=True)
            ]
            tiles: list[Tile] = []
            for index in np.argsort(ious, kind="stable")[:count].tolist():
                image, result = members.images[index], results[index]
                rgb = prepare(localizer, image).image.rgb
                foreground = observed.of(index).foreground
                prior = None if foreground is None else upsample(foreground, rgb.shape[1], rgb.shape[0])
                size = result.width, result.height
                found = [box.as_tuple() for box in result.boxes]
                for said, drawn in (
                    (f"{max(ious[index], 0):.2f} {image.name}", with_boxes(rgb, None, size, image.boxes, found)),
                    ("prior" if prior is not None else "no prior", with_boxes(rgb, prior, size)),
                    (f"set, confidence {result.confidence:.2f}", with_boxes(rgb, result.heatmap, size)),
                ):
                    path = Path(folder) / f"{len(tiles)}.png"
                    drawn.save(path)
                    tiles.append(Tile(said, path))
            sheet = out / f"{members.name.replace('/', '-')}.jpg"
            contact_sheet(tiles, _TILES * _IMAGES_IN_A_ROW).save(sheet, quality=88)
        sheets.append(sheet)
        note(f"{sheet}: {sum(iou < 0.5 for iou in ious)} of {len(ious)} images below an IoU of 0.5")
    return sheets
