"""Average precision by hand, and against pycocotools."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from colocalization.average_precision import AveragePrecision

Corners = list[float]

BOX: Corners = [0, 0, 10, 10]
FAR: Corners = [20, 20, 30, 30]


def test_precision_is_read_off_at_101_recalls() -> None:
    """Hit, miss, hit of two boxes: precision 1 up to recall 0.5 (51 of the recalls), 2/3 above (50 of them)."""
    precision = AveragePrecision()
    precision.add([BOX, [50.0, 50.0, 60.0, 60.0], FAR], [0.9, 0.8, 0.7], [BOX, FAR])
    result = precision.compute()
    assert result.average_precision == pytest.approx(100 * (51 * 1 + 50 * 2 / 3) / 101)
    assert (result.recall, result.truth, result.predicted) == (100.0, 2, 3)


def test_scores_order_boxes_over_all_images() -> None:
    """The miss in one image comes before the hit in the other: precision 1/2 at every recall."""
    precision = AveragePrecision()
    precision.add([BOX], [0.5], [BOX])
    precision.add([FAR], [0.6], np.zeros((0, 4)))
    assert precision.compute().average_precision == pytest.approx(50.0)


def test_a_box_found_twice_counts_once() -> None:
    precision = AveragePrecision()
    precision.add([BOX, BOX], [0.9, 0.8], [BOX])
    assert precision.compute().average_precision == pytest.approx(100.0)
    precision.add([BOX, BOX], [0.95, 0.94], [BOX])  # hit, miss, hit, miss
    assert precision.compute().average_precision == pytest.approx(100 * (51 + 50 * 2 / 3) / 101)


def test_a_box_takes_the_free_one_that_it_overlaps_most() -> None:
    """Both predicted boxes overlap the first most; the worse one is left with the second, of IoU 0.6."""
    precision = AveragePrecision()
    precision.add([BOX, [0.0, 0.0, 10.0, 8.0]], [0.9, 0.8], [BOX, [0.0, 2.0, 10.0, 10.0]])
    assert precision.compute().recall == 100.0


@pytest.mark.parametrize(("side", "right"), [(5, True), (4.99, False)])
def test_an_overlap_of_exactly_the_threshold_counts(side: float, right: bool) -> None:
    precision = AveragePrecision()
    precision.add([[0, 0, 10, side]], [0.9], [BOX])
    assert precision.compute().recall == 100.0 * right


def test_nothing_predicted_and_nothing_to_find() -> None:
    precision = AveragePrecision()
    with pytest.raises(ValueError, match="no ground-truth box was added"):
        precision.compute()
    precision.add([], [], [BOX])
    assert (precision.compute().average_precision, precision.compute().recall) == (0.0, 0.0)


def test_scores_must_be_as_many_as_boxes() -> None:
    with pytest.raises(ValueError, match=r"a score for each of 1 boxes, got scores of shape \(2,\)"):
        AveragePrecision().add([BOX], [0.1, 0.2], [BOX])


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_pycocotools(seed: int) -> None:
    random = np.random.default_rng(seed)
    precision = AveragePrecision()
    annotations: list[dict[str, object]] = []
    detections: list[dict[str, object]] = []
    for image in range(1, 41):
        low = random.integers(0, 60, (random.integers(0, 8), 2))
        truth = np.hstack([low, low + random.integers(8, 40, low.shape)]).astype(float)
        near = truth + random.uniform(-3, 3, truth.shape) if random.random() < 0.9 else truth[:0]
        near = np.vstack([near, near[: len(near) // 2] + 1, random.integers(0, 30, (2, 4)) + np.array([0, 0, 40, 40])])
        scores = random.random(len(near)).round(2)  # with scores that are equal
        precision.add(near, scores, truth)
        for boxes, records in ((truth, annotations), (near, detections)):
            for x0, y0, x1, y1 in boxes:
                box = [x0, y0, x1 - x0, y1 - y0]
                records.append({"id": len(records) + 1, "image_id": image, "category_id": 1, "bbox": box})
                records[-1].update({"area": box[2] * box[3], "iscrowd": 0})
        for record, score in zip(detections[-len(near) :], scores, strict=True):
            record["score"] = float(score)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(1, 41)],
            "annotations": annotations,
            "categories": [{"id": 1}],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(detections), "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.params.maxDets = [1000]
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.evaluate()
        evaluation.accumulate()
    result = precision.compute()
    assert 0 < result.average_precision < 100
    assert result.average_precision == pytest.approx(100 * evaluation.eval["precision"].mean(), abs=1e-9)
    assert result.recall == pytest.approx(100 * float(evaluation.eval["recall"].squeeze()), abs=1e-9)
