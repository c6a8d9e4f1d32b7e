"""The public API: images in, boxes and heat maps out.

A set is localized in four steps, which servers and batch jobs call one by one and `Localizer.localize` in a row:
`prepare` decodes an image, `run` takes it through the network, `fit_features` estimates the common object over the set,
and `finish` goes from one image's features to its boxes.
"""

import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from colocalization.common_object import (
    LEAST_OUTLINED,
    WHOLE,
    CommonObject,
    fit_first_look,
    fit_outlined,
    fit_second_look,
    sample_indices,
)
from colocalization.engine import Device, Engine, OnnxEngine
from colocalization.errors import ImageError
from colocalization.extent import Extent, Look, attention_extent, common_extent, outline_shares
from colocalization.images import DecodedImage, ImageLimits, decode
from colocalization.maps import min_max, otsu_separability
from colocalization.prototype import SHOWN
from colocalization.results import Effort, ImageResult, Mode, SetResult
from colocalization.transform import Region

__all__ = ["DEFAULT_MODEL", "FittedSet", "ImageFeatures", "Localizer", "PreparedImage", "SecondLooks"]

Result = TypeVar("Result")

DEFAULT_MODEL = "efficientnet_lite0_ptap.onnx"

_ONE_SOURCE = "the encoded bytes of an image, its path (str or Path) or a binary stream that can seek"


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """A decoded image and the network's input made from it.

    Attributes:
        image: The image at its working size.
        input: (3, S, S) float32, normalised.
    """

    image: DecodedImage
    input: NDArray[np.float32]

    def without_input(self) -> "PreparedImage":
        """The image alone, once the network has run: all that `Localizer.finish` needs, in less memory."""
        return replace(self, input=np.zeros(0, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """One image's part of a `NetworkOutput`.

    Attributes:
        attention: (h, w) float32.
        features: (C, h, w) float32.
        is_finite: Whether all of both is finite. Half precision can overflow on single images.
    """

    attention: NDArray[np.float32]
    features: NDArray[np.float32]
    is_finite: bool = field(init=False)

    def __post_init__(self) -> None:
        finite = bool(np.isfinite(self.attention).all() and np.isfinite(self.features).all())
        object.__setattr__(self, "is_finite", finite)


SecondLooks = Mapping[Region, ImageFeatures]
"""What the network gave for regions of an image, so that it need not run over them a second time."""


@dataclass(frozen=True, slots=True)
class FittedSet:
    """The common object of a set, and what was seen while it was estimated.

    Attributes:
        common: The common object; None where the images have none.
        looks: Second looks, by the index of the image; images that were not looked at again are left out.
    """

    common: CommonObject | None
    looks: Mapping[int, SecondLooks] = field(default_factory=dict)

    @property
    def mode(self) -> Mode:
        """What the set's images are localized by: a set without a common object falls back to `attention`."""
        return "attention" if self.common is None else "common"


class Localizer:
    """Finds the common object in sets of images. Safe to use from several threads.

    Attributes:
        set_sample_size: Most images that the common object is estimated from. Of larger sets take so many, spread
            evenly (`sample_indices`), so that memory does not grow with the set: an image's
            features are about 1 MB, its pixels up to 3 MB.
        engine: Runs the network.
        limits: What one image may cost.
        effort: How much work mode `common` takes.
    """

    set_sample_size = 64

    def __init__(self, engine: Engine, limits: ImageLimits | None = None, *, effort: Effort = "full") -> None:
        if effort not in ("full", "fast"):
            raise ValueError(f"effort must be 'full' or 'fast', got {effort!r}")
        self.engine = engine
        self.limits = limits or ImageLimits()
        self.effort: Effort = effort
        self._transform = engine.metadata.transform()

    @classmethod
    def load(
        cls,
        model: Path | str | None = None,
        *,
        device: Device = "auto",
        require_gpu: bool = False,
        threads: int = 0,
        limits: ImageLimits | None = None,
        effort: Effort = "full",
    ) -> "Localizer":
        """Load a model; the one in the box if none is named.

        Args:
            model: ONNX file written by `colocalize export`.
            device: Where the network runs.
            require_gpu: Refuse to fall back to the CPU.
            threads: Threads of one operator; 0 takes one for each core.
            limits: What one image may cost.
            effort: How much work mode `common` takes.

        Raises:
            ModelError: The file is missing, damaged, or not one that Colocalize exported.
            ProviderError: CUDA was required and cannot be used, or ONNX Runtime is not installed.
        """
        if model is None:
            with as_file(files("colocalization") / "models" / DEFAULT_MODEL) as path:
                engine = OnnxEngine(path, device=device, require_gpu=require_gpu, threads=threads)
        else:
            engine = OnnxEngine(Path(model), device=device, require_gpu=require_gpu, threads=threads)
        return cls(engine, limits, effort=effort)

    def prepare(self, source: bytes | str | Path | BinaryIO) -> PreparedImage:
        """Decode an image and make the network's input from it.

        Raises:
            ImageError: The image cannot be read or is over a limit.
        """
        image = decode(source, self.limits)
        return PreparedImage(image, self._transform(image.rgb))

    def run(self, prepared: Sequence[PreparedImage]) -> list[ImageFeatures]:
        """Take images through the network, all in one batch.

        What is not finite (`ImageFeatures.is_finite`) counts for nothing in `fit_features`, and `finish` refuses it.
        """
        # A batch of one needs no copy.
        return self._run(prepared[0].input[None] if len(prepared) == 1 else np.stack([one.input for one in prepared]))

    def fit_features(
        self,
        images: Sequence[DecodedImage],
        features: Sequence[ImageFeatures],
        *,
        pool: Executor | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> FittedSet:
        """Estimate the common object of a set from the features of its images.

        Args:
            images: The images of the set; of more than `set_sample_size` a sample is taken, spread evenly.
            features: Their features, as `run` gave them. With effort `fast` nothing is looked at again of a set in
                which too few images show the object to learn from outlines.
            pool: Threads to look at several images at once; the result is the same.
            check: Called before each step of an image; what it raises ends the estimate.

        Returns:
            The common object, None where the images have none: fewer than two of which the network's output is finite,
            or no foreground at all, for example because all are blank.

        Raises:
            ValueError: There are not as many images as features.
        """
        if len(images) != len(features):
            raise ValueError(f"expected as many images as features, got {len(images)} and {len(features)}")
        sample = [int(index) for index in sample_indices(len(images), self.set_sample_size)]
        finite = [index for index in sample if features[index].is_finite]
        if len(finite) < 2:
            return FittedSet(None)
        first = fit_first_look(
            [features[index].attention for index in finite], [features[index].features for index in finite]
        )
        if first is None:
            return FittedSet(None)
        # Images without the common object would teach the second look other things.
        shown = [index for index in finite if first.shows(features[index].features)]
        shown = shown if len(shown) > 1 else finite
        if self.effort == "fast" and len(shown) < LEAST_OUTLINED:
            # No outlines are learnt from, which are all that second looks serve.
            return FittedSet(CommonObject(first, None, None))

        def look_again(index: int) -> tuple[Region, ImageFeatures]:
            check()
            region = first.regions(features[index].features)[0]
            return region, self._look_again(images[index], region)

        again = dict(zip(shown, _each(look_again, shown, pool), strict=True))
        looks = {index: {region: found} for index, (region, found) in again.items()}
        shown = [index for index in shown if again[index][1].is_finite]
        if not shown:
            return FittedSet(None, looks)
        regions = [again[index][1].features for index in shown]
        second = fit_second_look([again[index][1].attention for index in shown], regions)
        if second is None:
            return FittedSet(None, looks)
        if len(shown) < LEAST_OUTLINED:
            return FittedSet(CommonObject(first, second, None), looks)

        def outline(index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            check()
            region, found = again[index]
            look = region, second.map(found.features)
            return outline_shares(images[index].rgb, look, features[index].attention.shape)

        outlined = fit_outlined(
            [features[index].features for index in shown],
            regions,
            _each(outline, shown, pool),
            otherwise=(first.object, second.wide),
        )
        return FittedSet(CommonObject(first, second, outlined), looks)

    def finish(
        self,
        prepared: PreparedImage,
        features: ImageFeatures,
        common: CommonObject | None,
        *,
        looks: SecondLooks | None = None,
        max_boxes: int = 1,
    ) -> ImageResult:
        """From one image's features to its boxes.

        With a common object and full effort, the network runs again over the object's part of the image, unless it
        was looked at before; alone in its batch, so that the result does not depend on which other images are worked
        on.

        Args:
            prepared: The image.
            features: Its features, as `run` gave them.
            common: The common object of its set; None for mode `attention`.
            looks: What `fit_features` has seen of the image.
            max_boxes: Most boxes to give, at least 1.

        Raises:
            ImageError: What the network gives for the image, or for a part of it that it looks at again, is not
                finite.
        """
        _check_max_boxes(max_boxes)
        _check_finite(features)
        image = prepared.image
        if image.is_blank():
            # One colour all over: what the network sees there is its own padding, which stands out at the borders.
            return _result(image, Extent((), np.zeros(image.rgb.shape[:2], np.float32)), 0.0, shown=False)
        if common is None:
            extent = attention_extent(image.rgb, features.attention, max_boxes)
            return _result(image, extent, otsu_separability(min_max(features.attention)), shown=None)
        extent = common_extent(image.rgb, self._looks(image, features, common, looks or {}, max_boxes), max_boxes)
        confidence = common.first.confidence(features.features)
        return _result(image, extent, confidence, shown=bool(extent.boxes) and confidence >= SHOWN)

    def localize(
        self, sources: Sequence[bytes | str | Path | BinaryIO], *, mode: Mode = "common", max_boxes: int = 1
    ) -> SetResult:
        """Localize the common object in a set of images.

        Holds all images in memory; for folders of any size use `colocalize score`.

        Args:
            sources: Encoded bytes, paths or binary streams that can seek, in a list or another iterable. One that
                cannot be read, or for which the network's output is not finite, gets a result with an `error`.
            mode: What the boxes are found by. A single readable image has nothing in common with others: `common`
                falls back to `attention`, and the result says so.
            max_boxes: Most boxes an image.

        Returns:
            One result for each source, in their order.

        Raises:
            TypeError: `sources` is a single image, or one of them is something else than these.
            ValueError: `mode` or `max_boxes` is not allowed.

        Example:
            >>> result = Localizer.load().localize([Path("examples/images/kingfisher.jpg")])
            >>> result.mode, len(result.images[0].boxes)
            ('attention', 1)
        """
        if mode not in ("attention", "common"):
            raise ValueError(f"mode must be 'attention' or 'common', got {mode!r}")
        _check_max_boxes(max_boxes)
        _check_many(sources)
        prepared = [self._try_prepare(index, source) for index, source in enumerate(sources)]
        good = [one for one in prepared if isinstance(one, PreparedImage)]
        features = [self.run([one])[0] for one in good]
        fitted = FittedSet(None)
        if mode == "common":
            fitted = self.fit_features([image.image for image in good], features)
        results = (
            self._try_finish(good[index], features[index], fitted.common, fitted.looks.get(index), max_boxes)
            for index in range(len(good))
        )
        images = tuple(ImageResult.failed(one) if isinstance(one, ImageError) else next(results) for one in prepared)
        return SetResult(fitted.mode, images)

    def _try_prepare(self, index: int, source: bytes | str | Path | BinaryIO) -> PreparedImage | ImageError:
        if not (isinstance(source, bytes | str | Path) or _is_binary_stream(source)):
            raise TypeError(f"sources[{index}] must be {_ONE_SOURCE}, got {type(source).__name__}")
        try:
            return self.prepare(source)
        except ImageError as error:
            return error

    def _try_finish(
        self,
        prepared: PreparedImage,
        features: ImageFeatures,
        common: CommonObject | None,
        looks: SecondLooks | None,
        max_boxes: int,
    ) -> ImageResult:
        try:
            return self.finish(prepared, features, common, looks=looks, max_boxes=max_boxes)
        except ImageError as error:
            return ImageResult.failed(error)

    def _run(self, images: NDArray[np.float32]) -> list[ImageFeatures]:
        output = self.engine.run(images)
        return [ImageFeatures(a, f) for a, f in zip(output.attention, output.features, strict=True)]

    def _look_again(self, image: DecodedImage, region: Region) -> ImageFeatures:
        return self._run(self._transform(image.rgb, region)[None])[0]

    def _looks(
        self,
        image: DecodedImage,
        features: ImageFeatures,
        common: CommonObject,
        known: SecondLooks,
        max_boxes: int,
    ) -> list[Look]:
        """The regions to find boxes in, most important first, and the map of each."""
        if self.effort == "fast" or common.second is None:
            return [(WHOLE, common.whole_map(features.features))]
        looks = []
        for region in common.first.regions(features.features, max_boxes):
            again = known.get(region) or self._look_again(image, region)
            _check_finite(again)
            looks.append((region, common.map(features.features, region, again.features)))
        return looks


def _each(function: Callable[[int], Result], indices: Sequence[int], pool: Executor | None) -> list[Result]:
    return list(map(function, indices) if pool is None else pool.map(function, indices))


def _check_many(sources: object) -> None:
    """Refuse what is no collection of sources, and a single source that could be taken for one, such as a string."""
    single = isinstance(sources, bytes | bytearray | str | os.PathLike) or _is_binary_stream(sources)
    if single or not isinstance(sources, Iterable):
        raise TypeError(f"sources must be a list, each {_ONE_SOURCE}, got a single {type(sources).__name__}")


def _is_binary_stream(source: object) -> bool:
    return hasattr(source, "read") and hasattr(source, "seek") and not isinstance(source, io.TextIOBase)


def _check_max_boxes(max_boxes: int) -> None:
    if max_boxes < 1:
        raise ValueError(f"max_boxes must be at least 1, got {max_boxes}")


def _check_finite(features: ImageFeatures) -> None:
    if not features.is_finite:
        raise ImageError(
            "not_finite",
            "what the network gives for the image is not finite (NaN or infinity): the model is damaged, or its "
            "precision too low for this image",
        )


def _result(image: DecodedImage, extent: Extent, confidence: float, *, shown: bool | None) -> ImageResult:
    # Rounding may lead a little beyond the image.
    boxes = tuple(image.frame.to_image(box).within(image.width, image.height) for box in extent.boxes)
    return ImageResult(
        image.width,
        image.height,
        boxes,
        confidence if boxes else 0.0,
        shown,
        extent.heatmap,
        warning=image.warning,
    )
