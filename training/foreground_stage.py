"""The last stage of a run: what the images have in common is taught to a network that sees one image at a time.

The teacher is the model in the box over all the images, mode `common`, no label. What its outlines cover and what they
leave free says what the network's stages see of things and of surroundings; Fisher's discriminant between the two is
the network's foreground prior, which mode `attention` boxes by, and which takes part in mode `common`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from colocalization.discriminant import ClassStatistics
from colocalization.engine import Engine
from colocalization.fitting import FittedSet
from colocalization.localizer import ImageFeatures, Localizer, PreparedImage
from colocalization.results import ImageResult
from training.comparison import Comparison, compare_results, judge
from training.datasets import DatasetImage
from training.foreground_prior import ForegroundPrior
from training.teaching import (
    LEAST_IMAGES,
    Pupil,
    add_outline,
    discriminate,
    prepare_images_to_teach,
    trusted_outlines,
)

__all__ = ["Learnt", "Teachable", "learn_foreground"]


class Teachable(Pupil, Protocol):
    """A network that a prior can be put into."""

    def with_prior(self, prior: ForegroundPrior) -> Engine:
        """The network with this prior."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the stage gives.

    Attributes:
        prior: The network's foreground prior; None where the images did not teach one.
        comparison: The trained model beside the one in the box.
    """

    prior: ForegroundPrior | None
    comparison: Comparison


def learn_foreground(
    teacher: Localizer, network: Teachable, images: Sequence[DatasetImage], note: Callable[[str], None]
) -> Learnt:
    """Teach a network and compare it with its teacher.

    Args:
        teacher: The model in the box.
        network: The network.
        images: The images, of one kind of thing; of many a sample is taken.
        note: Is told of what cannot be used, a line each.

    Raises:
        ImageError: What a network gives for an image is not finite.
    """
    prepared = prepare_images_to_teach(teacher, images, note)
    if len(prepared) < LEAST_IMAGES:
        return _nothing(len(prepared), f"{len(prepared)} images can be read, and at least {LEAST_IMAGES} are needed")
    features = [teacher.run([one])[0] for one in prepared]
    fitted = teacher.fit_features([one.image for one in prepared], features)
    if fitted.common is None:
        return _nothing(len(prepared), "the images have no common object")
    outlines = trusted_outlines(teacher, prepared, features, fitted, note)
    trusted = sum(outline is not None for outline in outlines)
    if trusted < LEAST_IMAGES:
        return _nothing(
            len(prepared), f"the outlines of {trusted} images can be trusted, and at least {LEAST_IMAGES} are needed"
        )
    halves = [_statistics(network, prepared, outlines, half) for half in (0, 1)]
    learnt_on = f"{trusted} images of 1 set, without labels"
    own = _prior(halves, learnt_on)
    crossed = [_prior([half], learnt_on) for half in halves[::-1]]
    if own is None or crossed[0] is None or crossed[1] is None:
        return _nothing(len(prepared), "the outlines leave nothing to tell things from their surroundings by")
    by_teacher = _results(teacher, prepared, features, fitted)
    box = compare_results(by_teacher, _results(teacher, prepared, features, FittedSet(None)), by_teacher)
    judges = [Localizer(network.with_prior(prior), teacher.limits) for prior in crossed if prior is not None]
    attention = []
    for index, one in enumerate(prepared):
        judging = judges[index % 2]
        attention.append(judging.finish(one, _look(judging, one), None))
    common = _common(Localizer(network.with_prior(own), teacher.limits), prepared)
    return Learnt(own, judge(len(prepared), box, compare_results(by_teacher, attention, common)))


def _nothing(images: int, reason: str) -> Learnt:
    return Learnt(None, Comparison(images, None, None, reason, {"attention": "no better", "common": "no better"}))


def _statistics(
    network: Teachable,
    images: Sequence[PreparedImage],
    outlines: Sequence[NDArray[np.float32] | None],
    half: int,
) -> tuple[ClassStatistics, ClassStatistics]:
    """Surroundings and things of every second image, from the first or from the second one on."""
    channels = sum(network.channels)
    low, high = ClassStatistics(channels), ClassStatistics(channels)
    for image, outline in list(zip(images, outlines, strict=True))[half::2]:
        if outline is not None:
            add_outline(network, image, outline, low, high)
    return low, high


def _prior(parts: Sequence[tuple[ClassStatistics, ClassStatistics]], learnt_on: str) -> ForegroundPrior | None:
    low, high = (_joined(kind) for kind in zip(*parts, strict=True))
    found = discriminate(low, high)
    return None if found is None else ForegroundPrior(found, learnt_on)


def _joined(parts: Sequence[ClassStatistics]) -> ClassStatistics:
    return ClassStatistics.of(
        sum(one.count for one in parts),
        np.sum([one.total for one in parts], axis=0),
        np.sum([one.products for one in parts], axis=0),
    )


def _look(localizer: Localizer, image: PreparedImage) -> ImageFeatures:
    """One look, with the localizer's own transform, which need not be the teacher's."""
    own = localizer.engine.metadata.transform()(image.image.rgb)
    return localizer.run([PreparedImage(image.image, own)])[0]


def _results(
    localizer: Localizer, images: Sequence[PreparedImage], features: Sequence[ImageFeatures], fitted: FittedSet
) -> list[ImageResult]:
    return [
        localizer.finish(one, features[index], fitted.common, looks=fitted.looks.get(index))
        for index, one in enumerate(images)
    ]


def _common(localizer: Localizer, images: Sequence[PreparedImage]) -> list[ImageResult]:
    features = [_look(localizer, one) for one in images]
    return _results(localizer, images, features, localizer.fit_features([one.image for one in images], features))
