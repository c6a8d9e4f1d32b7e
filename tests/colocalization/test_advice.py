"""What is said of a set's boxes."""

import pytest

from colocalization.advice import advise, counts_for_advice
from colocalization.boxes import Box
from colocalization.errors import ImageError
from colocalization.results import ImageResult, Scale, SetResult


@pytest.mark.parametrize(
    ("total", "count", "verdict", "share"),
    [(3.0, 4, "sure", "75 %"), (2.98, 4, "check", "74 %"), (2.0, 4, "check", "50 %"), (0.4, 4, "hint", "10 %")],
)
def test_verdict_by_the_mean(total: float, count: int, verdict: str, share: str) -> None:
    advice = advise(total, count)
    assert advice is not None
    assert (advice.verdict, advice.right) == (verdict, total / count)
    assert share in advice.text


def test_nothing_is_said_of_nothing() -> None:
    assert advise(0.0, 0) is None
    assert SetResult("common", (ImageResult.failed(ImageError("empty_file", "the file has 0 bytes")),)).advice is None


def test_who_has_given_a_hint_is_not_told_to_give_one() -> None:
    first, further = advise(0.1, 1), advise(0.1, 1, hinted=True)
    assert first is not None
    assert further is not None
    assert "one box" in first.text
    assert "more boxes" in further.text


def test_more_effort_is_named_where_it_can_help() -> None:
    few, finer, drawn = advise(0.1, 1), advise(0.1, 1, finer=True), advise(0.1, 1, hinted=True)
    assert ["thorough" in one.text for one in (few, finer, drawn) if one is not None] == [True, False, False]


def test_boxes_drawn_by_hand_and_those_of_images_without_the_object_do_not_count() -> None:
    assert counts_for_advice(0.9, shown=True)
    assert counts_for_advice(0.9, shown=None)
    assert not counts_for_advice(0.9, shown=False)
    assert not counts_for_advice(1.0, shown=True)


def test_advice_of_results() -> None:
    def result(score: float, *, shown: bool | None = True) -> ImageResult:
        return ImageResult(9, 9, (Box(0, 0, 4, 4, score), Box(5, 5, 9, 9, 0.1)), 0.8, shown, None)

    results = (result(0.9), result(0.7), result(0.0, shown=False), ImageResult(9, 9, (), 0.0, True, None))
    assert SetResult("common", results).advice == advise(1.6, 2)
    assert SetResult("common", (*results, result(1.0))).advice == advise(1.6, 2, hinted=True)
    poor = (result(0.1), result(0.2))
    assert SetResult("common", poor, Scale(1, None, "one look")).advice == advise(0.1 + 0.2, 2, finer=True)
