"""Each peer beside a straightforward implementation, on arrays made by hand."""

import numpy as np
import pytest
from matplotlib import colormaps
from skimage.measure import label, regionprops

from colocalization.maps import upsample
from experiments.peers import FEATURE_PEERS, TRIVIAL_PEERS, Observation
from experiments.peers.base import component_box, cut_box
from experiments.peers.ddt import DescriptorTransform, principal_direction
from experiments.peers.lost import LostPeer, seed_and_scores
from experiments.peers.mean import ChannelMean, grey_jet, psynet_box
from experiments.peers.norm_representer import NormRepresenter
from experiments.peers.representer import Representer, set_direction
from experiments.peers.scda import SelectedDescriptors
from experiments.peers.token_cut import TokenCutPeer, second_eigenvector

CHANNELS, CELLS = 6, 8


def observation(seed: int, place: tuple[int, int] = (2, 3)) -> Observation:
    """An object of 3 x 4 cells whose features are long, before a background that points another way, with noise."""
    random = np.random.default_rng(seed)
    features = random.normal(0, 0.1, (CHANNELS, CELLS, CELLS)).astype(np.float32)
    row, column = place
    features[2] += 1
    features[0, row : row + 3, column : column + 4] += 3
    features[1, row : row + 3, column : column + 4] += 2
    head = np.maximum(features, 0).mean(axis=0)
    return Observation(160, 80, features, head)


SET = [observation(0), observation(1, (0, 0)), observation(2, (5, 4)), observation(3, (1, 2))]
OBJECT = (60.0, 20.0, 140.0, 50.0)
"""The object of the first image: 20 x 10 pixels a cell."""


@pytest.mark.parametrize("name", list(FEATURE_PEERS))
def test_every_peer_finds_an_object_that_stands_out(name: str) -> None:
    box = FEATURE_PEERS[name].fit(SET)(SET[0]).box
    assert box == pytest.approx(OBJECT, abs=20)  # a cell across


def test_trivial_boxes() -> None:
    boxes: dict[str, object] = {name: peer.fit(SET)(SET[0]).box for name, peer in TRIVIAL_PEERS.items()}
    assert boxes["whole image"] == (0, 0, 160, 80)
    assert boxes["centred box"] == pytest.approx((24, 12, 136, 68))


def rows() -> np.ndarray:
    return np.concatenate([seen.features.reshape(CHANNELS, -1).T for seen in SET]).astype(np.float64)


def test_ddt_is_the_first_principal_component() -> None:
    descriptors = rows()
    mean, direction = principal_direction(SET)
    _, _, components = np.linalg.svd(descriptors - descriptors.mean(axis=0), full_matrices=False)
    assert mean == pytest.approx(descriptors.mean(axis=0))
    assert abs(direction @ components[0]) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_ddt_points_to_the_longer_descriptors(sign: int) -> None:
    turned = [Observation(seen.width, seen.height, sign * seen.features, seen.head) for seen in SET]
    box = DescriptorTransform().fit(turned)(turned[0]).box
    assert box == pytest.approx(OBJECT, abs=12)


def test_ddt_map_is_the_position_along_the_component() -> None:
    descriptors = rows()
    found = DescriptorTransform().fit(SET)(SET[2])
    mean, direction = principal_direction(SET)
    expected = [(descriptors[2 * CELLS * CELLS + cell] - mean) @ direction for cell in range(CELLS * CELLS)]
    assert found.heatmap is not None
    assert found.heatmap.ravel() == pytest.approx(expected, abs=1e-4)


def test_representer_by_its_equation() -> None:
    descriptors = rows()
    unit = descriptors / np.linalg.norm(descriptors, axis=1, keepdims=True)
    v, u = descriptors.mean(axis=0), unit.mean(axis=0)
    w = v - u * np.linalg.norm(v) / np.linalg.norm(u)
    w /= np.linalg.norm(w)
    assert set_direction(SET) == pytest.approx(w, abs=1e-5)
    heatmap = np.maximum(unit[: CELLS * CELLS] @ w, 0).reshape(CELLS, CELLS)
    found = Representer().fit(SET)(SET[0]).heatmap
    assert found is not None
    assert found == pytest.approx((heatmap - heatmap.min()) / np.ptp(heatmap), abs=1e-5)


def test_norm_and_representer_are_cut_once_for_the_set() -> None:
    """An image without the object has no cell above the cut that the others set."""
    random = np.random.default_rng(9)
    flat = random.normal(0, 0.01, (CHANNELS, CELLS, CELLS)).astype(np.float32)
    flat[2] += 1  # as long everywhere, and another way
    find = NormRepresenter().fit(SET)
    blank = np.zeros((CHANNELS, CELLS, CELLS), np.float32)
    assert find(Observation(160, 80, blank, blank[0])).box is None
    heatmap = find(SET[0]).heatmap
    norm = np.linalg.norm(SET[0].features, axis=0)
    alone = Representer().fit(SET)(SET[0]).heatmap
    assert heatmap is not None
    assert alone is not None
    assert heatmap == pytest.approx(((norm - norm.min()) / np.ptp(norm) + alone) / 2, abs=1e-5)


def test_scda_cuts_at_the_mean() -> None:
    """As scikit-image labels and measures it."""
    seen = SET[1]
    mask = upsample(seen.head, seen.width, seen.height) > seen.head.mean()
    largest = max(regionprops(label(mask, connectivity=2)), key=lambda region: region.area)
    y0, x0, y1, x1 = largest.bbox
    assert SelectedDescriptors().fit(SET)(seen).box == (x0, y0, x1, y1)


def test_grey_jet_is_matplotlibs_with_the_weights_of_bt601() -> None:
    values = np.linspace(0, 1, 777)
    colours = (colormaps["jet"](values)[:, :3].astype(np.float32) * 255).astype(np.uint8)
    expected = colours @ np.array([0.299, 0.587, 0.114])
    assert np.abs(grey_jet(values) - expected).max() <= 0.51


def test_psynet_cuts_at_about_0_15() -> None:
    """A ramp from left to right: the box begins where it reaches the cut, and ends where jet turns dark red."""
    ramp = np.tile(np.linspace(0, 1, 28, dtype=np.float32), (28, 1))
    box = psynet_box(ramp, 448)
    assert box is not None
    # Cells' centres are 16 pixels apart, the first at 8.
    first, last = ((edge - 8) / 16 / 27 for edge in (box[0], box[2]))
    assert first == pytest.approx(0.152, abs=0.005)
    assert last == pytest.approx(0.981, abs=0.005)
    assert box[1::2] == (0, 448)


def test_psynet_takes_the_contour_of_largest_area_with_its_hole() -> None:
    """The hottest pixels are dark red, below the cut; the box does not mind."""
    heatmap = np.zeros((28, 28), np.float32)
    heatmap[2:6, 2:6] = 0.5
    heatmap[10:24, 10:22] = 1
    assert psynet_box(heatmap, 448) == pytest.approx((160, 160, 352, 384), abs=16)


def test_psynet_finds_no_contour_in_a_constant_map() -> None:
    assert psynet_box(np.ones((14, 14), np.float32), 224) is None


def test_psynets_box_is_in_pixels_of_the_image() -> None:
    box = ChannelMean().fit(SET)(SET[0]).box
    assert box is not None
    assert 0 <= box[0] < box[2] <= 160
    assert 0 <= box[1] < box[3] <= 80


def test_nothing_above_the_cut_is_no_box() -> None:
    assert cut_box(np.zeros((4, 4), np.float32), 0.0, 10, 10) is None


class TestTokens:
    """A 4 x 4 grid of 40 x 20 pixels, 2 x 2 cells of it the object, and one cell in a corner that is like it."""

    @staticmethod
    def seen() -> Observation:
        features = np.empty((2, 4, 4), np.float32)
        features[:] = np.array([1.0, 1.0], np.float32)[:, None, None]
        things = np.array([-1.0, 0.5], np.float32)
        features[:, 1:3, 1:3] = things[:, None, None]  # inner product with the background: -0.5
        features[:, 3, 0] = things
        return Observation(40, 20, features, np.zeros((0, 0), np.float32))

    def test_lost_seeds_where_the_fewest_are_alike(self) -> None:
        seed, scores = seed_and_scores(self.seen().features)
        assert seed == 5  # the first of the five cells that are like five; the others are like eleven
        # All five join the seed: 5 x 1.25 on the object, 5 x -0.5 elsewhere.
        assert scores[1, 1] == pytest.approx(6.25)
        assert scores[0, 0] == pytest.approx(-2.5)
        assert LostPeer().fit([])(self.seen()).box == (10, 5, 30, 15)

    def test_token_cut_splits_two_parts_without_an_edge_between_them(self) -> None:
        vector = second_eigenvector(self.seen().features)
        mask = np.zeros((4, 4), bool)
        mask[1:3, 1:3] = mask[3, 0] = True
        # Orthogonal by the degrees, 5 of five cells and 11 of eleven: five entries a, eleven b, 25 a = -121 b.
        assert vector[mask] == pytest.approx(vector[1, 1])
        assert vector[~mask] == pytest.approx(vector[0, 0])
        assert vector[1, 1] / vector[0, 0] == pytest.approx(-121 / 25, rel=1e-3)
        assert TokenCutPeer().fit([])(self.seen()).box == (10, 5, 30, 15)

    def test_box_of_the_component_of_a_cell(self) -> None:
        mask = np.eye(3, dtype=bool)  # corners touch: no neighbours by sides
        assert component_box(mask, 4, 30, 60) == (10, 20, 20, 40)
        assert component_box(mask, 1, 30, 60) is None
