"""The looks where a prior of the foreground has its say; where it leads, they are fitted to what it sees."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from colocalization.common_object import FirstLook, SecondLook, fit_first_look
from colocalization.discriminant import Discriminant, fit_to_shares
from colocalization.looks import ImageFeatures
from colocalization.prior_role import PriorRole, at_grid, choose_role, prior_shares
from colocalization.prototype import fit_prototype

__all__ = ["fit_first", "fit_first_to_prior", "fit_second_to_prior", "priors_of"]


def fit_first(looks: Sequence[ImageFeatures]) -> tuple[FirstLook, PriorRole | None] | None:
    """Estimate the common object over whole images, with what a prior sees in them where there is one.

    Args:
        looks: The look at each whole image.

    Returns:
        The first look, and the part that the prior takes; None where the images have no foreground at all.
    """
    features = [look.features for look in looks]
    first = fit_first_look([look.attention for look in looks], features)
    priors = priors_of(looks)
    if first is None:
        return None
    if len(priors) < len(looks):
        return first, None
    maps = [first.object.bounded_map(one) for one in features]
    role = choose_role(maps, [at_grid(prior, maps[0].shape) for prior in priors])
    led = fit_first_to_prior(features, priors) if role == "leads" else None
    return (first, "joins") if led is None else (led, "leads")


def priors_of(looks: Sequence[ImageFeatures]) -> list[NDArray[np.float32]]:
    """The maps of the prior, of the looks that have one."""
    return [look.foreground for look in looks if look.foreground is not None]


def fit_first_to_prior(
    features: Sequence[NDArray[np.floating]], priors: Sequence[NDArray[np.float32]]
) -> FirstLook | None:
    """Estimate the common object over whole images from what a prior sees in them.

    Args:
        features: Feature maps, each (C, h, w).
        priors: The prior's maps, each (h', w').

    Returns:
        None where the prior sees no two classes.
    """
    found = _fit_to_prior(features, priors)
    return None if found is None else FirstLook(found, fit_prototype(features, found))


def fit_second_to_prior(
    features: Sequence[NDArray[np.floating]], priors: Sequence[NDArray[np.float32]]
) -> SecondLook | None:
    """Estimate the common object over regions from what a prior sees in them; see `fit_first_to_prior`."""
    found = _fit_to_prior(features, priors)
    return None if found is None else SecondLook(found, found)


def _fit_to_prior(
    features: Sequence[NDArray[np.floating]], priors: Sequence[NDArray[np.float32]]
) -> Discriminant | None:
    return fit_to_shares(
        features, [prior_shares(prior, one.shape[1:]) for one, prior in zip(features, priors, strict=True)]
    )
