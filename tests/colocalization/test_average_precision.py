"""Average precision by hand, and beside pycocotools."""

import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from colocalization.average_precision import AveragePrecision

SQUARE, OTHER = [0.0, 0.0, 4.0, 4.0], [10.0, 10.0, 14.0, 14.0]


def test_a_right_box_that_is_surest_costs_nothing_of_a_wrong_one_after_it() -> None:
    precision = AveragePrecision()
    precision.add([SQUARE, OTHER], [0.9, 0.1], [SQUARE])
    scores = precision.compute()
    assert (scores.average_precision, scores.recall) == (100.0, 100.0)


def test_a_wrong_box_that_is_surer_halves_the_precision() -> None:
    precision = AveragePrecision()
    precision.add([SQUARE, OTHER], [0.1, 0.9], [SQUARE])
    assert precision.compute().average_precision == pytest.approx(50.0)


def test_boxes_are_ordered_over_all_images() -> None:
    precision = AveragePrecision()
    precision.add([OTHER], [0.9], [SQUARE])
    precision.add([SQUARE], [0.5], [SQUARE])
    # The second box is right: precision 1/2 up to a recall of 1/2, which are 51 of 101 recalls.
    assert precision.compute().average_precision == pytest.approx(100 * 51 / 101 / 2)


def test_a_truth_is_found_once() -> None:
    precision = AveragePrecision()
    precision.add([SQUARE, SQUARE], [0.9, 0.8], [SQUARE, OTHER])
    assert precision.compute().recall == 50.0


def test_images_without_boxes_and_without_truths() -> None:
    precision = AveragePrecision()
    precision.add([], [], [SQUARE])
    precision.add([SQUARE], [0.3], [])
    scores = precision.compute()
    assert (scores.average_precision, scores.recall) == (0.0, 0.0)


def test_nothing_to_find() -> None:
    with pytest.raises(ValueError, match="no ground-truth box was added"):
        AveragePrecision().compute()


@pytest.mark.parametrize("seed", range(6))
def test_pycocotools_counts_the_same(seed: int) -> None:
    random = np.random.default_rng(seed)
    precision = AveragePrecision()
    images: list[dict[str, object]] = []
    truths: list[dict[str, object]] = []
    found: list[dict[str, object]] = []
    for number in range(1, 9):
        # On a grid far apart, so that no predicted box overlaps two of them: where it does COCO may choose another.
        places = random.permutation(9)[: random.integers(0, 7)]
        boxes = np.array(
            [[30 * (p % 3), 30 * (p // 3), 30 * (p % 3) + 20, 30 * (p // 3) + 20] for p in places]
        ).reshape(-1, 4)
        guesses = np.concatenate([boxes + random.uniform(-5, 5, boxes.shape), random.uniform(0, 40, (2, 4))])
        guesses[:, 2:] = np.maximum(guesses[:, 2:], guesses[:, :2] + 1)
        scores = random.permutation(1000)[: len(guesses)] / 1000 + number / 1e5
        precision.add(guesses, list(scores), boxes)
        images.append({"id": number, "width": 100, "height": 100})
        for x0, y0, x1, y1 in boxes.tolist():
            box = {"bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0), "iscrowd": 0, "category_id": 1}
            truths.append({"id": len(truths) + 1, "image_id": number, **box})
        for (x0, y0, x1, y1), score in zip(guesses.tolist(), scores, strict=True):
            bbox = [x0, y0, x1 - x0, y1 - y0]
            found.append({"image_id": number, "category_id": 1, "bbox": bbox, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {"images": images, "annotations": truths, "categories": [{"id": 1, "name": "object"}]}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(found), "bbox")
        evaluation.params.iouThrs = np.array([0.5])
        evaluation.evaluate()
        evaluation.accumulate()
    precisions = evaluation.eval["precision"][0, :, 0, 0, -1]
    assert precision.compute().average_precision == pytest.approx(100 * float(precisions.mean()), abs=1e-6)
