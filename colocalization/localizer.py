"""The public API: pictures in, boxes and heat maps out."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import Box, component_boxes
from colocalization.engine import Device, Engine, OnnxEngine
from colocalization.errors import ImageError
from colocalization.images import DecodedImage, ImageLimits, decode
from colocalization.maps import min_max, otsu_threshold, upsample
from colocalization.results import ImageResult, Mode, SetResult

__all__ = ["DEFAULT_MODEL", "ImageFeatures", "Localizer", "PreparedImage"]

DEFAULT_MODEL = "efficientnet_lite0_ptap.onnx"


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """A decoded picture and the network's input made from it.

    Attributes:
        image: The picture at its working size.
        input: (3, S, S) float32, normalised.
    """

    image: DecodedImage
    input: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """One picture's part of a `NetworkOutput`.

    Attributes:
        attention: (h, w) float32.
        features: (C, h, w) float32.
    """

    attention: NDArray[np.float32]
    features: NDArray[np.float32]


class CommonObject:
    """Placeholder until the step over the set stands."""


class Localizer:
    """Finds the common object in sets of pictures. Safe to use from several threads."""

    set_sample_size = 256

    def __init__(self, engine: Engine, limits: ImageLimits | None = None) -> None:
        self.engine = engine
        self.limits = limits or ImageLimits()
        self._transform = engine.metadata.transform()

    @classmethod
    def load(
        cls,
        model: Path | None = None,
        *,
        device: Device = "auto",
        require_gpu: bool = False,
        threads: int = 0,
        limits: ImageLimits | None = None,
    ) -> "Localizer":
        """Load a model; the one in the box if none is named."""
        if model is None:
            with as_file(files("colocalization") / "models" / DEFAULT_MODEL) as path:
                return cls.load(path, device=device, require_gpu=require_gpu, threads=threads, limits=limits)
        return cls(OnnxEngine(model, device=device, require_gpu=require_gpu, threads=threads), limits)

    def prepare(self, source: bytes | Path | BinaryIO) -> PreparedImage:
        """Decode a picture and make the network's input from it."""
        image = decode(source, self.limits)
        return PreparedImage(image, self._transform(image.rgb))

    def run(self, prepared: Sequence[PreparedImage]) -> list[ImageFeatures]:
        """Run the network once over all pictures given."""
        output = self.engine.run(np.stack([one.input for one in prepared]))
        return [ImageFeatures(a, f) for a, f in zip(output.attention, output.features, strict=True)]

    def fit(self, features: Sequence[ImageFeatures]) -> CommonObject:
        """Estimate the common object from the features of at least two pictures."""
        return CommonObject()

    def finish(
        self,
        prepared: PreparedImage,
        features: ImageFeatures,
        common: CommonObject | None,
        *,
        max_boxes: int = 1,
    ) -> ImageResult:
        """From one picture's features to its boxes."""
        image = prepared.image
        height, width = image.rgb.shape[:2]
        heatmap = upsample(min_max(features.attention), width, height)
        boxes, labels = component_boxes(heatmap > otsu_threshold(heatmap))
        scale = np.array([image.width / width, image.height / height] * 2)
        found = tuple(
            Box(*(box * scale).tolist(), float(heatmap[labels == rank].mean()))
            for rank, box in enumerate(boxes[:max_boxes], start=1)
        )
        return ImageResult(image.width, image.height, found, 1.0, True, heatmap)

    def localize(
        self, sources: Sequence[bytes | Path | BinaryIO], *, mode: Mode = "common", max_boxes: int = 1
    ) -> SetResult:
        """Localize the common object in a set of pictures."""
        prepared: list[PreparedImage | ImageError] = []
        for source in sources:
            try:
                prepared.append(self.prepare(source))
            except ImageError as error:
                prepared.append(error)
        good = [one for one in prepared if isinstance(one, PreparedImage)]
        features = [self.run([one])[0] for one in good]
        common = self.fit(features) if mode == "common" and len(good) > 1 else None
        results = iter(self.finish(p, f, common, max_boxes=max_boxes) for p, f in zip(good, features, strict=True))
        images = tuple(ImageResult.failed(one) if isinstance(one, ImageError) else next(results) for one in prepared)
        return SetResult("attention" if common is None else "common", images)
