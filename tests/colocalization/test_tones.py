"""From samples of any depth to 8 bits."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from colocalization.images import decode
from tests.colocalization.sample_images import encoded

NODATA_TAG = 42113


def float_tiff(values: NDArray[np.generic], nodata: str | None = None) -> bytes:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if nodata is not None:
        tags[NODATA_TAG] = nodata
    return encoded(Image.fromarray(values), "TIFF", tiffinfo=tags)


def shown(values: NDArray[np.generic], nodata: str | None = None) -> NDArray[np.uint8]:
    return decode(float_tiff(values, nodata)).rgb[..., 0]


def map_with_rim(rim: float, dtype: str = "float32") -> NDArray[np.generic]:
    """A ramp from 100 to 355 with a rim of a value around it."""
    values = np.full((20, 276), rim, dtype)
    values[5:15, 10:266] = np.arange(100, 356)
    return values


class TestNodata:
    @pytest.mark.parametrize("rim", [-3.4028234663852886e38, -9999.0, -32768.0, 1e20, np.nan, -np.inf, np.inf])
    @pytest.mark.parametrize("is_tagged", [False, True])
    def test_rim_leaves_the_range_to_the_rest(self, rim: float, is_tagged: bool) -> None:
        found = shown(map_with_rim(rim), repr(rim) if is_tagged else None)
        assert found[5:15, 10:266].tolist() == [list(range(256))] * 10

    @pytest.mark.parametrize("text", ["-3.40282346638529e+38", "-3.4028234663852886e+38 ", "-3.40282e+38"])
    def test_tag_is_text_of_some_precision(self, text: str) -> None:
        assert shown(map_with_rim(-3.4028234663852886e38), text)[7, 10:266].tolist() == list(range(256))

    def test_value_within_the_range_does_not_count_where_it_is_tagged(self) -> None:
        values = np.array([[0.0, 10.0, 20.0, 30.0]], np.float32)
        assert shown(values, "0").tolist() == [[0, 0, 128, 255]]
        assert shown(values).tolist() == [[0, 85, 170, 255]]

    def test_signed_integers(self) -> None:
        values = map_with_rim(-9999, "int32")
        assert shown(values)[7, 10:266].tolist() == np.round(np.arange(100, 356) * 255 / 1023).tolist()

    def test_unsigned_16_bits_where_it_is_tagged(self) -> None:
        values = np.array([[0, 2048, 4095, 65535]], np.uint16)
        assert shown(values, "65535").tolist() == [[0, 128, 255, 0]]
        assert shown(values).tolist() == [[0, 8, 16, 255]]  # all of 16 bits, exactly

    def test_hot_pixel(self) -> None:
        values = np.linspace(0, 1, 256, dtype=np.float32)[None].repeat(4, axis=0)
        values[0, 0] = 1e6
        assert shown(values)[1].tolist() == list(range(256))

    def test_two_values_are_an_image_of_two_values(self) -> None:
        assert shown(np.array([[0.0, 1000.0, 0.0]], np.float32)).tolist() == [[0, 255, 0]]


class TestFlat:
    @pytest.mark.parametrize(
        ("values", "nodata", "message"),
        [
            ([[5.0, 5.0]], None, "the image has no contrast: every pixel that counts has the value 5"),
            ([[5.0, -9999.0]], "-9999", "the image has no contrast: every pixel that counts has the value 5"),
            ([[np.nan, np.inf]], None, "the image has no contrast: no pixel has a value"),
            ([[7.0, 7.0]], "7", "the image has no contrast: no pixel has a value"),
        ],
    )
    def test_it_is_said(self, values: list[list[float]], nodata: str | None, message: str) -> None:
        warning = decode(float_tiff(np.array(values, np.float32), nodata)).warning
        assert warning is not None
        assert (warning.code, warning.message) == ("flat", message)

    def test_black_16_bits_are_no_image_either(self) -> None:
        assert decode(encoded(Image.fromarray(np.zeros((2, 2), np.uint16)))).rgb.max() == 0


def test_large_images_are_converted_in_parts() -> None:
    values = np.linspace(-1, 1, 1_500 * 1_000, dtype=np.float32).reshape(1_500, 1_000)
    found = decode(float_tiff(values)).rgb
    assert (found[0, 0, 0], found[-1, -1, 0]) == (0, 255)
    assert np.all(np.diff(found[:, 300, 0].astype(int)) >= 0)


def test_no_copy_of_a_large_image_in_double_precision() -> None:
    import tracemalloc

    content = float_tiff(np.zeros((2_000, 2_000), np.float32) + np.arange(2_000, dtype=np.float32))
    tracemalloc.start()
    decode(io.BytesIO(content))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * 4 * 2_000 * 2_000  # in double precision it is 2 with nothing else
