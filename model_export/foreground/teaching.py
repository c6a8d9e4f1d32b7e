"""What the outlines of sets teach: where things are in them, and where their surroundings.

The teacher is mode `common`: the outlines that it finds in a set, no box seen. Where it takes the surroundings for the
thing its outlines reach to the images' borders on several sides; such images are left out, and sets that mostly consist
of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colocalization.descriptors import descriptors
from colocalization.discriminant import (
    ClassStatistics,
    Discriminant,
    fisher_discriminant,
    split_by_shares,
)
from colocalization.errors import ImageError
from colocalization.localizer import Localizer, PreparedImage
from colocalization.maps import touched_sides
from colocalization.prototype import SHOWN
from colocalization.sampling import choose_sample
from model_export.errors import ExportError
from model_export.foreground.taps import TappedEngine

__all__ = ["MOST_IMAGES", "Lesson", "SetOutlines", "learn", "outline_set"]

MOST_IMAGES = 128
"""Images of a set that teach; more say little new, and sets weigh alike anyway."""

_LEAST_IMAGES = 8
_LEAST_TRUSTED = 0.4
"""Share of a set's images whose outlines must be trusted for the set to teach."""

_TOUCHED = 0.1
"""Share of a side of the image from which on an outline touches it."""

_MOST_SIDES = 1
_LEAST_AREA = 0.01
_RIDGE = 0.3
"""Share of the variances added to the diagonal of the scatter: things of other sets differ from those of these."""


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
    engine: TappedEngine, name: str, paths: Sequence[Path], note: Callable[[str], None]
) -> SetOutlines | None:
    """Localize a set and gather what its outlines say.

    Args:
        engine: The network.
        name: Name of the set.
        paths: Its images; of more than `MOST_IMAGES` a sample is taken, spread evenly.
        note: Is told of what cannot be used, a line each.

    Returns:
        None where the set has too few images that can be read, or no common object.
    """
    localizer = Localizer(engine)
    prepared: list[PreparedImage] = []
    for index in choose_sample(len(paths), MOST_IMAGES):
        try:
            prepared.append(localizer.prepare(paths[index]))
        except ImageError as error:
            note(f"{paths[index]} is left out: {error.message}")
    if len(prepared) < _LEAST_IMAGES:
        note(f"{name} is left out: {len(prepared)} of its images can be read, and at least {_LEAST_IMAGES} are needed")
        return None
    features = [localizer.run([one])[0] for one in prepared]
    fitted = localizer.fit_features([one.image for one in prepared], features)
    if fitted.common is None:
        note(f"{name} is left out: its images have no common object")
        return None
    channels = sum(engine.channels)
    low, high = ClassStatistics(channels), ClassStatistics(channels)
    trusted = 0
    for index, one in enumerate(prepared):
        if one.image.is_blank():
            continue
        try:
            shares = localizer.outline(one, features[index], fitted.common, looks=fitted.looks.get(index))
        except ImageError as error:
            note(f"an image of {name} is left out: {error.message}")
            continue
        if fitted.common.first.confidence(features[index].features) >= SHOWN and is_trusted(shares):
            trusted += 1
            rows = np.concatenate([descriptors(tap) for tap in engine.tapped(one.input)], axis=1)
            split_by_shares(rows, shares, low, high)
    return SetOutlines(name, len(prepared), trusted, low, high)


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
        ExportError: No set can be trusted.
    """
    # By their names, so that the order in which they were given is not in the last bits of the result.
    teachers = sorted((one for one in sets if one.teaches), key=lambda one: one.name)
    left_out = [one for one in sets if not one.teaches]
    if not teachers:
        listed = ", ".join(f"{one.name} ({one.trusted} of {one.images})" for one in left_out) or "none"
        raise ExportError(
            f"no set has outlines that can be trusted; those given, and the images that could be: {listed}"
        )
    low = ClassStatistics.mixed([one.background for one in teachers])
    high = ClassStatistics.mixed([one.foreground for one in teachers])
    prior = fisher_discriminant(low, high, weight=0.5, shrinkage=_RIDGE)
    if prior is None:
        raise ExportError("the outlines of the sets leave nothing to tell things from their surroundings by")
    return Lesson(prior, tuple(teachers), tuple(left_out))
