"""Adding images to a common object that was fitted before, without the images that it was fitted on.

What is exact: the sums. Counts, means and scatters of all classes, the mean descriptor of the set, and what outlines
have told are those of all images, in whatever parts they came. What is not: to which class a cell belongs is asked of
the object as it is when the image comes, with the cuts of the first fit, and never again; a fit of all images at once
starts from their attention maps and asks four times. So boxes differ a little; docs/method.md says by how much.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from colocalization.common_object import (
    FIRST_ROUNDS,
    LEAST_OUTLINED,
    TIGHT_ROUNDS,
    WIDE_ROUNDS,
    CommonObject,
    FirstLook,
    OutlinedObject,
    SecondLook,
)
from colocalization.descriptors import descriptors
from colocalization.discriminant import (
    Background,
    ClassStatistics,
    Discriminant,
    fisher_discriminant,
    fit_with_statistics,
    foreground_cuts,
    split_by_shares,
    starting_maps,
)
from colocalization.errors import ObjectError
from colocalization.extent import outline_shares
from colocalization.images import DecodedImage
from colocalization.looks import ImageFeatures, Looker, SecondLooks
from colocalization.prior_role import PRIOR_WEIGHTS, PriorRole, fused, prior_shares
from colocalization.prototype import foreground_mean, prototype_of
from colocalization.set_sums import MOST_ROWS, ClassSums, CutSums, DescriptorRows, OutlineSums, SetSums
from colocalization.transform import Region

__all__ = ["Growth", "with_sums"]


def with_sums(
    common: CommonObject,
    images: Sequence[DecodedImage],
    features: Sequence[ImageFeatures],
    looks: Mapping[int, SecondLooks],
) -> CommonObject:
    """A common object that was just fitted, with the sums that let it grow.

    Args:
        common: The object.
        images: The images that it was fitted on.
        features: The looks at them.
        looks: The second looks at some of them, by index.

    Raises:
        ObjectError: It was taught by hints, or without second looks, and so cannot grow.
    """
    if common.exemplar is not None or common.second is None:
        raise ObjectError(
            "what hints have taught cannot grow: fit all images at once"
            if common.exemplar is not None
            else "a common object grows by second looks, which effort 'fast' leaves out for few images: use 'full'"
        )
    finite = [index for index, look in enumerate(features) if look.is_finite]
    regions = [(index, *next(iter(looks[index].items()))) for index in finite if looks.get(index)]
    regions = [one for one in regions if one[2].is_finite]
    growth = _Classes.new(common.channels)
    for index, region, look in regions:
        growth.outline(images[index], features[index], region, look, common.second, common.prior)
    rows = [foreground_mean(features[index].features, common.first.object) for index in finite]
    sums = SetSums(
        len(finite),
        len(regions),
        _sum_of_means([features[index].features for index in finite]),
        _kept(rows),
        _cut_sums([features[index] for index in finite], common.first.object, "sure", FIRST_ROUNDS, common.prior),
        _cut_sums([look for _, _, look in regions], common.second.tight, "rest", TIGHT_ROUNDS, common.prior),
        _cut_sums([look for _, _, look in regions], common.second.wide, "sure", WIDE_ROUNDS, common.prior),
        growth.whole_sums(),
        growth.region_sums(),
    )
    return replace(common, sums=sums)


class Growth:
    """What further images add to a common object. They come one by one, and none is kept."""

    def __init__(self, common: CommonObject, looker: Looker) -> None:
        """Begin with an object.

        Args:
            common: The object; it stays as it is.
            looker: Looks at regions.

        Raises:
            ObjectError: It has no sums.
        """
        if common.sums is None or common.second is None:
            raise ObjectError("the common object cannot grow: it was not fitted for it (`fit` with growing=True)")
        self._common, self._second, self._sums = common, common.second, common.sums
        self._looker = looker
        self._first, self._tight, self._wide = (
            _statistics(one) for one in (self._sums.first, self._sums.tight, self._sums.wide)
        )
        self._outlines = _Classes(self._sums.whole, self._sums.region)
        self._descriptors = self._sums.descriptors.astype(np.float64)
        self._rows = list(self._sums.foregrounds.rows)
        self.images, self._outlined = 0, 0

    def add(self, image: DecodedImage, look: ImageFeatures) -> bool:
        """Add an image, by the object as it was in the beginning.

        Args:
            image: The image.
            look: The look at it.

        Returns:
            Whether it counts: what is not finite does not.
        """
        if not look.is_finite:
            return False
        first = self._common.first
        self.images += 1
        self._descriptors += descriptors(look.features).mean(axis=0)
        self._rows.append(foreground_mean(look.features, first.object))
        _add_cells(self._first, look, first.object, self._sums.first, self._common.prior)
        if first.shows(look.features):
            role = self._common.prior
            region = first.regions(look.features, prior=look.foreground, role=role)[0]
            again = self._looker.region(image.rgb, region, look)
            if again.is_finite:
                _add_cells(self._tight, again, self._second.tight, self._sums.tight, role)
                _add_cells(self._wide, again, self._second.wide, self._sums.wide, role)
                self._outlines.outline(image, look, region, again, self._second, role)
                self._outlined += 1
        return True

    def grown(self) -> CommonObject:
        """The object with all that was added."""
        if not self.images:
            return self._common
        common, sums = self._common, self._sums
        sums = SetSums(
            sums.images + self.images,
            sums.outlined + self._outlined,
            self._descriptors.astype(np.float32),
            _kept(self._rows),
            _with_classes(sums.first, self._first),
            _with_classes(sums.tight, self._tight),
            _with_classes(sums.wide, self._wide),
            self._outlines.whole_sums(),
            self._outlines.region_sums(),
        )
        found = fisher_discriminant(*self._first, weight=0.5) or common.first.object
        centre = (self._descriptors / sums.images).astype(np.float32)
        second = SecondLook(
            # Where the prior leads, both are fitted to it, and its classes weigh alike.
            fisher_discriminant(*self._tight, weight=0.5 if common.prior == "leads" else None) or self._second.tight,
            fisher_discriminant(*self._wide, weight=0.5) or self._second.wide,
        )
        outlined = None
        if sums.outlined >= LEAST_OUTLINED:
            whole, region = self._outlines.discriminants()
            outlined = OutlinedObject(whole or found, region or second.wide)
        origin = common.origin and replace(common.origin, images=sums.images)
        first = FirstLook(found, prototype_of(centre, sums.foregrounds.rows))
        return replace(common, first=first, second=second, outlined=outlined, origin=origin, sums=sums)


class _Classes:
    """What outlines tell apart, in whole images and in regions."""

    def __init__(self, whole: OutlineSums, region: OutlineSums) -> None:
        self._whole, self._region = _statistics(whole), _statistics(region)

    @classmethod
    def new(cls, channels: int) -> "_Classes":
        nothing = ClassSums.of(ClassStatistics(channels))
        return cls(OutlineSums(nothing, nothing), OutlineSums(nothing, nothing))

    def outline(
        self,
        image: DecodedImage,
        look: ImageFeatures,
        region: Region,
        again: ImageFeatures,
        second: SecondLook,
        role: PriorRole | None,
    ) -> None:
        scores = fused(second.map(again.features), again.foreground, PRIOR_WEIGHTS[role].outline)
        whole, within = outline_shares(image.rgb, (region, scores), look.attention.shape)
        split_by_shares(descriptors(look.features), whole, *self._whole)
        split_by_shares(descriptors(again.features), within, *self._region)

    def whole_sums(self) -> OutlineSums:
        return OutlineSums(*(ClassSums.of(one) for one in self._whole))

    def region_sums(self) -> OutlineSums:
        return OutlineSums(*(ClassSums.of(one) for one in self._region))

    def discriminants(self) -> tuple[Discriminant | None, Discriminant | None]:
        return fisher_discriminant(*self._whole, weight=0.5), fisher_discriminant(*self._region, weight=0.5)


def _sum_of_means(features: Sequence[NDArray[np.floating]]) -> NDArray[np.float32]:
    means = [descriptors(one).mean(axis=0, dtype=np.float64) for one in features]
    return np.asarray(np.sum(means, axis=0), dtype=np.float32)


def _statistics(sums: CutSums | OutlineSums) -> tuple[ClassStatistics, ClassStatistics]:
    return sums.low.statistics(), sums.high.statistics()


def _cut_sums(
    looks: Sequence[ImageFeatures], found: Discriminant, background: Background, rounds: int, role: PriorRole | None
) -> CutSums:
    """The classes that a discriminant was fitted to, and where the map that it gives is to be cut."""
    features = [look.features for look in looks]
    values = np.concatenate([found.bounded_map(one).ravel() for one in features])
    cuts = foreground_cuts(values, background) or (0.5, 0.25)
    if role == "leads":
        classes = ClassStatistics(len(found.direction)), ClassStatistics(len(found.direction))
        for look in looks:
            _split_by_prior(look, classes)
        return CutSums(ClassSums.of(classes[0]), ClassSums.of(classes[1]), *cuts)
    start = starting_maps([look.attention for look in looks], features)
    fitted = fit_with_statistics(features, start, background=background, rounds=rounds)
    assert fitted is not None  # noqa: S101 - it was, a moment ago, with the same features
    return CutSums(ClassSums.of(fitted.low), ClassSums.of(fitted.high), *cuts)


def _add_cells(
    classes: tuple[ClassStatistics, ClassStatistics],
    look: ImageFeatures,
    found: Discriminant,
    cuts: CutSums,
    role: PriorRole | None,
) -> None:
    if role == "leads":
        _split_by_prior(look, classes)
        return
    rows, values = descriptors(look.features), found.bounded_map(look.features).ravel()
    classes[0].add(rows[values <= cuts.sure])
    classes[1].add(rows[values > cuts.cut])


def _split_by_prior(look: ImageFeatures, classes: tuple[ClassStatistics, ClassStatistics]) -> None:
    if look.foreground is not None:
        split_by_shares(descriptors(look.features), prior_shares(look.foreground, look.features.shape[1:]), *classes)


def _with_classes(sums: CutSums, classes: tuple[ClassStatistics, ClassStatistics]) -> CutSums:
    return replace(sums, low=ClassSums.of(classes[0]), high=ClassSums.of(classes[1]))


def _kept(rows: Sequence[NDArray[np.float32]]) -> DescriptorRows:
    kept = list(rows)
    while len(kept) > MOST_ROWS:
        kept = kept[::2]
    return DescriptorRows(np.stack(kept).astype(np.float32))
