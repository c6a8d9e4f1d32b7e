"""Finding what images share in one of them: by one look, and where the prior does not confirm it, by a second one."""

from collections.abc import Sequence

from colocalization.boxes import Box
from colocalization.common_object import WHOLE, CommonObject
from colocalization.extent import Extent, Look, common_extent, confirmed, foreground_extent, joined
from colocalization.images import DecodedImage
from colocalization.looks import ImageFeatures, Looker, SecondLooks, check_finite

__all__ = ["find_common", "looks_for"]

_CONFIRMED = 0.8
"""IoU with a box of the prior's from which on the best box of a map is taken without more work. Of 40 images of each of
fourteen sets, with priors that had not seen them, half are confirmed by the first look or the second, and the boxes are
as good as after a second look and an outline for all."""

_ALL = 1000
"""Boxes of the prior."""


def find_common(
    looker: Looker,
    image: DecodedImage,
    features: ImageFeatures,
    common: CommonObject,
    known: SecondLooks,
    max_boxes: int,
    *,
    again: bool = True,
) -> Extent:
    """Where the common object is, its best box by as little work as the prior confirms.

    Args:
        looker: Looks at regions.
        image: The image.
        features: The look at all of it.
        common: The common object.
        known: Second looks that were taken before.
        max_boxes: Most boxes; the best one does not depend on it.
        again: Whether there may be second looks.

    Raises:
        ImageError: What the network gives for a part of the image is not finite.
    """
    priors = _prior_boxes(image, features, common)
    best = _confirmed(image, [(WHOLE, common.whole_map(features.features, features.foreground))], priors)
    if best is not None and max_boxes == 1:
        return best
    looks = looks_for(looker, image, features, common, known, max_boxes, again=again)
    if best is None and again and common.second is not None:  # else the map is the same one
        best = _confirmed(image, looks[:1], priors)
    if best is not None and max_boxes == 1:
        return best
    extent = common_extent(image.rgb, looks, max_boxes)
    return extent if best is None else joined(best, extent, max_boxes)


def looks_for(
    looker: Looker,
    image: DecodedImage,
    features: ImageFeatures,
    common: CommonObject,
    known: SecondLooks,
    max_boxes: int,
    *,
    again: bool = True,
) -> list[Look]:
    """The regions to find boxes in, most important first, and the map of each.

    Args:
        looker: See `find_common`.
        image: See `find_common`.
        features: See `find_common`.
        common: See `find_common`.
        known: See `find_common`.
        max_boxes: See `find_common`.
        again: See `find_common`.

    Raises:
        ImageError: See `find_common`.
    """
    if not again or common.second is None:
        return [(WHOLE, common.whole_map(features.features, features.foreground))]
    looks = []
    regions = common.first.regions(features.features, max_boxes, prior=features.foreground, role=common.prior)
    for region in regions:
        look = known.get(region) or looker.region(image.rgb, region, features)
        check_finite(look)
        looks.append((region, common.map(features.features, region, look.features, look.foreground)))
    return looks


def _prior_boxes(image: DecodedImage, features: ImageFeatures, common: CommonObject) -> tuple[Box, ...]:
    if common.prior is None or features.foreground is None:
        return ()
    return foreground_extent(image.rgb, features.foreground, _ALL).boxes


def _confirmed(image: DecodedImage, looks: Sequence[Look], priors: Sequence[Box]) -> Extent | None:
    """The extent with one box that the prior sees too, without an outline; None where it does not."""
    if not priors:
        return None
    extent = common_extent(image.rgb, looks, 1, outlined=False)
    return extent if confirmed(extent.boxes, priors, _CONFIRMED) else None
