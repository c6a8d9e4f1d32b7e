"""Results in the types of supervision, pandas and matplotlib, and what is said where those are missing."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import supervision as sv
from matplotlib.patches import Rectangle

from colocalization.boxes import Box
from colocalization.errors import ImageError
from colocalization.results import ImageResult, SetResult

HEATMAP = np.array([[0, 1], [0.5, 0]], np.float32)
TWO = ImageResult(40, 20, (Box(0, 0, 4, 4, 0.9), Box(5, 5, 9, 9, 0.4)), 0.8, True, HEATMAP)
NONE = ImageResult(9, 9, (), 0.1, None, None)
FAILED = ImageResult.failed(ImageError("empty_file", "0 bytes"))


def test_detections_of_supervision() -> None:
    detections = TWO.to_supervision("bird")
    assert isinstance(detections, sv.Detections)
    assert detections.xyxy.tolist() == [[0, 0, 4, 4], [5, 5, 9, 9]]
    assert detections.confidence is not None
    assert detections.confidence.tolist() == pytest.approx([0.9, 0.4])
    assert detections.class_id is not None
    assert detections.class_id.tolist() == [0, 0]
    names = detections["class_name"]
    assert isinstance(names, np.ndarray)
    assert names.tolist() == ["bird", "bird"]
    sure = detections[detections.confidence > 0.5]
    assert isinstance(sure, sv.Detections)
    assert sure.xyxy.tolist() == [[0, 0, 4, 4]]
    assert detections.area.tolist() == [16, 16]


def test_a_result_without_boxes_is_empty_detections() -> None:
    assert len(NONE.to_supervision()) == 0
    assert sv.Detections.merge([NONE.to_supervision(), TWO.to_supervision()]).xyxy.shape == (2, 4)


def test_table_of_a_set_has_a_row_a_box_and_one_for_an_image_without() -> None:
    frame = SetResult("common", (TWO, NONE, FAILED)).to_pandas(["a.jpg", "b.jpg", "c.jpg"])
    assert frame["image"].tolist() == ["a.jpg", "a.jpg", "b.jpg", "c.jpg"]
    assert frame.loc[1, ["x0", "y0", "x1", "y1", "score"]].tolist() == [5, 5, 9, 9, 0.4]
    assert frame["x0"].isna().tolist() == [False, False, True, True]
    assert [None if pd.isna(flag) else flag for flag in frame["contains_common_object"]] == [True, True, None, False]
    assert [None if pd.isna(code) else code for code in frame["error"]] == [None, None, None, "empty_file"]
    assert frame.groupby("image")["score"].max()["a.jpg"] == 0.9


def test_tables_of_one_image_and_of_none() -> None:
    assert TWO.to_pandas()["image"].tolist() == [0, 0]
    empty = SetResult("common", ()).to_pandas()
    assert (len(empty), list(empty.columns)) == (0, list(TWO.to_pandas().columns))
    with pytest.raises(ValueError, match="names must be as many as images, 1, got 2"):
        SetResult("common", (TWO,)).to_pandas(["a", "b"])


def test_figure_lies_in_pixels_of_the_original() -> None:
    figure = TWO.to_figure()
    axes = figure.axes[0]
    assert (axes.get_xlim(), axes.get_ylim()) == ((0, 40), (20, 0))
    np.testing.assert_array_equal(np.asarray(axes.images[0].get_array()), HEATMAP)
    drawn = [patch for patch in axes.patches[::2] if isinstance(patch, Rectangle)]
    assert [patch.get_bbox().bounds for patch in drawn] == [(0, 0, 4, 4), (5, 5, 4, 4)]
    assert len(figure.axes) == 2  # with the scale of the heat


def test_figure_over_the_image() -> None:
    grey = np.full((2, 2, 3), 99, np.uint8)
    drawn = np.asarray(TWO.to_figure(grey).axes[0].images[0].get_array())
    assert drawn.shape == (2, 2, 3)
    assert drawn[0, 0].tolist() == [99, 99, 99]  # no heat: the image as it is
    with pytest.raises(ValueError, match="both must have one size"):
        TWO.to_figure(np.zeros((3, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="has no heat map"):
        NONE.to_figure()


@pytest.mark.parametrize(
    ("method", "package"), [("to_supervision", "supervision"), ("to_pandas", "pandas"), ("to_figure", "matplotlib")]
)
def test_a_missing_package_is_named_in_one_line(method: str, package: str) -> None:
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import numpy as np\n"
        "from colocalization import ImageResult\n"
        f"ImageResult(1, 1, (), 0.5, True, np.zeros((1, 1), np.float32)).{method}()"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False).stderr
    assert told.splitlines()[-1] == (
        f"ModuleNotFoundError: {method} needs the package {package!r}; install it with: pip install {package}"
    )
