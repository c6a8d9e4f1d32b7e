"""The steps of localizing a set, which servers and batch jobs call one by one.

`prepare` decodes an image, `run` takes it through the network, `fit_features` estimates the common object over the set,
and `finish` goes from one image's features to its boxes.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from colocalization._version import __version__
from colocalization.box_scores import scored
from colocalization.common_finding import find_common, looks_for
from colocalization.common_object import CommonObject
from colocalization.engine import Engine
from colocalization.errors import ObjectError
from colocalization.extent import Extent, attention_extent, foreground_extent, outline_shares, with_prior_boxes
from colocalization.finding import find_exemplar
from colocalization.fitting import FittedSet, SetFitter
from colocalization.hints import ImageHints
from colocalization.images import DecodedImage, ImageLimits, ImageSource, decode
from colocalization.looks import ImageFeatures, Looker, SecondLooks, check_finite
from colocalization.maps import min_max, otsu_separability
from colocalization.model_choice import precision_of
from colocalization.object_members import Origin
from colocalization.outside_prior import OutsidePrior
from colocalization.prototype import SHOWN
from colocalization.results import Effort, ImageResult
from colocalization.sampling import choose_sample

__all__ = ["NO_HINTS", "PreparedImage", "Steps", "check_max_boxes"]

_ALL_BOXES = 1000
"""Most boxes of an image where all are asked for: beyond is noise."""

NO_HINTS: Mapping[int, ImageHints] = MappingProxyType({})


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


class Steps:
    """The steps, over one model. Safe to use from several threads.

    Attributes:
        set_sample_size: Most images that the common object is estimated from. Of larger sets take so many, spread
            evenly (`choose_sample`), so that memory does not grow with the set: an image's features are about 1 MB, its
            pixels up to 3 MB.
        engine: Runs the network.
        limits: What one image may cost.
        effort: How much work mode `common` takes.
        prior: A prior from outside, which joins the model's own.
    """

    set_sample_size = 64

    def __init__(
        self,
        engine: Engine,
        limits: ImageLimits | None = None,
        *,
        effort: Effort = "full",
        prior: OutsidePrior | None = None,
    ) -> None:
        if effort not in get_args(Effort):
            raise ValueError(f"effort must be {' or '.join(map(repr, get_args(Effort)))}, got {effort!r}")
        self.engine = engine
        self.limits = limits or ImageLimits()
        self.effort: Effort = effort
        self.prior = prior
        self._looker = Looker(engine, prior)

    def prepare(self, source: ImageSource) -> PreparedImage:
        """Decode an image and make the network's input from it.

        Raises:
            ImageError: The image cannot be read or is over a limit.
            ValueError: An array is no image.
        """
        image = decode(source, self.limits)
        return PreparedImage(image, self._looker.transform(image.rgb))

    def run(self, prepared: Sequence[PreparedImage]) -> list[ImageFeatures]:
        """Take images through the network, all in one batch.

        What is not finite (`ImageFeatures.is_finite`) counts for nothing in `fit_features`, and `finish` refuses it.
        """
        # A batch of one needs no copy.
        inputs = prepared[0].input[None] if len(prepared) == 1 else np.stack([one.input for one in prepared])
        return self._looker.run(inputs, [one.image.rgb for one in prepared])

    def fit_features(
        self,
        images: Sequence[DecodedImage],
        features: Sequence[ImageFeatures],
        *,
        hints: Mapping[int, ImageHints] = NO_HINTS,
        pool: Executor | None = None,
        check: Callable[[], None] = lambda: None,
    ) -> FittedSet:
        """Estimate the common object of a set from the features of its images.

        Args:
            images: The images of the set; of more than `set_sample_size` a sample is taken, spread evenly, to which
                all hinted images belong.
            features: Their features, as `run` gave them. With effort `fast` nothing is looked at again of a set in
                which too few images show the object to learn from outlines.
            hints: What was said of images, by their index.
            pool: Threads to look at several images at once; the result is the same.
            check: Called before each step of an image; what it raises ends the estimate.

        Returns:
            The common object, None where the images have none: fewer than two of which the network's output is finite,
            or no foreground at all, for example because all are blank.

        Raises:
            ValueError: There are not as many images as features.
            HintError: A hinted box does not lie in its image.
        """
        if len(images) != len(features):
            raise ValueError(f"expected as many images as features, got {len(images)} and {len(features)}")
        # What is not finite would only use up the sample.
        usable = [index for index, looked in enumerate(features) if looked.is_finite or index in hints]
        always = [place for place, index in enumerate(usable) if index in hints]
        sample = [usable[place] for place in choose_sample(len(usable), self.set_sample_size, always)]
        shares = {
            place: hints[index].shares(f"image {index}", images[index].width, images[index].height)
            for place, index in enumerate(sample)
            if index in hints
        }
        fitter = SetFitter(
            self._looker,
            [images[index] for index in sample],
            [features[index] for index in sample],
            effort=self.effort,
            hints=shares,
            pool=pool,
            check=check,
        )
        fitted = fitter.fit()
        looks = {sample[place]: seen for place, seen in fitted.looks.items()}
        if fitted.common is None:
            return FittedSet(None, looks)
        origin = Origin(
            model=self.engine.metadata.name,
            model_sha256=self.engine.sha256,
            version=__version__,
            effort=self.effort,
            images=sum(features[index].is_finite for index in sample),
            hinted=len(shares),
            prior=None if self.prior is None else self.prior.name,
            prior_sha256=None if self.prior is None else self.prior.sha256,
        )
        return FittedSet(replace(fitted.common, origin=origin), looks)

    def check_common(self, common: CommonObject) -> None:
        """Refuse the common object of another model, or of another prior from outside.

        Raises:
            ObjectError: It was fitted with another one than this.
        """
        model, origin = self.engine.metadata, common.origin
        if origin is not None and origin.model_sha256 != self.engine.sha256:
            other = precision_of(origin.model_sha256)
            way = "" if other is None else f", or load the one in the box with precision {other}"
            raise ObjectError(
                f"the common object was fitted with the model {origin.model!r} ({origin.model_sha256[:12]}), and this "
                f"is {model.name!r} ({self.engine.sha256[:12]}, {model.precision}): fit it again with this one{way}"
            )
        own = None if self.prior is None else self.prior.sha256
        if origin is not None and origin.prior_sha256 != own:
            fitted = f"with the prior {origin.prior!r}" if origin.prior is not None else "without a prior from outside"
            here = "there is none here" if self.prior is None else f"this one is {self.prior.name!r}"
            raise ObjectError(f"the common object was fitted {fitted}, and {here}: give the same, or fit it again")
        if common.channels != model.channels:
            raise ObjectError(
                f"the common object is about features of {common.channels} channels, and {model.name!r} has "
                f"{model.channels}"
            )

    def finish(
        self,
        prepared: PreparedImage,
        features: ImageFeatures,
        common: CommonObject | None,
        *,
        looks: SecondLooks | None = None,
        hint: ImageHints | None = None,
        max_boxes: int = 1,
    ) -> ImageResult:
        """From one image's features to its boxes.

        With a common object and full effort, the network runs again over the object's part of the image, unless it
        was looked at before or the prior confirms what the first look has found; alone in its batch, so that the
        result does not depend on which other images are worked on.

        Args:
            prepared: The image.
            features: Its features, as `run` gave them.
            common: The common object of its set; None for mode `attention`.
            looks: What `fit_features` has seen of the image.
            hint: What was said of the image; its boxes come back as the best ones.
            max_boxes: Most boxes to give; 0: all.

        Raises:
            ImageError: What the network gives for the image, or for a part of it that it looks at again, is not
                finite.
            ObjectError: The common object is of another model.
        """
        check_max_boxes(max_boxes)
        image, most = prepared.image, max_boxes or _ALL_BOXES
        extent, confidence = self.locate(prepared, features, common, looks=looks, max_boxes=max_boxes)
        if extent.boxes:
            height, width = image.rgb.shape[:2]
            extent = replace(extent, boxes=scored(extent.boxes, width, height, features, common))
        shown = None
        if common is not None or image.is_blank():
            shown = bool(extent.boxes) and confidence >= SHOWN
        result = _result(image, extent, confidence, shown=shown)
        return result if hint is None else result.hinted(hint.pixels(result.width, result.height), most)

    def locate(
        self,
        prepared: PreparedImage,
        features: ImageFeatures,
        common: CommonObject | None,
        *,
        looks: SecondLooks | None = None,
        max_boxes: int = 1,
    ) -> tuple[Extent, float]:
        """From one image's features to the extent of what it shows, before `finish` estimates how good the boxes are.

        Args:
            prepared: See `finish`.
            features: See `finish`.
            common: See `finish`.
            looks: See `finish`.
            max_boxes: See `finish`.

        Returns:
            The extent at the working size of the image, the boxes' scores being the mean of the map inside; and the
            confidence in [0, 1].

        Raises:
            ImageError: See `finish`.
            ObjectError: See `finish`.
        """
        if common is not None:
            self.check_common(common)
        check_finite(features)
        image, most = prepared.image, max_boxes or _ALL_BOXES
        if image.is_blank():
            # One colour all over: what the network sees there is its own padding, which stands out at the borders.
            return Extent((), np.zeros(image.rgb.shape[:2], np.float32)), 0.0
        if common is None:
            # A prior from outside is finer than the model's own, and here better alone.
            prior = features.foreground if features.outside is None else features.outside
            if prior is None:
                extent, seen = attention_extent(image.rgb, features.attention, most), features.attention
            else:
                extent, seen = foreground_extent(image.rgb, prior, most), prior
            return extent, otsu_separability(min_max(seen))
        if common.exemplar is not None:
            return find_exemplar(self._looker, image, features, common.exemplar, looks or {}, most)
        extent = find_common(self._looker, image, features, common, looks or {}, most, again=self._looks_again)
        if features.outside is not None:
            alone = foreground_extent(image.rgb, features.outside, _ALL_BOXES)
            extent = replace(extent, boxes=with_prior_boxes(extent.boxes, alone.boxes))
        return extent, common.first.confidence(features.features)

    def outline(
        self,
        prepared: PreparedImage,
        features: ImageFeatures,
        common: CommonObject,
        *,
        looks: SecondLooks | None = None,
    ) -> NDArray[np.float32]:
        """How much of each cell of the features' grid the object's outline covers.

        Args:
            prepared: The image.
            features: Its features, as `run` gave them.
            common: The common object of its set.
            looks: What `fit_features` has seen of the image.

        Returns:
            (h, w) float32 [0, 1].

        Raises:
            ImageError: As `finish`.
        """
        check_finite(features)
        again = self._looks_again
        look = looks_for(self._looker, prepared.image, features, common, looks or {}, 1, again=again)[0]
        return outline_shares(prepared.image.rgb, look, features.attention.shape)[0]

    @property
    def _looks_again(self) -> bool:
        return self.effort != "fast"


def check_max_boxes(max_boxes: int) -> None:
    """Refuse a number of boxes that is none, or below 0.

    Raises:
        TypeError: It is no whole number.
        ValueError: It is below 0.
    """
    if isinstance(max_boxes, bool) or not isinstance(max_boxes, (int, np.integer)):
        raise TypeError(f"max_boxes must be a whole number, at least 1, or 0 for all, got {max_boxes!r}")
    if max_boxes < 0:
        raise ValueError(f"max_boxes must be at least 1, or 0 for all, got {max_boxes}")


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
