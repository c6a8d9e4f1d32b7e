import pytest

from colocalization.hints import ImageHints
from scoring.formats import Format
from scoring.run_options import ScoreOptions
from tests.colocalization import objects


def test_what_cannot_be_asked_for_is_named_with_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="max_boxes must be at least 1, or 0 for all, got -1"):
        ScoreOptions(max_boxes=-1)
    hints = {"a.jpg": ImageHints(())}
    with pytest.raises(ValueError, match="mode 'attention' uses neither hints nor a common object"):
        ScoreOptions(mode="attention", hints=hints)
    with pytest.raises(ValueError, match="mode 'attention' uses neither hints nor a common object"):
        ScoreOptions(mode="attention", common=objects.PLAIN)
    with pytest.raises(ValueError, match="give hints or a common object, not both"):
        ScoreOptions(hints=hints, common=objects.PLAIN)
    with pytest.raises(
        ValueError, match="formats must be among jsonl, csv, coco, yolo, labelstudio, parquet, got 'xml'"
    ):
        ScoreOptions(formats=("csv", "xml"))


def test_formats_may_be_named_by_words() -> None:
    assert ScoreOptions(formats=("csv", Format.COCO)).formats == ("csv", "coco")
