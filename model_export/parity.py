"""The exported file beside torch, on real pictures: maps, features and boxes."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from colocalization.engine import OnnxEngine
from colocalization.errors import ImageError
from colocalization.localizer import ImageFeatures, Localizer
from model_export.errors import ParityError
from training.network import ColocalizationNet

__all__ = ["TOLERANCE", "ParityReport", "check_parity"]

TOLERANCE = 1e-4
"""Largest difference allowed, relative to the largest magnitude in the map. The two runtimes sum in different orders,
so float32 leaves about 1e-6 a layer."""


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How far ONNX Runtime is from torch.

    Attributes:
        images: Number of pictures compared.
        attention: Worst relative difference of an attention map.
        features: Worst relative difference of a feature map.
        boxes: Worst difference of a box's side, in pixels of the picture.
    """

    images: int
    attention: float
    features: float
    boxes: float

    def __str__(self) -> str:
        return (
            f"parity on {self.images} pictures: attention {self.attention:.1e}, features {self.features:.1e} relative "
            f"(at most {TOLERANCE:.0e}), boxes {self.boxes:.2g} px"
        )


def check_parity(
    network: ColocalizationNet, model: Path, pictures: Sequence[Path], *, tolerance: float = TOLERANCE
) -> ParityReport:
    """Compare an exported model with its network.

    Args:
        network: The network, in evaluation mode.
        model: The exported file.
        pictures: Real photographs, at least one.
        tolerance: Largest relative difference of a map that is allowed.

    Returns:
        The differences found, all within the tolerance, and identical boxes.

    Raises:
        ParityError: A map or a box differs by more, or a picture cannot be read.
    """
    if not pictures:
        raise ParityError("parity needs at least one picture")
    localizer = Localizer(OnnxEngine(model, device="cpu"))
    attention = features = boxes = 0.0
    for picture in pictures:
        try:
            prepared = localizer.prepare(picture)
        except ImageError as error:
            raise ParityError(f"cannot compare on {picture.name}: {error}") from error
        (ours,) = localizer.run([prepared])
        with torch.no_grad():
            theirs = [tensor[0].numpy() for tensor in network.attend(torch.from_numpy(prepared.input[None]))]
        attention = max(attention, relative_difference(ours.attention, theirs[0]))
        features = max(features, relative_difference(ours.features, theirs[1]))
        if not np.isfinite(max(attention, features)):
            raise ParityError(f"{picture.name}: the exported model or torch gives numbers that are not finite")
        results = [localizer.finish(prepared, one, None) for one in (ours, ImageFeatures(theirs[0], theirs[1]))]
        corners = [np.array([box.as_tuple() for box in result.boxes]).reshape(-1, 4) for result in results]
        if corners[0].shape != corners[1].shape:
            raise ParityError(
                f"{picture.name}: {len(corners[0])} boxes from ONNX Runtime, {len(corners[1])} from torch"
            )
        boxes = max(boxes, float(np.abs(corners[0] - corners[1]).max(initial=0.0)))
    report = ParityReport(len(pictures), attention, features, boxes)
    if max(attention, features) > tolerance:
        raise ParityError(f"the exported model differs from torch by more than {tolerance:g}: {report}")
    if boxes > 0:
        raise ParityError(f"the exported model's boxes differ from torch's: {report}")
    return report


def relative_difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Largest absolute difference over the largest magnitude of the second; infinite where one is not finite.

    Example:
        >>> relative_difference(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
        0.5
    """
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        return float("inf")  # a NaN would get lost in `max`
    scale = float(np.abs(second).max(initial=0.0))
    difference = float(np.abs(first - second).max(initial=0.0))
    return difference / scale if scale > 0 else difference
