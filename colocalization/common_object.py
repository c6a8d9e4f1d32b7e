"""The step over the set: what the images have in common, and where it is in each.

A first look at the whole image finds where the object is, widely; a second look at that part alone, at the network's
full input size, finds its extent. Both by discriminants fitted over the set. The second look makes small objects
large, so that one way to cut the map serves all sizes. What both looks find is refined to outlines on the images'
colours, and from the outlines of the set the discriminants are learnt anew: where colours mislead in one image
they do not in the others.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from colocalization.boxes import connected_components
from colocalization.discriminant import Discriminant, fit_discriminant, fit_to_shares, starting_maps
from colocalization.exemplar import Exemplar
from colocalization.maps import cropped, upsample
from colocalization.object_file import digest_of, from_bytes, read_members, to_bytes, write_members
from colocalization.object_members import Origin, pack, unpack
from colocalization.prior_role import PRIOR_WEIGHTS, PriorRole, fused
from colocalization.prototype import SHOWN, Prototype, fit_prototype
from colocalization.set_sums import SetSums
from colocalization.transform import Region

__all__ = [
    "FIRST_ROUNDS",
    "LEAST_OUTLINED",
    "TIGHT_ROUNDS",
    "WHOLE",
    "WIDE_ROUNDS",
    "CommonObject",
    "FirstLook",
    "OutlinedObject",
    "SecondLook",
    "fit_first_look",
    "fit_outlined",
    "fit_second_look",
    "grown_region",
    "sample_indices",
]

WHOLE = Region(0.0, 0.0, 1.0, 1.0)
"""The region that is the whole image."""

LEAST_OUTLINED = 8
"""Images from which on a set's outlines are learnt from: the fewer there are, the more of it is their own errors."""

FIRST_ROUNDS = 1
TIGHT_ROUNDS, WIDE_ROUNDS = 1, 4
"""How often the set is split and fitted: for the look at whole images, and for both discriminants of the regions."""

_REGION_FACTOR = 1.25
"""How much larger than the first look's box the second look is: background on all sides, to tell the object from."""

_SMALLEST_REGION = 0.25
"""Least side of the second look, as a share of the image's: below, images have no detail left to show."""

_FINE = 4
"""The first look's map is upsampled by this factor before it is cut, for boxes finer than the grid."""

_LEAST_AREA = 0.1
"""Regions smaller than this share of the largest one are taken for noise."""


def grown_region(found: Region) -> Region:
    """The region of the second look at what a first look has found: background on all sides, and not too small."""
    return found.expanded(_REGION_FACTOR, _SMALLEST_REGION)


@dataclass(frozen=True, slots=True)
class FirstLook:
    """What a look at whole images has found over the set.

    Attributes:
        object: The common object against the rest, widely.
        prototype: What the object's descriptors have in common, for the confidence.
    """

    object: Discriminant
    prototype: Prototype

    def confidence(self, features: NDArray[np.floating]) -> float:
        """How sure it is that an image shows the common object, in [0, 1].

        Args:
            features: (C, h, w) feature map of the whole image.
        """
        return self.prototype.confidence(self.prototype.similarity(features, self.object))

    def shows(self, features: NDArray[np.floating]) -> bool:
        """Whether an image of this (C, h, w) feature map is taken to show the common object."""
        return self.confidence(features) >= SHOWN

    def regions(
        self,
        features: NDArray[np.floating],
        limit: int = 1,
        *,
        prior: NDArray[np.float32] | None = None,
        role: PriorRole | None = None,
    ) -> list[Region]:
        """Where to look again: the largest parts of the image above the middle between the classes.

        Args:
            features: (C, h, w) feature map of the whole image.
            limit: Most regions to return.
            prior: (h', w') float32 [0, 1], the prior's map of the whole image, where there is one.
            role: The prior's part in the set.

        Returns:
            The regions, largest part first; the whole image where nothing stands out.
        """
        if prior is None or role is None:
            scores = self.object.map(features)
        else:
            scores = fused(self.object.bounded_map(features), prior, PRIOR_WEIGHTS[role].region)
        height, width = (_FINE * side for side in scores.shape)
        parts = connected_components(upsample(scores, width, height) > 0.5)
        if not len(parts.boxes):
            return [WHOLE]
        return [
            grown_region(Region(*(float(value) for value in box / (width, height, width, height))))
            for box, area in zip(parts.boxes[:limit], parts.areas[:limit], strict=True)
            if area >= _LEAST_AREA * parts.areas[0]
        ]


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What a look at the regions has found over the set.

    The mean of two discriminants: `tight` may leave out parts of the object that are unlike the rest, `wide` may
    take in what surrounds it. Where they agree the map is sure; between them the colours of the image decide.

    Attributes:
        tight: Fitted with all of the rest as background.
        wide: Fitted with the sure background alone.
    """

    tight: Discriminant
    wide: Discriminant

    def map(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Map of a region; 0 where both discriminants see background, 1 where both see the object.

        Args:
            features: (C, h, w) feature map of the region.

        Returns:
            (h, w) float32 [0, 1]; cut at 0.5.
        """
        return np.asarray((self.tight.bounded_map(features) + self.wide.bounded_map(features)) / 2, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class OutlinedObject:
    """What tells the object, learnt from its outlines in the images of the set.

    Attributes:
        whole: On features of whole images, which show it among all that is around.
        region: On features of the regions, which show it in detail.
    """

    whole: Discriminant
    region: Discriminant

    def map(
        self, image: NDArray[np.floating], region: Region = WHOLE, features: NDArray[np.floating] | None = None
    ) -> NDArray[np.float32]:
        """Map of a region: the mean of what both looks say, or what the first says alone.

        Args:
            image: (C, h, w) feature map of the whole image.
            region: The region; the whole image if left out.
            features: (C, h', w') feature map of the region, where there was a second look.

        Returns:
            (h', w') float32 [0, 1], without a second look (h, w); cut at 0.5.
        """
        rows, columns = (image if features is None else features).shape[1:]
        around = cropped(self.whole.bounded_map(image), (region.x0, region.y0, region.x1, region.y1), columns, rows)
        if features is None:
            return around
        return np.asarray((around + self.region.bounded_map(features)) / 2, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class CommonObject:
    """The common object of a set, as `Localizer.fit` estimates it.

    Attributes:
        first: The look at whole images: which part to look at again, and whether the object is there at all.
        second: The look at the regions, from which the outlines were made; None where nothing was looked at again.
        outlined: What has been learnt from the outlines; None of a set of too few images.
        exemplar: What hints taught, where they mean something else than what the images share most; it alone then
            finds the object.
        prior: What part a prior of the foreground takes; None where there was none.
        origin: What it was fitted with and on; `Localizer` fills it in, and refuses objects of another model.
        sums: What it keeps of its images, so that it can grow; None: it cannot. Boxes do not depend on it.
    """

    first: FirstLook
    second: SecondLook | None
    outlined: OutlinedObject | None
    exemplar: Exemplar | None = None
    prior: PriorRole | None = None
    origin: Origin | None = None
    sums: SetSums | None = None

    @property
    def agreement(self) -> float:
        """Mean cosine, in [0, 1], between the descriptors of what different images of the set show of it."""
        taught = None if self.exemplar is None else self.exemplar.prototype
        return (taught or self.first.prototype).agreement

    @property
    def channels(self) -> int:
        """Number of channels of the features that it is about."""
        return len(self.first.object.direction)

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256 of all that boxes depend on: two objects of the same digest give the same ones."""
        return digest_of(pack(self.without_sums()))

    def without_sums(self) -> "CommonObject":
        """The object alone, in a fortieth of the memory; it can no longer grow."""
        return self if self.sums is None else replace(self, sums=None)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, an `.npz` without pickle; whole or not at all. Its folder is made.

        Raises:
            ObjectError: It could not be read again, since values in it are out of range.
            OSError: The file cannot be written; what was there is still there.
        """
        members = pack(self)
        unpack(CommonObject, members, str(path))
        write_members(Path(path), members)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "CommonObject":
        """Read a file that `save` has written. It may come from anyone: nothing in it is run.

        Raises:
            ObjectError: The file is missing, cannot be read, is damaged, or is none of a common object.
        """
        return unpack(cls, read_members(Path(path)), str(path))

    def to_bytes(self) -> bytes:
        """The content of the file that `save` would write."""
        return to_bytes(pack(self))

    @classmethod
    def from_bytes(cls, content: bytes, source: str = "the object") -> "CommonObject":
        """The object of which a file's content is given.

        Args:
            content: The content.
            source: What it is called, for the message.

        Raises:
            ObjectError: See `load`.
        """
        return unpack(cls, from_bytes(content, source), source)

    def map(
        self,
        image: NDArray[np.floating],
        region: Region,
        features: NDArray[np.floating],
        prior: NDArray[np.float32] | None = None,
    ) -> NDArray[np.float32]:
        """Map of the object in a region of an image that was looked at again.

        Args:
            image: (C, h, w) feature map of the whole image.
            region: The region.
            features: (C, h', w') feature map of the region.
            prior: The prior's map of the region, where there is one.

        Returns:
            (h', w') float32 [0, 1]; cut at 0.5.

        Raises:
            ValueError: Nothing was learnt of second looks.
        """
        weights = PRIOR_WEIGHTS[self.prior]
        if self.outlined is not None:
            return fused(self.outlined.map(image, region, features), prior, weights.extent)
        if self.second is None:
            raise ValueError("nothing was learnt of second looks; there is a map of whole images only, `whole_map`")
        return fused(self.second.map(features), prior, weights.unlearnt)

    def whole_map(self, image: NDArray[np.floating], prior: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Map of the object in a whole image, by one look: by what the outlines taught, else by the first look.

        Args:
            image: (C, h, w) feature map of the whole image.
            prior: The prior's map of the whole image, where there is one.

        Returns:
            (h, w) float32 [0, 1]; cut at 0.5.
        """
        weights = PRIOR_WEIGHTS[self.prior]
        if self.outlined is None:
            return fused(self.first.object.bounded_map(image), prior, weights.unlearnt)
        return fused(self.outlined.map(image), prior, weights.extent)


def fit_first_look(
    attention: Sequence[NDArray[np.floating]], features: Sequence[NDArray[np.floating]]
) -> FirstLook | None:
    """Estimate the common object over whole images.

    Args:
        attention: Attention maps, each (h, w).
        features: Feature maps, each (C, h, w).

    Returns:
        None where the images have no foreground at all, for example because all are blank.
    """
    start = starting_maps(attention, features)
    found = fit_discriminant(features, start, background="sure", rounds=FIRST_ROUNDS)
    return None if found is None else FirstLook(found, fit_prototype(features, found))


def fit_second_look(
    attention: Sequence[NDArray[np.floating]], features: Sequence[NDArray[np.floating]]
) -> SecondLook | None:
    """Estimate the common object over the regions of a set.

    Args:
        attention: Attention maps of the regions, each (h, w).
        features: Feature maps of the regions, each (C, h, w).

    Returns:
        None where the regions have no foreground at all.
    """
    start = starting_maps(attention, features)
    tight = fit_discriminant(features, start, background="rest", rounds=TIGHT_ROUNDS)
    wide = fit_discriminant(features, start, background="sure", rounds=WIDE_ROUNDS)
    return None if tight is None or wide is None else SecondLook(tight, wide)


def fit_outlined(
    images: Sequence[NDArray[np.floating]],
    regions: Sequence[NDArray[np.floating]],
    shares: Sequence[tuple[NDArray[np.floating], NDArray[np.floating]]],
    otherwise: tuple[Discriminant, Discriminant],
) -> OutlinedObject:
    """Learn from the outlines of a set what tells the object.

    Args:
        images: Feature maps of whole images, each (C, h, w).
        regions: Feature maps of their regions, each (C, h', w').
        shares: How much of each cell the outline covers: of the whole image, (h, w), and of the region, (h', w').
        otherwise: What to take for whole images and for regions where the outlines leave no two classes.
    """
    whole = fit_to_shares(images, [one for one, _ in shares])
    region = fit_to_shares(regions, [one for _, one in shares])
    return OutlinedObject(whole or otherwise[0], region or otherwise[1])


def sample_indices(count: int, limit: int) -> NDArray[np.intp]:
    """Indices of at most `limit` images, spread evenly over a set of `count`.

    Args:
        count: Size of the set.
        limit: Most indices to return, at least 1.

    Returns:
        (min(count, limit),) strictly increasing indices.

    Example:
        >>> sample_indices(10, 4).tolist()
        [0, 2, 5, 7]
    """
    if limit < 1:
        raise ValueError(f"limit must be at least 1, got {limit}")
    kept = min(count, limit)
    return (np.arange(kept) * count // max(kept, 1)).astype(np.intp)
