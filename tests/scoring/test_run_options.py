import pytest

from scoring.formats import Format
from scoring.run_options import ScoreOptions


def test_what_cannot_be_asked_for_is_named_with_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="max_boxes must be at least 1, got 0"):
        ScoreOptions(max_boxes=0)
    with pytest.raises(ValueError, match="formats must be among jsonl, csv, coco, yolo, labelstudio, got 'xml'"):
        ScoreOptions(formats=("csv", "xml"))


def test_formats_may_be_named_by_words() -> None:
    assert ScoreOptions(formats=("csv", Format.COCO)).formats == ("csv", "coco")
