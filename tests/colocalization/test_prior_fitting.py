"""A set whose surroundings are as common as its thing: what a prior changes, as the model's own or from outside."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from colocalization.engine import NetworkOutput
from colocalization.errors import ObjectError
from colocalization.localizer import Localizer
from colocalization.outside_prior import OutsidePrior
from colocalization.prior_fitting import fit_first_to_prior, fit_second_to_prior
from colocalization.results import SetResult
from tests.colocalization.colour_engine import ColourEngine, painted
from tests.colocalization.saliency import write_saliency
from tests.dummy_engine import METADATA

SIDE = 160
ROAD, CAR = (200, 200, 200), (255, 0, 0)
CARS = [(20 + 10 * index, 30, 60 + 10 * index, 70) for index in range(10)]
"""Where each image has a red thing, above a bright road along three sides."""


def images(count: int = 10) -> list[NDArray[np.uint8]]:
    return [painted(SIDE, ((0, 90, SIDE, SIDE), ROAD), (car, CAR)) for car in CARS[:count]]


@dataclass
class ForegroundEngine(ColourEngine):
    """As a model that has learnt that what is red is foreground."""

    metadata = replace(METADATA, foreground=True)

    def run(self, images: NDArray[np.float32]) -> NetworkOutput:
        """With 0.9 in red cells and 0.1 elsewhere, in between as they are mixed."""
        output = super().run(images)
        redness = output.features[:, 0] - output.features[:, 2]
        shares = np.clip(redness / max(float(redness.max()), 1e-6), 0, 1)
        return replace(output, foreground=(0.1 + 0.8 * shares).astype(np.float32))


def right(result: SetResult) -> int:
    """How many boxes are of the red thing, to about half a cell of 20 pixels."""
    return sum(
        bool(image.boxes) and bool(np.abs(image.boxes_array[0] - car).max() < 12)
        for image, car in zip(result.images, CARS, strict=False)
    )


@pytest.mark.parametrize("count", [3, 10])
def test_a_prior_leads_where_the_set_sees_its_surroundings(count: int) -> None:
    without, led = Localizer(ColourEngine()), Localizer(ForegroundEngine())
    assert right(without.localize(images(count))) == 0
    assert right(led.localize(images(count))) == count
    assert led.fit(images(count)).prior == "leads"
    assert without.fit(images(count)).prior is None


def test_it_joins_a_set_that_sees_the_thing_itself() -> None:
    things = [painted(SIDE, (car, CAR)) for car in CARS]
    assert Localizer(ForegroundEngine()).fit(things).prior == "joins"


def test_alone_an_image_is_boxed_by_it() -> None:
    (found,) = Localizer(ForegroundEngine()).localize(images(1)).images
    np.testing.assert_allclose(found.boxes_array[0], CARS[0], atol=12)
    assert found.contains_common_object is None


def test_a_prior_without_two_classes_fits_nothing() -> None:
    features, flat = [np.random.default_rng(0).normal(size=(4, 8, 8))] * 2, [np.full((8, 8), 0.9, np.float32)] * 2
    assert fit_first_to_prior(features, flat) is None
    assert fit_second_to_prior(features, flat) is None


class TestFromOutside:
    @pytest.fixture
    def prior(self, tmp_path: Path) -> OutsidePrior:
        return OutsidePrior(write_saliency(tmp_path / "u2net.onnx"), device="cpu")

    def test_it_takes_the_place_of_the_models_own(self, prior: OutsidePrior) -> None:
        # This one sees the bright road, which the model's own does not.
        (found,) = Localizer(ForegroundEngine(), prior=prior).localize(images(1)).images
        np.testing.assert_allclose(found.boxes_array[0], (0, 90, SIDE, SIDE), atol=20)

    def test_objects_say_which_took_part_and_are_of_no_other(self, prior: OutsidePrior, tmp_path: Path) -> None:
        with_prior, without = Localizer(ForegroundEngine(), prior=prior), Localizer(ForegroundEngine())
        common = with_prior.fit(images())
        assert common.origin is not None
        assert (common.origin.prior, common.origin.prior_sha256) == ("u2net", prior.sha256)
        common.save(tmp_path / "cars.npz")
        loaded = type(common).load(tmp_path / "cars.npz")
        assert with_prior.localize(images(1), common=loaded).mode == "common"
        with pytest.raises(ObjectError, match="fitted with the prior 'u2net', and there is none here"):
            without.localize(images(1), common=loaded)
        with pytest.raises(ObjectError, match="fitted without a prior from outside, and this one is 'u2net'"):
            with_prior.localize(images(1), common=without.fit(images()))

    def test_it_stays_when_the_engine_is_changed(self, prior: OutsidePrior) -> None:
        assert Localizer(ColourEngine(), prior=prior).with_engine(ForegroundEngine()).prior is prior

    def test_it_is_loaded_by_name(self, tmp_path: Path) -> None:
        path = write_saliency(tmp_path / "mine.onnx")
        loaded = Localizer.load(prior=path, prior_kind="isnet", device="cpu", threads=1).prior
        assert loaded is not None
        assert (loaded.name, loaded.kind) == ("mine", "isnet")
        with pytest.raises(ValueError, match="prior_kind is 'u2net', and there is no prior"):
            Localizer.load(prior_kind="u2net", device="cpu")
