"""Better or no better: each of the signs by itself, and what is told of it."""

import json
from dataclasses import replace

import pytest

from colocalization.boxes import Box
from colocalization.results import ImageResult
from training.comparison import Comparison, Judgement, Measured, compare_results, judge, table

BOX = Measured(agreement=0.7, attention=0.6, common=0.65)
GAINS = replace(BOX, agreement=0.8)


def result(*corners: float, score: float = 0.5) -> ImageResult:
    boxes = (Box(corners[0], corners[1], corners[2], corners[3], score),) if corners else ()
    return ImageResult(100, 100, boxes, 1.0, None, None)


def test_measured_by_hand() -> None:
    teacher = [result(0, 0, 10, 10), result(0, 0, 10, 10), result(0, 0, 10, 10)]
    attention = [result(0, 0, 10, 5, score=0.9), result(0, 0, 10, 10, score=0.3), result()]
    common = [result(0, 0, 1, 1, score=0.6), result(score=1.0), result()]
    found = compare_results(teacher, attention, common)
    assert found.agreement == pytest.approx((0.5 + 1 + 0) / 3)
    assert found.attention == pytest.approx(0.4)
    assert found.common == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("box", "trained", "attention", "common"),
    [
        (BOX, GAINS, "better", "better"),
        (BOX, BOX, "no better", "no better"),
        (replace(BOX, common=0.49), GAINS, "no better", "no better"),
        (BOX, replace(GAINS, attention=0.67), "no better", "no better"),
        (replace(BOX, common=0.71), replace(BOX, agreement=0.5), "better", "no better"),
    ],
    ids=["gains", "the same", "teacher not trusted", "too sure", "the set is far ahead of a look"],
)
def test_judgement(box: Measured, trained: Measured, attention: Judgement, common: Judgement) -> None:
    found = judge(40, box, trained)
    assert found.judgements == {"attention": attention, "common": common}
    assert found.better == (attention == "better")


def test_table() -> None:
    lines = table(judge(40, BOX, GAINS))
    assert lines[0] == "compared on 40 images, without a label: one look does more of what the whole set does"
    assert lines[3].split() == ["attention", "60", "%", "60", "%", "0.70", "0.80", "better"]
    assert lines[4].split() == ["common", "65", "%", "65", "%", "better"]


def test_table_where_nothing_was_learnt() -> None:
    nothing = Comparison(3, None, None, "3 images are few", {"attention": "no better", "common": "no better"})
    assert table(nothing) == ["compared on 3 images, without a label: 3 images are few"]
    assert not nothing.better


def test_through_a_file() -> None:
    for one in (judge(40, BOX, GAINS), Comparison(3, None, None, "few", {"attention": "no better"})):
        assert Comparison.from_json(json.loads(json.dumps(one.to_json()))) == one
