"""What the outlines of sets teach: where things are in them, and where their surroundings.

The teacher is mode `common`: the outlines that it finds in a set, no box seen. Where it takes the surroundings for the
thing its outlines reach to the images' borders on several sides; such images are left out, and sets that mostly consist
of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from colocalization.discriminant import (
    ClassStatistics,
    Discriminant,
    fisher_discriminant,
    split_by_shares,
)
from colocalization.errors import ImageError
from colocalization.localizer import FittedSet, ImageFeatures, Localizer, PreparedImage
from colocalization.maps import touched_sides
from colocalization.prior_role import at_grid
from colocalization.prototype import SHOWN
from colocalization.sampling import choose_sample
from training.datasets import DatasetImage
from training.errors import TrainingError
from training.foreground_prior import tap_rows

__all__ = [
    "LEAST_IMAGES",
    "MOST_IMAGES",
    "Lesson",
    "Pupil",
    "SetOutlines",
    "add_outline",
    "discriminate",
    "learn",
    "outline_set",
    "prepare_image",
    "prepare_images_to_teach",
    "trusted_outlines",
]

MOST_IMAGES = 128
"""Images of a set that teach; more say little new, and sets weigh alike anyway."""

LEAST_IMAGES = 8
"""Images that can be read without which a set does not teach."""

_LEAST_TRUSTED = 0.4
"""Share of a set's images whose outlines must be trusted for the set to teach."""

_TOUCHED = 0.1
"""Share of a side of the image from which on an outline touches it."""

_MOST_SIDES = 1
_LEAST_AREA = 0.01
_RIDGE = 0.3
"""Share of the variances added to the diagonal of the scatter: things of other sets differ from those of these."""


class Pupil(Protocol):
    """A network whose stages a prior is going to read."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Number of channels of each tap."""

    def tapped(self, rgb: NDArray[np.uint8]) -> Sequence[NDArray[np.float32]]:
        """The taps of one (H, W, 3) uint8 image, each (C, h, w) float32, of one grid."""


def prepare_image(localizer: Localizer, image: DatasetImage) -> PreparedImage:
    """Decode an image of a data set as `Localizer.prepare` does, less its banner.

    Raises:
        ImageError: The image cannot be read.
    """
    decoded = image.load(localizer.limits)
    return PreparedImage(decoded, localizer.engine.metadata.transform()(decoded.rgb))


@dataclass(frozen=True, slots=True)
class SetOutlines:
    """What a set teaches.

    Attributes:
        name: Name of the set.
        images: Images looked at.
        trusted: How many of them have outlines that are trusted.
        background: Statistics of the descriptors of what the outlines leave free.
        foreground: Of what they cover.
    """

    name: str
    images: int
    trusted: int
    background: ClassStatistics = field(repr=False)
    foreground: ClassStatistics = field(repr=False)

    @property
    def teaches(self) -> bool:
        """Whether enough of its outlines are trusted."""
        return self.trusted >= max(_LEAST_TRUSTED * self.images, 1) and bool(
            self.background.count and self.foreground.count
        )


@dataclass(frozen=True, slots=True)
class Lesson:
    """What sets have taught together.

    Attributes:
        prior: The discriminant on the taps' descriptors.
        taught_by: The sets that it was learnt from.
        left_out: Those whose outlines are not trusted.
    """

    prior: Discriminant
    taught_by: tuple[SetOutlines, ...]
    left_out: tuple[SetOutlines, ...]


def outline_set(
    teacher: Localizer, pupil: Pupil, name: str, images: Sequence[DatasetImage], note: Callable[[str], None]
) -> SetOutlines | None:
    """Localize a set and gather what its outlines say.

    Args:
        teacher: Localizes the set.
        pupil: The network that is taught.
        name: Name of the set.
        images: Its images; of more than `MOST_IMAGES` a sample is taken, spread evenly.
        note: Is told of what cannot be used, a line each.

    Returns:
        None where the set has too few images that can be read, or no common object.
    """
    prepared = prepare_images_to_teach(teacher, images, note)
    if len(prepared) < LEAST_IMAGES:
        note(f"{name} is left out: {len(prepared)} of its images can be read, and at least {LEAST_IMAGES} are needed")
        return None
    features = [teacher.run([one])[0] for one in prepared]
    fitted = teacher.fit_features([one.image for one in prepared], features)
    if fitted.common is None:
        note(f"{name} is left out: its images have no common object")
        return None
    shares = trusted_outlines(teacher, prepared, features, fitted, note)
    channels = sum(pupil.channels)
    low, high = ClassStatistics(channels), ClassStatistics(channels)
    for image, outline in zip(prepared, shares, strict=True):
        if outline is not None:
            add_outline(pupil, image, outline, low, high)
    return SetOutlines(name, len(prepared), sum(outline is not None for outline in shares), low, high)


def prepare_images_to_teach(
    teacher: Localizer, images: Sequence[DatasetImage], note: Callable[[str], None]
) -> list[PreparedImage]:
    """Decode the images of a set that teach; of more than `MOST_IMAGES` a sample, spread evenly.

    Args:
        teacher: Localizes the set.
        images: The set.
        note: Is told of what cannot be read, a line each.
    """
    prepared: list[PreparedImage] = []
    for index in choose_sample(len(images), MOST_IMAGES):
        try:
            prepared.append(prepare_image(teacher, images[index]))
        except ImageError as error:
            note(f"{images[index].path} is left out: {error.message}")
    return prepared


def trusted_outlines(
    teacher: Localizer,
    images: Sequence[PreparedImage],
    features: Sequence[ImageFeatures],
    fitted: FittedSet,
    note: Callable[[str], None],
) -> list[NDArray[np.float32] | None]:
    """What the common object's outline covers in each image of a set.

    Args:
        teacher: Localizes the set.
        images: The set.
        features: What it sees in them.
        fitted: What they have in common; with a common object.
        note: Is told of what cannot be used, a line each.

    Returns:
        For each image (h, w) float32 [0, 1], or None where its outline may not teach.
    """
    common = fitted.common
    if common is None:
        raise ValueError("outlines are of a common object, and the set has none")
    outlines: list[NDArray[np.float32] | None] = []
    for index, one in enumerate(images):
        outlines.append(None)
        if one.image.is_blank():
            continue
        try:
            shares = teacher.outline(one, features[index], common, looks=fitted.looks.get(index))
        except ImageError as error:
            note(f"an image is left out: {error.message}")
            continue
        if common.first.confidence(features[index].features) >= SHOWN and is_trusted(shares):
            outlines[-1] = shares
    return outlines


def add_outline(
    pupil: Pupil, image: PreparedImage, outline: NDArray[np.float32], low: ClassStatistics, high: ClassStatistics
) -> None:
    """Add what the pupil sees in an image to the statistics of surroundings and of things.

    Args:
        pupil: The network that is taught.
        image: The image.
        outline: (h, w) float32 [0, 1], how much of each cell the outline covers.
        low: Statistics of what it leaves free.
        high: Of what it covers.
    """
    taps = pupil.tapped(image.image.rgb)
    split_by_shares(tap_rows(taps), at_grid(outline, taps[-1].shape[1:]), low, high)


def is_trusted(shares: NDArray[np.float32]) -> bool:
    """Whether an outline may teach: it is not tiny, and does not reach to several sides of its image.

    Args:
        shares: (h, w) float32 [0, 1], how much of each cell the outline covers.
    """
    mask = shares > 0.5
    return touched_sides(mask, _TOUCHED) <= _MOST_SIDES and float(mask.mean()) >= _LEAST_AREA


def learn(sets: Sequence[SetOutlines]) -> Lesson:
    """Fisher's discriminant between things and surroundings of many sets, each set weighing alike.

    Args:
        sets: What the sets teach.

    Raises:
        TrainingError: No set can be trusted.
    """
    # By their names, so that the order in which they were given is not in the last bits of the result.
    teachers = sorted((one for one in sets if one.teaches), key=lambda one: one.name)
    left_out = [one for one in sets if not one.teaches]
    if not teachers:
        listed = ", ".join(f"{one.name} ({one.trusted} of {one.images})" for one in left_out) or "none"
        raise TrainingError(
            f"no set has outlines that can be trusted; those given, and the images that could be: {listed}"
        )
    low = ClassStatistics.mixed([one.background for one in teachers])
    high = ClassStatistics.mixed([one.foreground for one in teachers])
    prior = discriminate(low, high)
    if prior is None:
        raise TrainingError("the outlines of the sets leave nothing to tell things from their surroundings by")
    return Lesson(prior, tuple(teachers), tuple(left_out))


def discriminate(low: ClassStatistics, high: ClassStatistics) -> Discriminant | None:
    """The discriminant between what outlines leave free and what they cover; None where they leave no two classes."""
    return fisher_discriminant(low, high, weight=0.5, shrinkage=_RIDGE)
