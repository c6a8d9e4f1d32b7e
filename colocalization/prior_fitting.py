"""Both looks where a prior of the foreground leads: fitted to what it sees in the images of the set."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from colocalization.common_object import FirstLook, SecondLook
from colocalization.discriminant import Discriminant, fit_to_shares
from colocalization.prior_role import prior_shares
from colocalization.prototype import fit_prototype

__all__ = ["fit_first_to_prior", "fit_second_to_prior"]


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
