"""What is given as images and as hints."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from colocalization.hints import HintError, ImageHints
from colocalization.images import ImageSource
from colocalization.sources import check_source, hints_by_index, listed

SOURCES: list[ImageSource] = ["birds/a.jpg", Path("birds/b.jpg"), b"...", np.zeros((2, 2, 3), np.uint8)]
BOX = (1.0, 2.0, 3.0, 4.0)


@pytest.mark.parametrize(
    "single",
    [b"...", "a.jpg", Path("a.jpg"), io.BytesIO(), Image.new("RGB", (2, 2)), np.zeros((2, 2, 3), np.uint8), 5],
)
def test_a_single_source_is_no_set(single: Any) -> None:
    with pytest.raises(TypeError, match=f"sources must be a list.* got a single {type(single).__name__}$"):
        listed(single)


def test_an_array_of_images_is_a_set() -> None:
    assert [one.shape for one in listed(np.zeros((3, 4, 5, 3), np.uint8))] == [(4, 5, 3)] * 3  # type: ignore[union-attr]


def test_what_is_no_source_is_named_with_its_place() -> None:
    for index, source in enumerate([*SOURCES, io.BytesIO(), Image.new("L", (2, 2))]):
        check_source(index, source)
    with pytest.raises(TypeError, match=r"sources\[3\] must be .* got StringIO"):
        check_source(3, io.StringIO())


def test_hints_by_path_and_by_index() -> None:
    hints = {"./birds/a.jpg": BOX, Path("birds/b.jpg"): None, 2: [BOX, (5, 6, 7, 8)], np.int64(3): BOX}
    assert hints_by_index(hints, SOURCES) == {  # type: ignore[arg-type]
        0: ImageHints((BOX,)),
        1: ImageHints(()),
        2: ImageHints((BOX, (5.0, 6.0, 7.0, 8.0))),
        3: ImageHints((BOX,)),
    }


def test_by_path_and_by_index_may_say_more_of_one_image_or_the_same() -> None:
    assert hints_by_index({"birds/a.jpg": BOX, 0: [BOX, (5, 6, 7, 8)]}, SOURCES) == {
        0: ImageHints((BOX, (5.0, 6.0, 7.0, 8.0)))
    }


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ({"c.jpg": BOX}, "'c.jpg:1,2,3,4' is for an image that is not in the set"),
        ({4: BOX}, "the hint for 4 is for no image of the set.* from 0 to 3"),
        ({-1: BOX}, "the hint for -1 is for no image"),
        ({True: BOX}, "the hint for True is for no image"),
        ({0: None, "birds/a.jpg": BOX}, "'birds/a.jpg:1,2,3,4' contradicts another"),
        ({2: (1, 2, 3)}, r"for 'sources\[2\]' must have four numbers"),
        ({2: "1,2,3,4"}, r"must be a box x0,y0,x1,y1, several boxes, or None"),
        ([BOX], "hints must be a mapping"),
    ],
)
def test_a_hint_that_cannot_be_used_is_named(hints: Any, message: str) -> None:
    with pytest.raises(HintError, match=message):
        hints_by_index(hints, SOURCES)
