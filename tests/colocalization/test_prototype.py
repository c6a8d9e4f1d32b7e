"""Which images show the common object, on descriptors that point where the test says."""

import numpy as np
import pytest

from colocalization.discriminant import Discriminant
from colocalization.prototype import fit_prototype

CHANNELS = 8
FOREGROUND = Discriminant(np.ones(CHANNELS, np.float32), background=0.0, foreground=1.0)


def image(direction: list[float] | int) -> np.ndarray:
    """15 cells where nothing is active and one of an object with this descriptor (or of this channel)."""
    features = np.zeros((CHANNELS, 4, 4), np.float32)
    features[:, 1, 2] = np.eye(CHANNELS)[direction] if isinstance(direction, int) else direction
    return features


def mixed(*channels: int) -> list[float]:
    """A descriptor of length 1 over channels in equal shares."""
    return [(len(channels) ** -0.5) * (index in channels) for index in range(CHANNELS)]


def confidences(images: list[np.ndarray]) -> list[float]:
    prototype = fit_prototype(images, FOREGROUND)
    return [prototype.confidence(prototype.similarity(one, FOREGROUND)) for one in images]


def test_the_others_are_told_apart() -> None:
    found = confidences([image(1)] * 5 + [image(2), image(3)])
    assert min(found[:5]) > 0.9
    assert max(found[5:]) < 0.1


def test_similarity_of_equal_images_is_1() -> None:
    images = [image(1)] * 3 + [image(2)]
    prototype = fit_prototype(images, FOREGROUND)
    assert prototype.similarity(images[0], FOREGROUND) == pytest.approx(1.0, abs=1e-3)
    # Three equal shares of a third each; the odd image has none.
    assert prototype.own_weight == pytest.approx(1 / 3, abs=1e-4)
    # The mean cosine is 1; it leans by 1/3 - 1/4.
    assert prototype.agreement == pytest.approx(1.0 - 1.44 / 12, abs=1e-3)


def test_two_of_five_that_are_alike_do_not_make_a_set() -> None:
    """They are all of the prototype, so that their mean cosine says nothing of the others."""
    alike = [image(mixed(1, 2, 3)), image(mixed(1, 4, 5))]
    others = [image(channel) for channel in (6, 7, 0)]
    assert min(confidences([image(1)] * 5)) > 0.9
    assert max(confidences([*alike, *others])) < 0.5


def test_images_with_nothing_in_common() -> None:
    images = [image(channel) for channel in range(1, 8)]
    assert fit_prototype(images, FOREGROUND).agreement < 0.1
    assert max(confidences(images)) < 0.5


def test_two_images_with_nothing_in_common() -> None:
    assert max(confidences([image(1), image(2)])) < 0.5


def test_two_equal_images() -> None:
    assert min(confidences([image(1), image(1)])) > 0.9


def test_no_foreground_at_all() -> None:
    images = [np.zeros((CHANNELS, 4, 4), np.float32)] * 3
    prototype = fit_prototype(images, FOREGROUND)
    assert not prototype.total.any()
    assert prototype.agreement == 0.0
    assert prototype.similarity(images[0], FOREGROUND) == 0.0


def test_an_image_without_foreground_is_not_like_the_others() -> None:
    nothing = np.zeros((CHANNELS, 4, 4), np.float32)
    prototype = fit_prototype([image(1)] * 3 + [nothing], FOREGROUND)
    assert prototype.similarity(nothing, FOREGROUND) == 0.0


@pytest.mark.parametrize(
    "images",
    [
        # One that agrees with two that do not agree with each other: whole power iterations swing here.
        [image(mixed(1, 2)), image(1), image(2)],
        [image(mixed(1, 2)), image(mixed(1, 3)), image(mixed(1, 4)), image(5)],
    ],
)
def test_weights_are_the_leading_eigenvector(images: list[np.ndarray]) -> None:
    prototype = fit_prototype(images, FOREGROUND)
    summaries = np.stack([np.asarray(one[:, 1, 2], np.float64) - prototype.centre for one in images])
    summaries /= np.linalg.norm(summaries, axis=1, keepdims=True)
    affinity = np.maximum(summaries @ summaries.T, 0)
    np.fill_diagonal(affinity, 0)
    weights = np.abs(np.linalg.eigh(affinity)[1][:, -1])
    weights /= weights.sum()
    np.testing.assert_allclose(prototype.total, weights @ summaries, atol=1e-5)
    assert prototype.own_weight == pytest.approx(weights @ weights, abs=1e-5)
    between = sum(
        weights[i] * weights[j] * summaries[i] @ summaries[j]
        for i in range(len(images))
        for j in range(len(images))
        if i != j
    )
    leaning = weights @ weights - 1 / len(images)
    expected = between / (1 - weights @ weights) - 1.44 * leaning
    assert prototype.agreement == pytest.approx(max(0.0, expected), abs=1e-5)


def test_order_does_not_matter() -> None:
    images = [image(mixed(1, channel)) for channel in range(2, 6)] + [image(7)]
    assert confidences(images) == pytest.approx(confidences(images[::-1])[::-1], abs=1e-6)
