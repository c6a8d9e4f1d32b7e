"""Experiment `background`: does the confidence tell images without the common object?

Background images are mixed into each set, a share of 10, 30 or 50 %. Where there are too few of them for a set, the
set's images are drawn down to keep the share. Measured on the first look, which alone makes the confidence; a test
holds it to what `Localizer.localize` gives.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from colocalization.common_object import sample_indices
from colocalization.localizer import ImageFeatures, Localizer
from colocalization.prior_fitting import fit_first
from experiments.observe import ObservedSet, observe
from experiments.records import Note
from experiments.sets import EvaluationSet
from training.datasets import DatasetImage

__all__ = ["SHARES", "area_under_curve", "confidences", "measure_background"]

SHARES = (0.1, 0.3, 0.5)
"""Shares of background in the mixture."""

_DRAWS = 3
_ALONE = (2, 5, 10, 20, 50, 150)
"""Sizes of sets of background alone."""

_FEW = (2, 5, 10, 20)
"""Sizes of small sets, all of whose images show the object."""

_FEW_DRAWS = 20
"""Draws of sets of at most `_FEW` images: a handful of them says nothing of a share in percent."""

_CUT = 0.5
"""Confidence from which on an image is taken to show the common object."""


def measure_background(
    localizer: Localizer,
    sets: Sequence[EvaluationSet],
    background: Sequence[DatasetImage],
    note: Note,
    *,
    with_prior: Mapping[str, Localizer] | None = None,
) -> dict[str, Any]:
    """Mix background into every set.

    Args:
        localizer: The model; its own settings say how large a sample the common object is estimated from.
        sets: The sets.
        background: Images without the common object.
        note: Is told how it goes.
        with_prior: By group, the model with a prior that has not seen the group; `localizer` alone if left out.

    Returns:
        For each set and share the means over the draws: `auroc`, `false_refusals` and `false_acceptances` (shares in
        percent at the default cut), `agreement`; the refusals without any background; and background alone.

    Raises:
        ImageError: An image cannot be read.
    """
    results: dict[str, Any] = {}
    tried = {members.group: (with_prior or {}).get(members.group, localizer) for members in sets}
    alone: dict[str, list[dict[str, float]]] = {}
    # One model at a time, so that the background goes through each once.
    for own in dict.fromkeys(tried.values()):
        with observe(own, {}, None, background) as clutter:
            for members in (one for one in sets if tried[one.group] is own):
                with observe(own, {}, None, members.images) as shown:
                    results[members.name] = {
                        "group": members.group,
                        "images": len(members.images),
                        "pure": _pure(own, shown),
                        "few": {str(size): _few(own, shown, size) for size in _FEW if size < len(members.images)},
                    }
                    results[members.name]["shares"] = {
                        f"{share:g}": _mixed(own, shown, clutter, share) for share in SHARES
                    }
                note(f"{members.name}: {_told(results[members.name])}")
            for size in (size for size in _ALONE if size <= len(background)):
                alone.setdefault(str(size), []).append(_alone(own, clutter, size))
    accepted = {
        size: {name: round(float(np.mean([one[name] for one in told])), 4) for name in told[0]}
        for size, told in alone.items()
    }
    note("background alone: " + ", ".join(f"of {n} accepted {told['accepted']:.1f} %" for n, told in accepted.items()))
    return {"sets": results, "mean": _means(results), "background_alone": accepted}


def area_under_curve(positive: NDArray[np.float64], negative: NDArray[np.float64]) -> float:
    """Area under the ROC curve: chance that a positive scores above a negative, ties counting half.

    Args:
        positive: (N,) scores, N >= 1.
        negative: (M,) scores, M >= 1.

    Example:
        >>> area_under_curve(np.array([0.9, 0.5]), np.array([0.5, 0.1]))
        0.875
    """
    labels = np.repeat([1, 0], [len(positive), len(negative)])
    return float(roc_auc_score(labels, np.concatenate([positive, negative])))


def confidences(
    features: Sequence[ImageFeatures], limit: int = Localizer.set_sample_size
) -> tuple[NDArray[np.float64], float]:
    """Confidence of each image of a set, as `Localizer` computes it.

    Args:
        features: The set, at least two images; may be read anew from the disk.
        limit: Most images that the common object is estimated from.

    Returns:
        (N,) float64 in [0, 1], and the agreement of the set; zeros where the images have no foreground.
    """
    sample = [features[int(index)] for index in sample_indices(len(features), limit)]
    fitted = fit_first(sample)
    if fitted is None:
        return np.zeros(len(features)), 0.0
    first, _ = fitted
    values = [first.confidence(image.features) for image in (features[index] for index in range(len(features)))]
    return np.asarray(values), first.prototype.agreement


class _Mixture(Sequence[ImageFeatures]):
    """Images of several observed sets as one set."""

    def __init__(self, members: Sequence[tuple[ObservedSet, int]]) -> None:
        self._members = members

    def __len__(self) -> int:
        return len(self._members)

    @overload
    def __getitem__(self, index: int) -> ImageFeatures: ...
    @overload
    def __getitem__(self, index: slice) -> list[ImageFeatures]: ...
    def __getitem__(self, index: int | slice) -> ImageFeatures | list[ImageFeatures]:
        if isinstance(index, slice):
            return [self[position] for position in range(*index.indices(len(self)))]
        observed, own = self._members[index]
        return observed.of(own)


def _told(told: dict[str, Any]) -> str:
    shares = [
        f"{100 * float(share):.0f} %: AUROC {told['auroc']:.3f}, refused {told['false_refusals']:.1f} %, "
        f"accepted {told['false_acceptances']:.1f} %"
        for share, told in told["shares"].items()
    ]
    return "; ".join([f"refused without background {told['pure']['false_refusals']:.1f} %", *shares])


def _pure(localizer: Localizer, shown: ObservedSet) -> dict[str, float]:
    values, agreement = confidences(
        _Mixture([(shown, index) for index in range(len(shown.images))]), localizer.set_sample_size
    )
    return {"false_refusals": _percent(values < _CUT), "agreement": round(agreement, 3)}


def _few(localizer: Localizer, shown: ObservedSet, size: int) -> float:
    """False refusals in sets of a few images of the object, in percent."""
    refused = []
    for draw in range(_FEW_DRAWS):
        chosen = np.random.default_rng([draw, size]).choice(len(shown.images), size, replace=False)
        values, _ = confidences(_Mixture([(shown, int(index)) for index in chosen]), localizer.set_sample_size)
        refused.append(_percent(values < _CUT))
    return round(float(np.mean(refused)), 2)


def _mixed(localizer: Localizer, shown: ObservedSet, clutter: ObservedSet, share: float) -> dict[str, float]:
    draws = []
    for draw in range(_DRAWS):
        random = np.random.default_rng([draw, round(100 * share)])
        wanted = max(1, round(share / (1 - share) * len(shown.images)))
        others = min(wanted, len(clutter.images))
        good = min(len(shown.images), max(1, round(others * (1 - share) / share)))
        members = [(shown, int(index)) for index in random.choice(len(shown.images), good, replace=False)]
        members += [(clutter, int(index)) for index in random.choice(len(clutter.images), others, replace=False)]
        order = random.permutation(len(members))
        values, agreement = confidences(_Mixture([members[index] for index in order]), localizer.set_sample_size)
        positive = order < good
        draws.append(
            {
                "auroc": area_under_curve(values[positive], values[~positive]),
                "false_refusals": _percent(values[positive] < _CUT),
                "false_acceptances": _percent(values[~positive] >= _CUT),
                "agreement": agreement,
                "images": good,
                "background": others,
            }
        )
    return {name: round(float(np.mean([draw[name] for draw in draws])), 4) for name in draws[0]}


def _alone(localizer: Localizer, clutter: ObservedSet, size: int) -> dict[str, float]:
    draws = []
    draws_taken = _FEW_DRAWS if size <= max(_FEW) else _DRAWS
    for draw in range(1 if size == len(clutter.images) else draws_taken):
        random = np.random.default_rng([draw, size])
        chosen = random.choice(len(clutter.images), size, replace=False)
        values, agreement = confidences(
            _Mixture([(clutter, int(index)) for index in chosen]), localizer.set_sample_size
        )
        draws.append({"accepted": _percent(values >= _CUT), "agreement": agreement})
    return {name: round(float(np.mean([draw[name] for draw in draws])), 4) for name in draws[0]}


def _percent(values: NDArray[np.bool_]) -> float:
    return round(100 * float(values.mean()), 2)


def _means(results: dict[str, Any]) -> dict[str, Any]:
    """Mean over the groups, each the mean of its sets."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for result in results.values():
        groups.setdefault(result["group"], []).append(result)

    def mean(value: Callable[[dict[str, Any]], float]) -> float:
        return round(float(np.mean([np.mean([value(result) for result in members]) for members in groups.values()])), 4)

    names = ("auroc", "false_refusals", "false_acceptances", "agreement")
    shares = {
        share: {name: mean(lambda result: result["shares"][share][name]) for name in names}  # noqa: B023
        for share in next(iter(results.values()))["shares"]
    }
    sizes = [size for size in map(str, _FEW) if all(size in result["few"] for result in results.values())]
    return {
        "pure": {"false_refusals": mean(lambda result: result["pure"]["false_refusals"])},
        "few": {size: mean(lambda result: result["few"][size]) for size in sizes},  # noqa: B023
        "shares": shares,
    }
