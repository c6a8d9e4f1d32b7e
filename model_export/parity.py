"""The exported file beside torch, on real images: maps, features and boxes."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import box_iou
from colocalization.engine import OnnxEngine
from colocalization.errors import ImageError
from colocalization.localizer import Localizer
from colocalization.metadata import Precision
from model_export.errors import ParityError
from training.foreground_prior import ForegroundPrior
from training.network import ColocalizationNet
from training.torch_engine import TorchEngine

__all__ = ["TOLERANCES", "ParityReport", "Tolerance", "check_parity"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far ONNX Runtime may be from torch.

    Attributes:
        maps: Largest difference, relative to the largest magnitude in the map.
        iou: Least mean IoU of the boxes with torch's.
    """

    maps: float
    iou: float


TOLERANCES: dict[Precision, Tolerance] = {
    # The two runtimes sum in different orders, which leaves about 1e-6 a layer. A pixel that lies so close to the cut
    # falls on one side or the other, and a box's side moves by it.
    "fp32": Tolerance(1e-4, 0.99),
    "fp16": Tolerance(0.02, 0.95),
    "int8": Tolerance(0.5, 0.8),  # a guard against calibration gone wrong; what it costs in CorLoc is to be measured
}


@dataclass(frozen=True, slots=True)
class ParityReport:
    """How far ONNX Runtime is from torch.

    Attributes:
        images: Number of images compared.
        attention: Worst relative difference of an attention map.
        features: Worst relative difference of a feature map.
        foreground: Worst difference of a foreground map; None where the network has no prior.
        boxes: Worst difference of a box's side, in pixels of the image.
        iou: Mean IoU of the boxes with torch's.
    """

    images: int
    attention: float
    features: float
    boxes: float
    iou: float
    foreground: float | None = None

    def __str__(self) -> str:
        prior = "" if self.foreground is None else f"foreground {self.foreground:.1e}, "
        return (
            f"parity on {self.images} images: attention {self.attention:.1e}, features {self.features:.1e} relative, "
            f"{prior}boxes {self.boxes:.2g} px, IoU {self.iou:.3f}"
        )


def check_parity(
    network: ColocalizationNet,
    model: Path,
    images: Iterable[Path],
    *,
    prior: ForegroundPrior | None = None,
    tolerance: Tolerance = TOLERANCES["fp32"],
    threads: int = 0,
) -> ParityReport:
    """Compare an exported model with its network.

    Args:
        network: The network, in evaluation mode.
        model: The exported file.
        images: Real photographs, at least one.
        prior: The network's foreground prior.
        tolerance: The differences that are allowed.
        threads: Threads of ONNX Runtime; 0: as many as it likes.

    Returns:
        The differences found, all within the tolerance.

    Raises:
        ParityError: A map or a box differs by more, or an image cannot be read.
    """
    localizer = Localizer(OnnxEngine(model, device="cpu", threads=threads))
    torch_engine = TorchEngine(network, localizer.engine.metadata.input_size, prior=prior)
    by_torch = Localizer(torch_engine)
    attention = features = foreground = boxes = overlap = 0.0
    count = 0
    for image in images:
        count += 1
        try:
            prepared = localizer.prepare(image)
        except ImageError as error:
            raise ParityError(f"cannot compare on {image.name}: {error}") from error
        (ours,) = localizer.run([prepared])
        (theirs,) = by_torch.run([prepared])
        attention = max(attention, relative_difference(ours.attention, theirs.attention))
        features = max(features, relative_difference(ours.features, theirs.features))
        if (ours.foreground is None) != (theirs.foreground is None):
            raise ParityError("of the exported model and torch one alone has a foreground prior")
        if ours.foreground is not None and theirs.foreground is not None:
            # In [0, 1] by itself: a map of next to nothing is no reason to ask for more digits.
            foreground = max(foreground, float(np.abs(ours.foreground - theirs.foreground).max()))
        if not np.isfinite(max(attention, features, foreground)):
            raise ParityError(f"{image.name}: the exported model or torch gives numbers that are not finite")
        results = [localizer.finish(prepared, output, None) for output in (ours, theirs)]
        corners = [np.array([box.as_tuple() for box in result.boxes]).reshape(-1, 4) for result in results]
        if corners[0].shape != corners[1].shape:
            raise ParityError(f"{image.name}: {len(corners[0])} boxes from ONNX Runtime, {len(corners[1])} from torch")
        boxes = max(boxes, float(np.abs(corners[0] - corners[1]).max(initial=0.0)))
        overlap += float(box_iou(corners[0], corners[1]).diagonal().mean()) if len(corners[0]) else 1.0
    if not count:
        raise ParityError("parity needs at least one image")
    report = ParityReport(count, attention, features, boxes, overlap / count, None if prior is None else foreground)
    if max(attention, features, foreground) > tolerance.maps:
        raise ParityError(f"the exported model differs from torch by more than {tolerance.maps:g}: {report}")
    if report.iou < tolerance.iou:
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
