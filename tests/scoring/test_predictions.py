from dataclasses import replace
from pathlib import Path

import pytest

from colocalization.boxes import Box
from colocalization.errors import ImageError, ImageWarning
from colocalization.results import ImageResult
from scoring.predictions import DamagedFileError, encode_prediction, read_predictions, to_prediction

FOUND = ImageResult(640, 480, (Box(12.0049, 30.506, 400.0, 410.1999, 0.912345),), 0.93, True, None)


def test_a_line_is_what_the_interface_says() -> None:
    assert encode_prediction(to_prediction("birds/a.jpg", FOUND)) == (
        b'{"path": "birds/a.jpg", "width": 640, "height": 480, '
        b'"boxes": [{"x0": 12.0, "y0": 30.51, "x1": 400.0, "y1": 410.2, "score": 0.9123}], '
        b'"confidence": 0.93, "contains_common_object": true, "error": null, "warning": null}\n'
    )


def test_a_failed_image_has_an_error_and_no_box() -> None:
    record = to_prediction("a.jpg", ImageResult.failed(ImageError("truncated", "cut off")))
    assert record["error"] == {"code": "truncated", "message": "cut off"}
    assert (record["boxes"], record["width"], record["contains_common_object"]) == ([], 0, False)


def test_there_is_no_negative_zero() -> None:
    record = to_prediction("a", ImageResult(4, 4, (Box(-0.001, 0, 1, 1, 0.5),), 1.0, True, None))
    assert b'"x0": 0.0,' in encode_prediction(record)


@pytest.mark.parametrize("name", ["größe.jpg", "a\udcff.jpg", 'quo"te\n.jpg'])
def test_any_file_name_survives(tmp_path: Path, name: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(encode_prediction(to_prediction(name, FOUND)))
    assert path.read_bytes().count(b"\n") == 1
    assert [one["path"] for one in read_predictions(path)] == [name]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "Expecting property name"),
        (b"\xff", "utf-8"),
        (b"[]", "expected a JSON object, got list"),
        (b'{"boxes": []}', "expected 'path' to be a string, got None"),
        (b'{"path": "b"}', "expected 'boxes' to be a list, got None"),
        (b'{"path": "b", "boxes": [1]}', "expected a box"),
        (b'{"path": "b", "boxes": [{"x0": 1, "y0": 2, "x1": 3}]}', "expected a box"),
        (b'{"path": "b", "boxes": [{"x0": 1, "y0": 2, "x1": 3, "y1": NaN}]}', "expected a box"),
        (b'{"path": "a", "boxes": []}', "'a' stands in line 1 already"),
    ],
)
def test_a_damaged_line_is_named_with_its_number(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b'{"path": "a", "boxes": []}\n\n' + line + b"\n")
    with pytest.raises(DamagedFileError, match=rf"p\.jsonl, line 3: .*{message}"):
        list(read_predictions(path))


def test_warning_is_told_beside_the_error() -> None:
    warning = ImageWarning("truncated", "the file ends early")
    record = to_prediction("a", replace(FOUND, warning=warning))
    assert (record["error"], record["warning"]) == (None, {"code": "truncated", "message": "the file ends early"})
    assert to_prediction("a", FOUND)["warning"] is None
