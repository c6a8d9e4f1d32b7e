"""Hints of the command line."""

from pathlib import Path

import pytest

from colocalization.errors import ImageError
from colocalization.hints import Hint, HintError, ImageHints
from colocalization.listing import ImageFile
from scoring.errors import InputError
from scoring.hinting import digest_hints, given_hints, hints_for, with_hint

BOX = (1.0, 2.0, 3.0, 4.0)


def test_a_file_and_single_ones_add_up(tmp_path: Path) -> None:
    path = tmp_path / "hints.csv"
    path.write_bytes(b"\xef\xbb\xbffile,x0,y0,x1,y1\r\na.jpg,1,2,3,4\r\nb\xff.jpg,,,,\r\n")
    assert given_hints(path, ["c:d.jpg:1,2,3,4"]) == [
        Hint("a.jpg", BOX),
        Hint("b\udcff.jpg", None),  # a name that is no UTF-8, as Python keeps it
        Hint("c:d.jpg", BOX),
    ]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read '.*gone.csv': No such file"):
        given_hints(tmp_path / "gone.csv", [])
    (tmp_path / "bad.csv").write_text("name,x0,y0,x1,y1\n")
    with pytest.raises(HintError, match=r"bad.csv' must begin with the line file,x0,y0,x1,y1"):
        given_hints(tmp_path / "bad.csv", [])


def test_hints_are_for_images_of_the_set() -> None:
    files = [ImageFile("sub/a.jpg", "/set/sub/a.jpg", 1, 1)]
    assert hints_for(files, [Hint("sub/a.jpg", BOX)]) == {"sub/a.jpg": ImageHints((BOX,))}
    with pytest.raises(HintError, match=r"'a.jpg:1,2,3,4' is for an image that is not in the set"):
        hints_for(files, [Hint("a.jpg", BOX)])


def test_the_digest_tells_what_was_said_and_not_in_which_order() -> None:
    one, none, other = ImageHints((BOX,)), ImageHints(()), ImageHints((BOX, (5.0, 6.0, 7.0, 8.0)))
    assert digest_hints({}) is None
    assert digest_hints({"a": one, "b": none}) == digest_hints({"b": none, "a": one})
    assert digest_hints({"a": other}) == digest_hints({"a": ImageHints(other.boxes[::-1])})
    assert len({digest_hints(said) for said in ({"a": one}, {"b": one}, {"a": none}, {"a": other})}) == 4


def test_the_error_of_a_hinted_image_names_the_hint() -> None:
    error = ImageError("truncated", "it ends early")
    assert with_hint(error, "a.jpg", None) is error
    hinted = with_hint(error, "a.jpg", ImageHints((BOX,)))
    assert (hinted.code, hinted.message) == ("truncated", "it ends early; the hint 'a.jpg:1,2,3,4' is not used")
