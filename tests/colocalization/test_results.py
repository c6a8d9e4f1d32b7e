"""Results of images that could not be read."""

from colocalization.errors import ImageError
from colocalization.results import ImageResult


def test_failed_image() -> None:
    error = ImageError("truncated", "cut")
    result = ImageResult.failed(error)
    assert (result.width, result.height, result.boxes, result.confidence) == (0, 0, (), 0.0)
    assert result.contains_common_object is False
    assert result.heatmap is None
    assert result.error is error
