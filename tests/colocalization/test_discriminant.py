"""The discriminant against scikit-learn's, and its parts by hand."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from colocalization import discriminant as module
from colocalization.descriptors import descriptors
from colocalization.discriminant import (
    Background,
    ClassStatistics,
    Discriminant,
    fisher_discriminant,
    fit_discriminant,
    fit_to_shares,
    representer_direction,
    starting_maps,
)
from colocalization.maps import min_max, otsu_threshold


def blobs(images: int = 4, channels: int = 6, side: int = 8, seed: int = 0) -> tuple[list[np.ndarray], np.ndarray]:
    """Feature maps with an object of its own direction in the middle, and its (side, side) mask."""
    random = np.random.default_rng(seed)
    mask = np.zeros((side, side), dtype=bool)
    mask[2:6, 3:6] = True
    mean = np.where(mask, np.eye(channels)[0][:, None, None], np.eye(channels)[1][:, None, None])
    return [(mean + 0.4 * random.standard_normal(mean.shape)).astype(np.float32) for _ in range(images)], mask


def noisy_start(mask: np.ndarray, images: int, seed: int = 1) -> list[np.ndarray]:
    """Maps that are right on the whole, in [0, 1]."""
    random = np.random.default_rng(seed)
    maps = [np.clip(0.2 + 0.5 * mask + 0.15 * random.standard_normal(mask.shape), 0, 1) for _ in range(images)]
    return [one.astype(np.float32) for one in maps]


def test_map_is_0_at_the_background_and_1_at_the_foreground() -> None:
    found = Discriminant(np.array([2.0, 0.0], np.float32), background=0.5, foreground=1.5)
    # Unit descriptors have 1, 0.25 and 0 in the first channel: 2, 0.5 and 0 along the direction.
    features = np.array([[[1.0, 0.25, 0.0]], [[0.0, np.sqrt(1 - 0.25**2), 1.0]]])
    np.testing.assert_allclose(found.map(features), [[1.5, 0.0, -0.5]], atol=1e-6)


def test_bounded_map_holds_the_classes_at_its_quarters() -> None:
    found = Discriminant(np.array([2.0, 0.0], np.float32), background=0.5, foreground=1.5)
    features = np.array([[[1.0, 0.25, 0.0]], [[0.0, np.sqrt(1 - 0.25**2), 1.0]]])  # scores 1.5, 0 and -0.5
    np.testing.assert_allclose(found.bounded_map(features), [[1.0, 0.25, 0.0]], atol=1e-6)


class TestRepresenter:
    def test_by_hand(self) -> None:
        # Cells (3, 0) and (0, 1): v = (1.5, 0.5), u = (0.5, 0.5), |v| / |u| = sqrt(5).
        features = [np.array([[[3.0, 0.0]], [[0.0, 1.0]]])]
        expected = np.array([1.5 - np.sqrt(5) / 2, 0.5 - np.sqrt(5) / 2])
        np.testing.assert_allclose(representer_direction(features), expected / np.linalg.norm(expected), rtol=1e-5)

    def test_reads_images_as_one_set_of_cells(self) -> None:
        features = np.random.default_rng(0).standard_normal((5, 4, 6))
        halves = [features[:, :2], features[:, 2:]]
        np.testing.assert_allclose(representer_direction([features]), representer_direction(halves), rtol=1e-5)

    @pytest.mark.parametrize("value", [1.0, 0.1, 0.0])
    def test_alike_features_have_no_direction(self, value: float) -> None:
        assert not representer_direction([np.full((3, 4, 4), value)]).any()


def test_starting_maps_are_the_mean_of_both() -> None:
    features = [np.array([[[3.0, 0.0]], [[0.0, 1.0]]])]
    attention = [np.array([[10.0, 30.0]])]
    # The long feature lies along the direction (1 after min-max), the short one against it (0); attention says 0, 1.
    np.testing.assert_allclose(starting_maps(attention, features)[0], [[0.5, 0.5]], atol=1e-6)


class _Ridge(BaseEstimator):
    """The module's covariance: what it adds to the diagonal is linear, so it may be added to each class."""

    def fit(self, rows: np.ndarray) -> "_Ridge":
        covariance = np.cov(rows, rowvar=False, bias=True)
        variances = np.diag(covariance)
        self.covariance_ = covariance + np.diag(module._SHRINKAGE * variances + module._RIDGE * variances.mean())
        return self


def scikit_direction(rows: np.ndarray, labels: np.ndarray, background: Background) -> np.ndarray:
    priors = None if background == "rest" else [0.5, 0.5]
    model = LinearDiscriminantAnalysis(solver="lsqr", covariance_estimator=_Ridge(), priors=priors)
    return np.asarray(model.fit(rows, labels).coef_[0])


def split(maps: list[np.ndarray], background: Background) -> tuple[np.ndarray, np.ndarray]:
    """Which cells are taken, and which of them are foreground."""
    values = np.concatenate([one.ravel() for one in maps])
    threshold = otsu_threshold(values)
    sure = otsu_threshold(values[values <= threshold]) if background == "sure" else threshold
    taken = (values <= sure) | (values > threshold)
    return taken, values[taken] > threshold


@pytest.mark.parametrize("background", ["rest", "sure"])
@pytest.mark.parametrize("seed", range(4))
def test_fit_equals_scikit_learn(background: Background, seed: int) -> None:
    features, mask = blobs(seed=seed)
    start = noisy_start(mask, len(features), seed + 10)
    found = fit_discriminant(features, start, background=background, rounds=1)
    assert found is not None
    taken, labels = split(start, background)
    assert labels.size < taken.size or background == "rest"  # `sure` leaves doubtful cells out
    rows = np.concatenate([descriptors(one) for one in features])[taken]
    np.testing.assert_allclose(found.direction, scikit_direction(rows, labels, background), rtol=2e-3, atol=1e-4)
    assert found.background == pytest.approx(rows[~labels].mean(axis=0) @ found.direction, rel=1e-4)
    assert found.foreground == pytest.approx(rows[labels].mean(axis=0) @ found.direction, rel=1e-4)


@pytest.mark.parametrize("background", ["rest", "sure"])
def test_without_shrinkage_it_is_the_plain_discriminant(
    background: Background, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHRINKAGE", 0.0)
    monkeypatch.setattr(module, "_RIDGE", 0.0)
    features, mask = blobs()
    start = noisy_start(mask, len(features))
    found = fit_discriminant(features, start, background=background, rounds=1)
    assert found is not None
    taken, labels = split(start, background)
    rows = np.concatenate([descriptors(one) for one in features])[taken].astype(np.float64)
    weight = labels.mean() if background == "rest" else 0.5
    within = weight * np.cov(rows[labels].T, bias=True) + (1 - weight) * np.cov(rows[~labels].T, bias=True)
    expected = np.linalg.inv(within) @ (rows[labels].mean(axis=0) - rows[~labels].mean(axis=0))
    np.testing.assert_allclose(found.direction, expected, rtol=1e-3)


def test_each_round_starts_from_the_map_of_the_last() -> None:
    features, mask = blobs()
    start = noisy_start(mask, len(features))
    first = fit_discriminant(features, start, rounds=1)
    assert first is not None
    mapped = [np.clip((first.map(one) + 0.5) / 2, 0, 1).astype(np.float32) for one in features]
    expected = fit_discriminant(features, mapped, rounds=1)
    found = fit_discriminant(features, start, rounds=2)
    assert expected is not None
    assert found is not None
    assert np.array_equal(found.direction, expected.direction)
    assert (found.background, found.foreground) == (expected.background, expected.foreground)


def test_object_is_found_from_a_poor_start() -> None:
    features, mask = blobs(images=6)
    start = noisy_start(mask, 6)
    before = np.mean([((one > 0.45) == mask).mean() for one in start])
    found = fit_discriminant(features, start)
    assert found is not None
    after = np.mean([((found.map(one) > 0.5) == mask).mean() for one in features])
    assert before < 0.97 < after


def test_order_and_length_of_features_do_not_matter() -> None:
    features, mask = blobs()
    start = noisy_start(mask, len(features))
    first = fit_discriminant(features, start)
    other = fit_discriminant([one * 7 for one in features[::-1]], start[::-1])
    assert first is not None
    assert other is not None
    np.testing.assert_allclose(first.direction, other.direction, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("background", ["rest", "sure"])
@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_set_without_two_classes_has_none(background: Background, level: float) -> None:
    features, _ = blobs(images=2)
    assert fit_discriminant(features, [np.full((8, 8), level, np.float32)] * 2, background=background) is None


def test_features_that_are_alike_have_none() -> None:
    _, mask = blobs()
    assert fit_discriminant([np.ones((6, 8, 8), np.float32)] * 2, noisy_start(mask, 2)) is None


def test_two_images_of_many_channels_can_be_fitted() -> None:
    features, mask = blobs(images=2, channels=300)
    found = fit_discriminant(features, [min_max(mask.astype(np.float32))] * 2)
    assert found is not None
    assert np.isfinite(found.direction).all()


@pytest.mark.parametrize(("features", "start"), [(0, 0), (2, 1), (1, 2)])
def test_as_many_maps_as_features(features: int, start: int) -> None:
    with pytest.raises(ValueError, match=f"at least 1, got {start} and {features}"):
        fit_discriminant([np.ones((2, 3, 3))] * features, [np.ones((3, 3), np.float32)] * start)


def test_rounds_below_one() -> None:
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        fit_discriminant([np.ones((2, 3, 3))], [np.ones((3, 3), np.float32)], rounds=0)


class TestFitToShares:
    """Against scikit-learn on the cells that are clearly inside or outside an outline."""

    @pytest.mark.parametrize("covered", [0.61, 0.9, 1.0])
    def test_direction_and_places_of_the_classes(self, covered: float) -> None:
        features, mask = blobs()
        shares = [np.where(mask, covered, 0.1)] * len(features)
        found = fit_to_shares(features, shares)
        assert found is not None
        rows = np.concatenate([descriptors(one) for one in features])
        labels = np.tile(mask.ravel(), len(features))
        covariances = [np.cov(rows[labels == one].T, bias=True) for one in (False, True)]
        within = np.mean(covariances, axis=0)
        within += np.diag(0.1 * np.diag(within) + 1e-3 * np.diag(within).mean() + 1e-6)
        means = [rows[labels == one].mean(axis=0) for one in (False, True)]
        expected = np.linalg.inv(within) @ (means[1] - means[0])
        np.testing.assert_allclose(found.direction, expected, rtol=1e-3, atol=1e-3 * np.abs(expected).max())
        assert found.background == pytest.approx(means[0] @ expected, rel=1e-3, abs=1e-3)
        assert found.foreground == pytest.approx(means[1] @ expected, rel=1e-3, abs=1e-3)

    def test_edges_belong_to_neither(self) -> None:
        features, mask = blobs()
        shares = [np.where(mask, 1.0, 0.0) for _ in features]
        clear = fit_to_shares(features, shares)
        spoilt = [one.copy() for one in features]
        for one, share in zip(spoilt, shares, strict=True):
            one[:, 0, :] = 1e3 * np.arange(1, 7)[:, None]  # cells that are like nothing else
            share[0, :] = 0.4
        found = fit_to_shares(spoilt, shares)
        without = fit_to_shares([one[:, 1:] for one in features], [one[1:] for one in shares])
        assert found is not None
        assert without is not None
        assert clear is not None
        np.testing.assert_allclose(found.direction, without.direction, rtol=1e-5, atol=1e-6)
        assert not np.allclose(found.direction, clear.direction, rtol=1e-3)

    @pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
    def test_no_two_classes(self, share: float) -> None:
        features, mask = blobs()
        assert fit_to_shares(features, [np.full(mask.shape, share)] * len(features)) is None


def statistics(rows: np.ndarray) -> ClassStatistics:
    found = ClassStatistics(rows.shape[1])
    found.add(rows.astype(np.float32))
    return found


class TestClassStatistics:
    def test_by_hand(self) -> None:
        found = statistics(np.array([[0.0, 2.0], [2.0, 4.0]]))
        assert found.count == 2
        assert found.mean.tolist() == [1, 3]
        assert found.covariance.tolist() == [[1, 1], [1, 1]]
        assert (found.mean.dtype, found.covariance.dtype) == (np.float64, np.float64)

    def test_part_by_part_as_at_once(self) -> None:
        rows = np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32)
        found = ClassStatistics(5)
        for part in np.split(rows, [0, 1, 20]):  # the first is empty
            found.add(part)
        assert found.count == 60
        np.testing.assert_allclose(found.mean, rows.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(found.covariance, np.cov(rows.T, bias=True), atol=1e-5)

    def test_nothing_yet(self) -> None:
        assert ClassStatistics(3).count == 0


class TestFisher:
    low = statistics(np.array([[0.0, 1.0], [0.0, -1.0]]))
    """Mean 0, variance 1 in the second channel alone."""
    high = statistics(np.array([[3.0, 2.0], [1.0, 2.0]]))
    """Mean (2, 2), variance 1 in the first channel alone."""

    @staticmethod
    def ridge(first: float, second: float) -> tuple[float, float]:
        mean = (first + second) / 2
        added = [module._SHRINKAGE * own + module._RIDGE * mean + module._FLOOR for own in (first, second)]
        return first + added[0], second + added[1]

    @pytest.mark.parametrize("weight", [0.0, 0.25, 0.5, 1.0])
    def test_weight_of_the_foregrounds_scatter(self, weight: float) -> None:
        found = fisher_discriminant(self.low, self.high, weight=weight)
        assert found is not None
        across, along = self.ridge(weight, 1 - weight)
        np.testing.assert_allclose(found.direction, [2 / across, 2 / along], rtol=1e-5)
        assert found.background == pytest.approx(0)
        assert found.foreground == pytest.approx(4 / across + 4 / along)

    def test_without_a_weight_the_number_of_cells_decides(self) -> None:
        many = statistics(np.tile([[0.0, 1.0], [0.0, -1.0]], (3, 1)))  # six to two
        found = fisher_discriminant(many, self.high, weight=None)
        expected = fisher_discriminant(self.low, self.high, weight=0.25)
        assert found is not None
        assert expected is not None
        np.testing.assert_allclose(found.direction, expected.direction, rtol=1e-6)

    def test_a_mean_of_its_own_keeps_the_scatter(self) -> None:
        found = fisher_discriminant(self.low, self.high, weight=0.5, mean=np.array([4.0, 0.0]))
        assert found is not None
        across, _ = self.ridge(0.5, 0.5)
        np.testing.assert_allclose(found.direction, [4 / across, 0], atol=1e-6)
        assert (found.background, found.foreground) == (pytest.approx(0), pytest.approx(16 / across))

    def test_the_foregrounds_own_mean_is_what_it_has_without(self) -> None:
        found = fisher_discriminant(self.low, self.high, weight=0.5, mean=self.high.mean)
        plain = fisher_discriminant(self.low, self.high, weight=0.5)
        assert found is not None
        assert plain is not None
        assert np.array_equal(found.direction, plain.direction)
        assert (found.background, found.foreground) == (plain.background, plain.foreground)

    def test_classes_that_are_empty_or_alike(self) -> None:
        empty = ClassStatistics(2)
        assert fisher_discriminant(empty, self.high, weight=0.5) is None
        assert fisher_discriminant(self.low, empty, weight=0.5) is None
        assert fisher_discriminant(self.low, self.low, weight=0.5) is None
        assert fisher_discriminant(self.low, self.high, weight=0.5, mean=self.low.mean) is None
