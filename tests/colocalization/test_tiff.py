"""What the directories of a TIFF may cost."""

import io
import struct
import time

import pytest
from PIL import Image

from colocalization.errors import ImageError
from colocalization.images import ImageLimits, decode
from colocalization.tiff import MAX_VALUES, check_directories
from tests.colocalization.sample_images import corners, encoded, tiff

LONG, RATIONAL, UNDEFINED = 4, 5, 7


def refusal(content: bytes) -> ImageError:
    started = time.perf_counter()
    with pytest.raises(ImageError) as caught:
        decode(content)
    assert time.perf_counter() - started < 1
    return caught.value


def directory_of_strips(count: int) -> bytes:
    strips = tiff([(273, LONG, count, 0), (278, 3, 1, 1)])
    content = tiff([(273, LONG, count, len(strips)), (278, 3, 1, 1)])
    return content + struct.pack("<I", 8) * count


def test_plain_images_pass() -> None:
    assert decode(tiff([])).rgb.shape == (8, 8, 3)
    assert decode(tiff([], [], [])).rgb.shape == (8, 8, 3)


def test_strips_by_the_million_are_refused() -> None:
    # Pillow alone would take half a gigabyte and seven seconds for these 8 MB.
    error = refusal(directory_of_strips(2_000_000))
    assert error.code == "image_too_large"
    # 9 entries, with a number each besides the strips.
    assert error.message == f"at least 2000017 values in its directories, at most {MAX_VALUES} are allowed"


def test_many_strips_are_decoded() -> None:
    assert decode(directory_of_strips(1_000)).rgb.shape == (8, 8, 3)


@pytest.mark.parametrize("tag", [258, 282, 339])
def test_numbers_by_the_million_are_refused(tag: int) -> None:
    content = tiff([(tag, RATIONAL, 500_000, 0)], tail=bytes(4_000_000))
    assert refusal(content).code == "image_too_large"


def test_large_blobs_are_no_numbers() -> None:
    # As Photoshop keeps its layers.
    content = tiff([(37724, UNDEFINED, 4_000_000, 100)], tail=bytes(4_000_000))
    assert decode(content).rgb.shape == (8, 8, 3)


def test_directories_inside_each_other_are_refused() -> None:
    # Each has 60000 entries, nearly all of them the same bytes; Pillow would read 60000 for every frame.
    frames, entries = 900, 60_000
    content = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(16 * frames + 12 * entries + 8))
    for index in range(frames):
        at = 8 + 16 * index
        struct.pack_into("<H", content, at, entries)
        struct.pack_into("<I", content, at + 2 + 12 * entries, at + 16)
    assert refusal(bytes(content)).code == "image_too_large"


def test_frames_are_counted_before_pillow_reads_them() -> None:
    error = refusal(tiff(*[[]] * 20_000))
    assert (error.code, error.message) == ("too_many_frames", "at least 1001 frames, at most 1000 are allowed")


def test_directories_in_a_circle_are_each_counted_once() -> None:
    content = bytearray(tiff([], []))
    content[-4:] = struct.pack("<I", 72)
    check_directories(io.BytesIO(content), 2)


@pytest.mark.parametrize("big", [False, True])
def test_both_kinds_of_tiff_are_counted(big: bool) -> None:
    content = encoded(
        Image.fromarray(corners()), "TIFF", save_all=True, append_images=[Image.fromarray(corners())] * 3, big_tiff=big
    )
    check_directories(io.BytesIO(content), 4)
    with pytest.raises(ImageError, match="at least 4 frames, at most 3 are allowed"):
        check_directories(io.BytesIO(content), 3)


def test_big_endian_is_counted() -> None:
    content = b"MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHII", 273, LONG, 300_000, 26) + bytes(1_300_000)
    with pytest.raises(ImageError, match="at least 300001 values"):
        check_directories(io.BytesIO(content), 1)


def test_value_longer_than_the_file_is_left_to_pillow() -> None:
    check_directories(io.BytesIO(tiff([(700, LONG, 2**32 - 1, 8)])), 1)


@pytest.mark.parametrize("kept", range(0, 200, 7))
def test_cut_off_file_is_left_to_pillow(kept: int) -> None:
    check_directories(io.BytesIO(tiff([], [])[:kept]), 2)


def test_limit_of_frames_is_that_of_the_limits() -> None:
    with pytest.raises(ImageError, match="at least 3 frames, at most 2"):
        decode(tiff([], [], []), ImageLimits(max_frames=2))
