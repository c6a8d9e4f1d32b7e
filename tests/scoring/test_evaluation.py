import csv
import json
from pathlib import Path

import numpy as np
import pytest

from scoring.errors import InputError
from scoring.evaluation import evaluate, read_boxes
from scoring.predictions import DamagedFileError

Corners = tuple[float, float, float, float]


def write_predictions(path: Path, boxes: dict[str, list[Corners]]) -> Path:
    keys = ("x0", "y0", "x1", "y1")
    lines = [{"path": name, "boxes": [dict(zip(keys, box, strict=True)) for box in b]} for name, b in boxes.items()]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def write_boxes(path: Path, boxes: dict[str, list[Corners]]) -> Path:
    with path.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["file", "x0", "y0", "x1", "y1"])
        rows.writerows([name, *box] for name, some in boxes.items() for box in some)
    return path


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    return write_predictions(
        tmp_path / "p.jsonl",
        {
            "a.jpg": [(0, 0, 10, 10), (0, 0, 10, 6)],  # IoU 0.6 with its box; the second box does not count
            "s/b.jpg": [(0, 0, 10, 4)],  # 0.4 with the first of its boxes, 1.0 with the second
            "c.jpg": [],
            "unboxed.jpg": [(0, 0, 1, 1)],
        },
    )


@pytest.fixture
def boxes(tmp_path: Path) -> Path:
    return write_boxes(
        tmp_path / "boxes.csv",
        {
            "a.jpg": [(0, 0, 10, 6)],
            "s/b.jpg": [(0, 0, 10, 10), (0, 0, 10, 4)],
            "c.jpg": [(0, 0, 1, 1)],
            "gone.jpg": [(0, 0, 1, 1)],
        },
    )


def test_scores_by_hand(predictions: Path, boxes: Path) -> None:
    result = evaluate(predictions, boxes)
    assert result.scores.at == {0.3: 50.0, 0.5: 50.0, 0.7: 25.0}
    assert result.scores.mean == pytest.approx(125 / 3)
    assert (result.scores.images, result.scores.missing) == (4, 2)
    assert (result.unpredicted, result.unboxed, result.unknown) == (("gone.jpg",), 1, ())


def test_all_boxes_are_scored_in_the_order_of_score_times_confidence(tmp_path: Path) -> None:
    """Three boxes to find. Ranks: 0.9 x 0.5 hit, 0.5 x 0.8 miss, 0.3 x 0.8 hit: precision 1 at the first third."""
    lines = [
        {"path": "a", "confidence": 0.5, "boxes": [{"x0": 0, "y0": 0, "x1": 9, "y1": 9, "score": 0.9}]},
        {
            "path": "b",
            "confidence": 0.8,
            "boxes": [
                {"x0": 50, "y0": 0, "x1": 59, "y1": 9, "score": 0.5},
                {"x0": 0, "y0": 0, "x1": 9, "y1": 9, "score": 0.3},
            ],
        },
    ]
    (tmp_path / "p").write_text("".join(json.dumps(line) + "\n" for line in lines))
    box = (0.0, 0.0, 9.0, 9.0)
    result = evaluate(tmp_path / "p", write_boxes(tmp_path / "b", {"a": [box], "b": [box, (20.0, 0.0, 29.0, 9.0)]}))
    assert (result.boxes.truth, result.boxes.predicted) == (3, 3)
    assert result.boxes.recall == pytest.approx(200 / 3)
    assert result.boxes.average_precision == pytest.approx(100 * (34 + 33 * 2 / 3) / 101)
    assert result.scores.at[0.5] == 50.0


def test_predictions_without_scores_are_of_one_rank(predictions: Path, boxes: Path) -> None:
    """Hit by a's first box, none by its second; b's box has IoU 1 with its second box, and its first is not found."""
    result = evaluate(predictions, boxes)
    assert (result.boxes.truth, result.boxes.predicted, result.boxes.recall) == (5, 3, 40.0)


@pytest.mark.parametrize("damage", [{"confidence": "high"}, {"confidence": float("nan")}, {"boxes": [{"score": None}]}])
def test_a_score_that_is_no_number_is_named(tmp_path: Path, boxes: Path, damage: dict[str, object]) -> None:
    box = {"x0": 0, "y0": 0, "x1": 9, "y1": 9}
    record = {"path": "a.jpg", "boxes": [box], **damage}
    if "boxes" in damage:
        record["boxes"] = [{**box, "score": None}]
    (tmp_path / "p").write_text(json.dumps(record))
    with pytest.raises(DamagedFileError, match=r"line 1: expected .* to be a finite number"):
        evaluate(tmp_path / "p", boxes)


def test_only_the_files_asked_for(predictions: Path, boxes: Path, tmp_path: Path) -> None:
    (tmp_path / "left.txt").write_text("s/b.jpg\n\nno boxes.jpg\ns/b.jpg\na.jpg\n")
    result = evaluate(predictions, boxes, tmp_path / "left.txt")
    assert result.scores.at == {0.3: 100.0, 0.5: 100.0, 0.7: 50.0}
    assert result.unknown == ("no boxes.jpg",)


def test_agrees_with_a_straightforward_count_on_random_boxes(tmp_path: Path) -> None:
    """The rules of the project's independent scorer: first box, best IoU with any box, a missing one is a miss."""
    random = np.random.default_rng(0)

    def some_boxes(count: int) -> list[Corners]:
        low = random.integers(0, 20, (count, 2))
        return [tuple(map(float, row)) for row in np.hstack([low, low + random.integers(10, 40, (count, 2))])]  # type: ignore[misc]

    truth = {f"{number}.jpg": some_boxes(int(random.integers(1, 4))) for number in range(200)}
    predicted = {name: some_boxes(int(random.integers(0, 3))) for name in truth if random.random() < 0.9}

    def iou(a: Corners, b: Corners) -> float:
        inter = max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
        return inter / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inter)

    best = [max(iou(predicted[n][0], b) for b in boxes) if predicted.get(n) else 0.0 for n, boxes in truth.items()]
    result = evaluate(write_predictions(tmp_path / "p", predicted), write_boxes(tmp_path / "b", truth))
    assert result.scores.at == {t: 100 * sum(value >= t for value in best) / 200 for t in (0.3, 0.5, 0.7)}
    assert 0 < result.scores.at[0.7] < result.scores.at[0.3] < 100


def test_names_that_do_not_match_at_all_are_explained(tmp_path: Path, boxes: Path) -> None:
    predictions = write_predictions(tmp_path / "q.jsonl", {"images/a.jpg": [(0, 0, 10, 10)]})
    with pytest.raises(InputError, match=r"such as 'images/a.jpg'.*such as 'a.jpg'"):
        evaluate(predictions, boxes)


def test_nothing_to_score_is_an_error(tmp_path: Path, predictions: Path, boxes: Path) -> None:
    (tmp_path / "none.txt").write_text("other.jpg\n")
    with pytest.raises(InputError, match="has no boxes of the files named in"):
        evaluate(predictions, boxes, tmp_path / "none.txt")
    with pytest.raises(InputError, match="holds no prediction"):
        evaluate(write_predictions(tmp_path / "empty", {}), boxes)
    with pytest.raises(InputError, match="has no boxes"):
        evaluate(predictions, write_boxes(tmp_path / "empty.csv", {}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "line 1: the header lacks file, x0, y0, x1, y1"),
        ("file,x0,y0,x1\n", "line 1: the header lacks y1"),
        ("file,x0,y0,x1,y1\na,0,0,1,1\nb,0,0,1\n", "line 3: expected numbers"),
        ("file,x0,y0,x1,y1\na,0,0,1,one\n", "line 2: expected numbers"),
        ("file,x0,y0,x1,y1\na,0,0,1,nan\n", "line 2: expected a box"),
        ("file,x0,y0,x1,y1\na,5,0,1,1\n", "line 2: expected a box"),
        ("file,x0,y0,x1,y1\na,0,0,1,0\n", "line 2: expected a box"),
    ],
)
def test_damaged_boxes_are_named_with_their_line(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "boxes.csv"
    path.write_text(content)
    with pytest.raises(DamagedFileError, match=message):
        read_boxes(path)


def test_boxes_out_of_a_spreadsheet(tmp_path: Path) -> None:
    path = tmp_path / "boxes.csv"
    path.write_bytes(b'\xef\xbb\xbfx0,y0,x1,y1,file,note\r\n1,2,3,4,"a, b.jpg",x\r\n')
    assert read_boxes(path) == {"a, b.jpg": [(1.0, 2.0, 3.0, 4.0)]}
