import io
import json

from rich.console import Console

from colocalization.advice import advise
from colocalization.boxes import Box
from colocalization.errors import ImageError, ImageWarning
from colocalization.results import ImageResult
from scoring.outputs import Cleared
from scoring.predictions import to_prediction
from scoring.summary import ScoreSummary, summary_table


def test_images_are_counted() -> None:
    summary = ScoreSummary("common")
    box = Box(0, 0, 1, 1, 0.5)
    summary.add(to_prediction("a", ImageResult(4, 4, (box, box), 0.9, True, None)))
    summary.add(to_prediction("b", ImageResult(4, 4, (), 0.1, False, None)))
    for number in range(6):
        summary.add(to_prediction(f"c{number}", ImageResult.failed(ImageError("truncated", "cut off"))))
    assert (summary.images, summary.boxes, summary.with_boxes, summary.with_common_object) == (8, 2, 1, 1)
    early = ImageWarning("truncated", "the file ends early")
    summary.add(to_prediction("d", ImageResult(4, 4, (), 0.1, False, None, warning=early)))
    assert (summary.errors, summary.warnings) == ({"truncated": 6}, {"truncated": 1})
    assert summary.failures == [f"'c{number}': cut off" for number in range(5)]  # the first of them


def test_the_table_shows_rate_errors_and_where_to_look() -> None:
    summary = ScoreSummary("common", images=20, reused=10, seconds=4.0, places=["out/[x]/predictions.jsonl"])
    summary.errors["truncated"] = 2
    summary.warnings["flat"] = 1
    screen = io.StringIO()
    table = summary_table(summary, skipped=3, provider="CUDAExecutionProvider", model="net, int8")
    Console(file=screen, width=100).print(table)
    cells = [[cell.strip() for cell in line.split("│")[1:3]] for line in screen.getvalue().splitlines() if "│" in line]
    for row in (
        *(
            ["model", "net, int8"],
            ["ran on", "CUDA"],
            ["images", "20"],
            ["that failed", "2"],
            ["truncated", "2"],
            ["with a warning", "1"],
            ["flat", "1"],
        ),
        *(["files that are no images", "3"], ["taken over from an earlier run", "10"]),
        *(["time", "4.0 s"], ["images a second", "2.5"], ["written", "out/[x]/predictions.jsonl"]),
    ):
        assert row in cells


def test_the_table_says_how_much_was_removed() -> None:
    def shown(removed: int) -> str:
        screen = io.StringIO()
        summary = ScoreSummary("common", cleared=Cleared(removed))
        Console(file=screen, width=100).print(summary_table(summary, skipped=0, provider="CPU", model="net"))
        return screen.getvalue()

    assert "outdated files removed" not in shown(0)
    assert "│ outdated files removed         │      3 │" in shown(3)


def test_what_to_make_of_the_boxes_is_told_also_of_parts_counted_elsewhere() -> None:
    def result(score: float, *, shown: bool | None) -> ImageResult:
        return ImageResult(4, 4, (Box(0, 0, 1, 1, score), Box(1, 1, 2, 2, 0.1)), 0.9, shown, None)

    parts = [ScoreSummary("common"), ScoreSummary("common")]
    parts[0].add(to_prediction("a", result(0.9, shown=True)))
    parts[0].add(to_prediction("b", result(0.1, shown=False)))
    parts[1].add(to_prediction("c", result(0.6, shown=True)))
    parts[1].add(to_prediction("d", result(1.0, shown=True)))  # drawn by a user
    summary = ScoreSummary("common")
    assert summary.advice is None
    for part in parts:
        summary.add_counts(json.loads(json.dumps(part.counts())))
    assert summary.advice == advise(1.5, 2)
    screen = io.StringIO()
    Console(file=screen, width=120).print(summary_table(summary, skipped=0, provider="CPU", model="net"))
    assert "sure: about 75 % of the boxes are likely right" in screen.getvalue()
