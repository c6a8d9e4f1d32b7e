"""What a localization gives back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from colocalization.advice import DRAWN_SCORE, Advice, advise, counts_for_advice
from colocalization.boxes import Box, box_iou
from colocalization.errors import ImageError, ImageWarning
from colocalization.interop import as_detections, as_figure, as_frame

if TYPE_CHECKING:
    import pandas as pd
    import supervision as sv
    from matplotlib.figure import Figure

__all__ = ["Effort", "ImageResult", "Mode", "Scale", "SetResult"]

Effort = Literal["full", "fast", "thorough"]
"""`full`: mode `common` looks at the whole image and, unless the prior confirms what it found there, at the object's
part alone. `fast`: at that only in images that the common object is estimated from, and only where at least 8 of them
show it, so that outlines are learnt from; less time and coarser boxes. `thorough`: as `full`, and where the set shows
that its things are small or many, up to nine looks at tiles of each image: several times the time. Mode `attention`
always looks once."""

Mode = Literal["attention", "common"]
"""`attention`: each image by its own attention map. `common`: by what the images of the set have in common."""


_SAME = 0.3
"""IoU from which on a box that was found is taken for one that was hinted."""

Index = int | slice | Sequence[int] | NDArray[np.bool_] | NDArray[np.integer]
"""What chooses boxes: one of them, a slice, a list or (K,) array of numbers, or an (N,) bool array."""


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What was found in one image.

    Attributes:
        width: Width of the original as displayed, in pixels; 0 where the image could not be read.
        height: Height of the original as displayed, in pixels; 0 where the image could not be read.
        boxes: Boxes in pixels of the original, best first; empty where nothing was found.
        confidence: How sure it is that the image shows the common object, in [0, 1]. In mode `attention`, where nothing
            is known of a set, how clearly the map tells its object from the rest (Otsu's criterion, see
            `colocalization.maps.otsu_separability`).
        contains_common_object: Whether the image is taken to show the common object; None in mode `attention`, which
            cannot tell.
        heatmap: (H, W) float32 [0, 1], rows from the top, at the working size of the image; None where the image
            could not be read.
        error: Why the image could not be read or localized, or None.
        warning: What is wrong with an image that was read all the same, or None.

    Its boxes are also there as arrays, and by index as in supervision's `Detections`.

    Example:
        >>> result = ImageResult(9, 9, (Box(0, 0, 4, 4, 0.9), Box(5, 5, 9, 9, 0.4)), 0.8, True, None)
        >>> result[result.scores > 0.5].boxes_array
        array([[0., 0., 4., 4.]])
    """

    width: int
    height: int
    boxes: tuple[Box, ...]
    confidence: float
    contains_common_object: bool | None
    heatmap: NDArray[np.float32] | None
    error: ImageError | None = None
    warning: ImageWarning | None = None

    @property
    def boxes_array(self) -> NDArray[np.float64]:
        """(N, 4) float64 `x0, y0, x1, y1` in pixels of the original, half-open, best first; N may be 0."""
        return np.array([box.as_tuple() for box in self.boxes], dtype=np.float64).reshape(-1, 4)

    @property
    def scores(self) -> NDArray[np.float64]:
        """(N,) float64 [0, 1], the score of each box."""
        return np.array([box.score for box in self.boxes], dtype=np.float64)

    @property
    def judged_score(self) -> float | None:
        """Score of the best box, where it says something of the set (`counts_for_advice`); else None."""
        if not self.boxes or not counts_for_advice(self.boxes[0].score, shown=self.contains_common_object):
            return None
        return self.boxes[0].score

    def __len__(self) -> int:
        """How many boxes there are."""
        return len(self.boxes)

    def __bool__(self) -> bool:
        """True, also without a box: it is a result."""
        return True

    def __getitem__(
        self, index: int | slice | Sequence[int] | NDArray[np.bool_] | NDArray[np.integer]
    ) -> "ImageResult":
        """The result with some of its boxes alone.

        Args:
            index: Which of them.

        Raises:
            IndexError: There is no such box, or the array is of another length.
        """
        chosen = np.atleast_1d(np.arange(len(self.boxes))[index])
        return replace(self, boxes=tuple(self.boxes[number] for number in chosen))

    def hinted(self, hints: Sequence[tuple[float, float, float, float]], most: int) -> "ImageResult":
        """The result with what a user has said of the image.

        Args:
            hints: Boxes of instances in pixels of the original; none where the image does not show the object.
            most: Most boxes; of the hints none is left out, since what was drawn by hand must not get lost.

        Returns:
            With the hints as its best boxes, of score 1, and what was found besides; or without boxes.

        Example:
            >>> result = ImageResult(9, 9, (Box(0, 0, 4, 4, 0.9),), 0.8, True, None)
            >>> result.hinted([(0, 0, 4, 5)], 5).boxes
            (Box(x0=0, y0=0, x1=4, y1=5, score=1.0),)
            >>> len(result.hinted([], 5))
            0
        """
        if not hints:
            return replace(self, boxes=(), confidence=0.0, contains_common_object=False)
        known = tuple(Box(*corners, DRAWN_SCORE) for corners in hints)
        others = [box for box in self.boxes if box_iou([box.as_tuple()], list(hints)).max() < _SAME]
        return replace(
            self, boxes=(*known, *others)[: max(most, len(known))], confidence=1.0, contains_common_object=True
        )

    def to_supervision(self, label: str = "object") -> "sv.Detections":
        """The boxes as `Detections` of the package supervision, best first, with their scores as confidence.

        Args:
            label: Name of their class, whose id is 0.

        Raises:
            ModuleNotFoundError: The package is not installed.
        """
        return as_detections(self, label)

    def to_pandas(self) -> "pd.DataFrame":
        """The boxes as a table, a row each, as `SetResult.to_pandas` gives them.

        Raises:
            ModuleNotFoundError: pandas is not installed.
        """
        return as_frame([self], [0])

    def to_figure(self, rgb: NDArray[np.uint8] | None = None) -> "Figure":
        """The heat map and the boxes as a figure of matplotlib, its axes in pixels of the original.

        Args:
            rgb: (H, W, 3) uint8, the image at its working size (`Localizer.prepare(source).image.rgb`), to lay the heat
                map over; left out for the heat map alone.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
            ValueError: The result has no heat map, or the image is of another size than that.
        """
        return as_figure(self, rgb)

    @classmethod
    def failed(cls, error: ImageError) -> "ImageResult":
        """The result of an image that could not be read or localized."""
        return cls(0, 0, (), 0.0, False, None, error)


@dataclass(frozen=True, slots=True)
class Scale:
    """At which scale the images of a set were looked at, where that was chosen for the set.

    Attributes:
        tiles: Tiles in a row and in a column; 1 is one look at the whole image.
        side: Typical side of the things, the root of their area as a share of that of their image, in (0, 1]; None
            where tiles were not called for.
        text: The same and why, in one sentence.
    """

    tiles: int
    side: float | None
    text: str


@dataclass(frozen=True, slots=True)
class SetResult:
    """What was found in a set of images.

    Attributes:
        mode: The mode that was used; `attention` where `common` was asked for a single readable image, or for
            images without any foreground.
        images: One result for each image, in the order given.
        scale: At which scale they were looked at, where hints or effort `thorough` have chosen it; else None.
    """

    mode: Mode
    images: tuple[ImageResult, ...]
    scale: Scale | None = None

    @property
    def advice(self) -> Advice | None:
        """What to make of the boxes: sure, to be checked, or better with a hint; None where there is none to judge."""
        scores = [score for score in (image.judged_score for image in self.images) if score is not None]
        hinted = any(image.boxes and image.boxes[0].score >= DRAWN_SCORE for image in self.images)
        return advise(sum(scores), len(scores), hinted=hinted, finer=self.scale is not None)

    def to_pandas(self, names: Sequence[str] | None = None) -> "pd.DataFrame":
        """All boxes as a table: `image`, `x0` to `y1` in pixels of the original, `score`, and what the image is like.

        A row is a box, best first within its image; an image without one has a row without corners.

        Args:
            names: What the images are called, in their order; their numbers from 0 if left out.

        Raises:
            ModuleNotFoundError: pandas is not installed.
            ValueError: There are not as many names as images.
        """
        return as_frame(self.images, range(len(self.images)) if names is None else names)

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.images)

    def __iter__(self) -> Iterator[ImageResult]:
        """The results of the images, in the order given."""
        return iter(self.images)

    def __getitem__(self, index: int) -> ImageResult:
        """The result of an image."""
        return self.images[index]
