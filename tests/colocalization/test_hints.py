"""Hints: read from the command line, from files and from Python; checked against the set and its images."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from colocalization.errors import ColocalizeError
from colocalization.hints import Hint, HintError, ImageHints, gather_hints, hints_of, parse_hint, read_hints

HEADER = "file,x0,y0,x1,y1\n"


def read(text: str) -> list[Hint]:
    return read_hints(io.StringIO(text, newline=""), "hints.csv")


def test_an_error_is_one_of_the_projects_own() -> None:
    error = HintError("wrong")
    assert isinstance(error, ColocalizeError)
    assert (error.code, str(error)) == ("hint_error", "wrong")


class TestCommandLine:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a.jpg:1,2,3,4", Hint("a.jpg", (1, 2, 3, 4))),
            ("a.jpg:0, 0 ,2.5,1e2", Hint("a.jpg", (0, 0, 2.5, 100))),
            ("a.jpg:none", Hint("a.jpg", None)),
            ("a.jpg: None ", Hint("a.jpg", None)),
            ("folder/none:none", Hint("folder/none", None)),
            ("C:\\birds\\a.jpg:1,2,3,4", Hint("C:\\birds\\a.jpg", (1, 2, 3, 4))),
            ("s3://bucket/a:b.jpg:none", Hint("s3://bucket/a:b.jpg", None)),
            ("a, b.jpg:1,2,3,4", Hint("a, b.jpg", (1, 2, 3, 4))),
        ],
    )
    def test_forms(self, text: str, expected: Hint) -> None:
        assert parse_hint(text) == expected

    @pytest.mark.parametrize("text", ["", "a.jpg", ":none", ":1,2,3,4"])
    def test_without_a_name_or_what_is_said(self, text: str) -> None:
        with pytest.raises(HintError, match=rf"must be NAME:x0,y0,x1,y1 or NAME:none, got '{text}'"):
            parse_hint(text)

    @pytest.mark.parametrize("corners", ["", "1,2,3", "1,2,3,4,5", "1;2;3;4", "a,b,c,d", "1,,3,4"])
    def test_no_four_numbers(self, corners: str) -> None:
        with pytest.raises(HintError, match=rf"the hint 'a.jpg:{corners}' must have four numbers x0,y0,x1,y1"):
            parse_hint(f"a.jpg:{corners}")

    @pytest.mark.parametrize(
        "corners",
        [
            "3,2,1,4",  # x the wrong way round
            "1,4,3,2",  # y the wrong way round
            "1,2,1,4",  # no width
            "1,2,3,2",  # no height
            "-1,2,3,4",
            "1,-2,3,4",
            "1,2,inf,4",
            "nan,2,3,4",
            "1,2,3,nan",
        ],
    )
    def test_no_box(self, corners: str) -> None:
        with pytest.raises(HintError, match=rf"the hint 'a.jpg:{corners}' must be .* 0 <= x0 < x1 and 0 <= y0 < y1"):
            parse_hint(f"a.jpg:{corners}")

    @given(
        st.text(min_size=1),
        st.none() | st.tuples(*[st.integers(0, 500)] * 2, *[st.integers(501, 99_999)] * 2),
    )
    def test_what_a_hint_is_written_as_is_read_as_the_same(
        self, name: str, box: tuple[float, float, float, float] | None
    ) -> None:
        assert parse_hint(str(Hint(name, box))) == Hint(name, box)


class TestFile:
    def test_a_row_a_box(self) -> None:
        found = read(HEADER + "a.jpg,1,2,3,4\na.jpg,5.5,6,7,8\nb/c.jpg, 0,0 ,1,1\n")
        assert found == [
            Hint("a.jpg", (1, 2, 3, 4)),
            Hint("a.jpg", (5.5, 6, 7, 8)),
            Hint("b/c.jpg", (0, 0, 1, 1)),
        ]

    @pytest.mark.parametrize("corners", [",,,,", ", ,, , "])
    def test_empty_corners_say_that_it_is_not_there(self, corners: str) -> None:
        assert read(HEADER + f"a.jpg{corners}\n") == [Hint("a.jpg", None)]

    @pytest.mark.parametrize(
        "text",
        [
            "\ufeff" + HEADER + "a.jpg,1,2,3,4\n",  # as spreadsheets write it
            (HEADER + "a.jpg,1,2,3,4\n").replace("\n", "\r\n"),
            "\ufeff" + (HEADER + "a.jpg,1,2,3,4\n").replace("\n", "\r\n"),
            "file, x0, y0, x1, y1\na.jpg,1,2,3,4",  # spaces, and no end of the last line
            HEADER + "\n\na.jpg,1,2,3,4\n,,,,\n",  # rows without anything
            '"file","x0","y0","x1","y1"\n"a.jpg","1","2","3","4"\n',
        ],
    )
    def test_as_other_programs_write_it(self, text: str) -> None:
        assert read(text) == [Hint("a.jpg", (1, 2, 3, 4))]

    @pytest.mark.parametrize("name", ["a, b.jpg", 'the "best".jpg', "two\nlines.jpg", " spaced.jpg", "größe.jpg"])
    def test_any_name_in_quotes(self, name: str) -> None:
        quoted = '"' + name.replace('"', '""') + '"'
        assert read(HEADER + f"{quoted},1,2,3,4\n") == [Hint(name, (1, 2, 3, 4))]

    def test_bytes_with_a_byte_order_mark(self) -> None:
        stream = io.TextIOWrapper(io.BytesIO(("\ufeff" + HEADER + "é.jpg,,,,\r\n").encode()), "utf-8", newline="")
        assert read_hints(stream, "hints.csv") == [Hint("é.jpg", None)]

    @pytest.mark.parametrize(
        ("text", "got"),
        [
            ("", ""),
            ("a.jpg,1,2,3,4\n", "a.jpg,1,2,3,4"),
            ("file,x0,y0,x1\n", "file,x0,y0,x1"),
            ("file;x0;y0;x1;y1\n", "file;x0;y0;x1;y1"),
            ("file,x,y,width,height\n", "file,x,y,width,height"),
        ],
    )
    def test_another_header(self, text: str, got: str) -> None:
        with pytest.raises(HintError) as caught:
            read(text)
        assert str(caught.value) == f"'hints.csv' must begin with the line file,x0,y0,x1,y1, got {got!r}"

    @pytest.mark.parametrize(
        ("row", "complaint"),
        [
            ("a.jpg,1,2,3", "must have a file and four corners, got 'a.jpg,1,2,3'"),
            ("a.jpg,1,2,3,4,0.9", "must have a file and four corners, got 'a.jpg,1,2,3,4,0.9'"),
            (",1,2,3,4", "must have a file and four corners, got ',1,2,3,4'"),
            ("a.jpg,1,2,,4", "the hint 'a.jpg,1,2,,4' must have four numbers"),
            ("a.jpg,none,,,", "the hint 'a.jpg,none,,,' must have four numbers"),
            ("a.jpg,3,2,1,4", "the hint 'a.jpg,3,2,1,4' must be x0,y0,x1,y1 with"),
            ("a.jpg,1,2,nan,4", "the hint 'a.jpg,1,2,nan,4' must be x0,y0,x1,y1 with"),
        ],
    )
    def test_a_row_that_is_wrong_is_named_with_its_line(self, row: str, complaint: str) -> None:
        with pytest.raises(HintError) as caught:
            read(HEADER + "good.jpg,1,2,3,4\n\n" + row + "\nmore.jpg,1,2,3,4\n")
        assert str(caught.value).startswith("'hints.csv', line 4")
        assert complaint in str(caught.value)

    @pytest.mark.parametrize("text", [HEADER, HEADER + "\n ,,,,\n"])
    def test_no_hint(self, text: str) -> None:
        with pytest.raises(HintError, match=r"'hints\.csv' holds no hint: one box in one image is enough"):
            read(text)

    @pytest.mark.parametrize("content", [HEADER.encode() + b"\xe9.jpg,1,2,3,4\n", b"\x89PNG\r\n\x1a\n", b"\xff\xfe"])
    def test_no_utf_8(self, content: bytes) -> None:
        stream = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
        with pytest.raises(HintError, match=r"'hints\.csv' cannot be read as a CSV file in UTF-8"):
            read_hints(stream, "hints.csv")

    def test_a_cell_without_an_end(self) -> None:
        with pytest.raises(HintError, match=r"'hints\.csv' cannot be read as a CSV file"):
            read(HEADER + '"' + "a" * 200_000)


class TestGather:
    def test_by_image_in_the_order_first_named(self) -> None:
        hints = [Hint("b", (0, 0, 1, 1)), Hint("a", None), Hint("b", (2, 2, 3, 3))]
        found = gather_hints(hints, ["a", "b", "c"])
        assert list(found.items()) == [("b", ImageHints(((0, 0, 1, 1), (2, 2, 3, 3)))), ("a", ImageHints(()))]

    def test_what_is_said_twice_counts_once(self) -> None:
        hints = [Hint("a", (0, 0, 1, 1)), Hint("b", None)] * 2
        assert gather_hints(hints, ["a", "b"]) == {"a": ImageHints(((0, 0, 1, 1),)), "b": ImageHints(())}

    def test_nothing_said(self) -> None:
        assert gather_hints([], ["a"]) == {}

    @pytest.mark.parametrize("turned", [False, True])
    def test_there_and_not_there(self, turned: bool) -> None:
        hints = [Hint("a", (0, 0, 1, 1)), Hint("a", None)]
        second = "a:0,0,1,1" if turned else "a:none"
        with pytest.raises(HintError, match=f"the hint '{second}' contradicts another, .* opposite of 'a'"):
            gather_hints(hints[::-1] if turned else hints, ["a"])

    @pytest.mark.parametrize("name", ["", "A.jpg", "folder/a.jpg", "a.jpg "])
    def test_an_image_that_is_not_in_the_set(self, name: str) -> None:
        with pytest.raises(HintError, match=f"the hint '{name}:none' is for an image that is not in the set"):
            gather_hints([Hint("a.jpg", None), Hint(name, None)], ["a.jpg", "b.jpg"])


class TestPython:
    @pytest.mark.parametrize(
        ("value", "boxes"),
        [
            (None, [None]),
            ((0, 1, 2, 3), [(0, 1, 2, 3)]),
            ([0, 1, 2, 3], [(0, 1, 2, 3)]),
            (((0, 1, 2, 3),), [(0, 1, 2, 3)]),
            ([(0, 1, 2, 3), [4, 5, 6, 7]], [(0, 1, 2, 3), (4, 5, 6, 7)]),
            (np.array([0, 1, 2, 3]), [(0, 1, 2, 3)]),
            (np.array([[0, 1, 2, 3], [4, 5, 6, 7]], np.float32), [(0, 1, 2, 3), (4, 5, 6, 7)]),
            ((number for number in (0, 1, 2, 3)), [(0, 1, 2, 3)]),
        ],
    )
    def test_forms(self, value: object, boxes: list[object]) -> None:
        found = hints_of({"a": value})
        assert [hint.box for hint in found] == boxes
        assert {hint.image for hint in found} == {"a"}
        assert all(type(corner) is float for hint in found for corner in hint.box or ())

    @pytest.mark.parametrize("value", ["none", "0,1,2,3", b"", 7, True, 1.5])
    def test_something_else(self, value: object) -> None:
        with pytest.raises(HintError, match=r"the hint for 'a' must be a box x0,y0,x1,y1, several boxes, or None, got"):
            hints_of({"a": value})

    @pytest.mark.parametrize("value", [(), (1, 2, 3), (1, 2, 3, 4, 5), [(1, 2, 3, 4), None], [(1, 2, 3, 4), (1, 2)]])
    def test_other_numbers(self, value: object) -> None:
        with pytest.raises(HintError, match=r"the hint for 'a' must have four numbers x0,y0,x1,y1"):
            hints_of({"a": value})

    def test_no_box(self) -> None:
        with pytest.raises(HintError, match=r"the hint for 'a' must be x0,y0,x1,y1 with 0 <= x0 < x1"):
            hints_of({"a": [(1, 2, 3, 4), (5, 6, 5, 8)]})


class TestShares:
    def test_of_both_sides(self) -> None:
        hints = ImageHints(((0, 0, 200, 50), (50, 10, 100, 30)))
        assert hints.shares("a", 200, 50) == ((0, 0, 1, 1), (0.25, 0.2, 0.5, 0.6))

    def test_of_an_image_that_does_not_show_it(self) -> None:
        assert ImageHints(()).shares("a", 200, 50) == ()

    @pytest.mark.parametrize("box", [(0, 0, 201, 50), (0, 0, 200, 50.5), (-1, 0, 5, 5), (300, 60, 400, 70)])
    def test_outside_its_image(self, box: tuple[float, float, float, float]) -> None:
        given = ",".join(f"{corner:g}" for corner in box)
        with pytest.raises(HintError) as caught:
            ImageHints(((0, 0, 1, 1), box)).shares("birds/a.jpg", 200, 50)
        assert str(caught.value) == f"the hint {given} does not lie in 'birds/a.jpg', which is 200 x 50 pixels"


def test_boxes_as_shares_fit_an_image_of_any_size() -> None:
    said = ImageHints(((0.25, 0.5, 0.75, 1.0),), are_shares=True)
    assert said.shares("a", 200, 100) == said.boxes
    assert said.pixels(200, 100) == ((50.0, 50.0, 150.0, 100.0),)
    pixels = ImageHints(((50.0, 50.0, 150.0, 100.0),))
    assert pixels.shares("a", 200, 100) == said.boxes
    assert pixels.pixels(200, 100) == pixels.boxes
    with pytest.raises(HintError, match=r"the hint 0\.25,0,1\.5,1 does not lie in 'a', whose sides are 1"):
        ImageHints(((0.25, 0.0, 1.5, 1.0),), are_shares=True).shares("a", 200, 100)
