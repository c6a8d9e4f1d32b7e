"""What the directories of a TIFF may cost."""

import io
import struct

import pytest
from PIL import Image

from colocalization.errors import ImageError
from colocalization.images import decode
from colocalization.tiff import MAX_VALUES, read_tags
from tests.colocalization.sample_images import corners, encoded, tiff

LONG, RATIONAL, UNDEFINED = 4, 5, 7


def refusal(content: bytes) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(content)
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
    # The strips, 9 entries, and a number each up to them.
    assert error.message == f"at least 2000014 values in the directory of the TIFF, at most {MAX_VALUES} are allowed"


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


def test_directories_inside_each_other_cost_the_first_alone() -> None:
    # Each has 60000 entries, nearly all of them the same bytes; Pillow would read 60000 for every frame.
    frames, entries = 900, 60_000
    content = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(16 * frames + 12 * entries + 8))
    for index in range(frames):
        at = 8 + 16 * index
        struct.pack_into("<H", content, at, entries)
        struct.pack_into("<I", content, at + 2 + 12 * entries, at + 16)
    assert refusal(bytes(content)).code in ("unsupported_format", "undecodable")


def test_any_number_of_frames_is_no_matter() -> None:
    assert decode(tiff(*[[]] * 20_000)).rgb.shape == (8, 8, 3)


@pytest.mark.parametrize("big", [False, True])
def test_both_kinds_of_tiff_are_read(big: bool) -> None:
    content = encoded(
        Image.fromarray(corners()), "TIFF", save_all=True, append_images=[Image.fromarray(corners())] * 3, big_tiff=big
    )
    tags = read_tags(io.BytesIO(content))
    assert tags is not None
    assert (tags.number(256, 0), tags.number(257, 0), tags.values[258], tags.has_next) == (48, 32, (8, 8, 8), True)


def test_big_endian_is_counted() -> None:
    content = b"MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHII", 273, LONG, 300_000, 26) + bytes(1_300_000)
    with pytest.raises(ImageError, match="at least 300001 values"):
        read_tags(io.BytesIO(content))


def test_value_longer_than_the_file_is_left_to_pillow() -> None:
    assert read_tags(io.BytesIO(tiff([(700, LONG, 2**32 - 1, 8)]))) is not None


@pytest.mark.parametrize("kept", range(0, 200, 7))
def test_cut_off_file_is_left_to_pillow(kept: int) -> None:
    read_tags(io.BytesIO(tiff([], [])[:kept]))


SHORT, ASCII = 3, 2
SUBFILE, COMPRESSION, PHOTOMETRIC, MAKE, SUB_DIRECTORIES, DNG_VERSION = 254, 259, 262, 271, 330, 50706


def with_sub_directory(
    *entries: tuple[int, int, int, int], maker: bytes | None = b"NIKON CORPORATION\0", side: int = 4000
) -> bytes:
    """A TIFF whose first directory is an image of 8 x 8, with another one of a size and more entries below it."""
    more = list(entries)
    plain = tiff([*more, (SUB_DIRECTORIES, LONG, 1, 0), *([(MAKE, ASCII, len(maker), 0)] if maker else [])])
    at = len(plain)
    pointers = [(SUB_DIRECTORIES, LONG, 1, at), *([(MAKE, ASCII, len(maker), at + 100)] if maker else [])]
    sub = [(256, SHORT, 1, side), (257, SHORT, 1, side), (258, SHORT, 1, 8)]
    directory = struct.pack("<H", len(sub)) + b"".join(struct.pack("<HHII", *entry) for entry in sub) + bytes(4)
    return tiff([*more, *pointers], tail=directory.ljust(100, b"\0") + (maker or b""))


def camera_raw(content: bytes) -> str:
    error = refusal(content)
    assert error.code == "unsupported_format"
    return error.message.split(" is not supported")[0]


class TestCameraRaw:
    @pytest.mark.parametrize(
        ("maker", "name"),
        [
            (b"NIKON CORPORATION\0", "camera raw (Nikon)"),
            (b"Canon\0\0\0", "camera raw (Canon)"),
            (b"SONY \0", "camera raw (Sony)"),
            (b"OLYMPUS IMAGING CORP.  \0", "camera raw (Olympus)"),
            (b"Phase One A/S\0", "camera raw (Phase One)"),
            (b"Unheard of\0", "camera raw"),
            (None, "camera raw"),
        ],
    )
    def test_the_image_is_below_its_thumbnail(self, maker: bytes | None, name: str) -> None:
        assert camera_raw(with_sub_directory((SUBFILE, LONG, 1, 1), maker=maker)) == name
        assert camera_raw(with_sub_directory(maker=maker)) == name  # without saying so

    def test_smaller_copies_below_the_image_are_no_raw(self) -> None:
        # As in pyramids of Photoshop and microscopes.
        assert decode(with_sub_directory(side=4)).rgb.shape == (8, 8, 3)

    def test_dng(self) -> None:
        assert camera_raw(tiff([(DNG_VERSION, 1, 4, 0x0401)])) == "camera raw (Adobe DNG)"

    @pytest.mark.parametrize("entry", [(PHOTOMETRIC, SHORT, 1, 32803), (COMPRESSION, SHORT, 1, 34713)])
    def test_samples_of_the_sensor(self, entry: tuple[int, int, int, int]) -> None:
        assert camera_raw(tiff([entry])) == "camera raw"

    def test_sub_directory_that_cannot_be_read(self) -> None:
        content = tiff([(SUB_DIRECTORIES, LONG, 1, 2**31), (MAKE, ASCII, 5, 0)])
        content = tiff([(SUB_DIRECTORIES, LONG, 1, 2**31), (MAKE, ASCII, 5, len(content))], tail=b"SONY\0")
        assert camera_raw(content) == "camera raw (Sony)"

    @pytest.mark.parametrize(
        ("head", "name"),
        [
            (b"II*\0\x10\0\0\0CR\2\0", "Canon"),
            (b"IIRO\x08\0\0\0", "Olympus"),
            (b"IIU\0\x18\0\0\0", "Panasonic"),
            (b"FUJIFILMCCD-RAW ", "Fujifilm"),
        ],
    )
    def test_others_by_their_first_bytes(self, head: bytes, name: str) -> None:
        with pytest.raises(ImageError, match=rf"but camera raw \({name}\)$"):
            decode(head + bytes(1000))

    def test_thumbnail_before_another_page(self) -> None:
        error = refusal(tiff([(SUBFILE, LONG, 1, 1)], []))
        assert error.message == "the first image of the TIFF is only a thumbnail of another one in it"
        assert decode(tiff([(SUBFILE, LONG, 1, 1)])).rgb.shape == (8, 8, 3)  # alone, it is all there is

    def test_make_of_a_scanner_or_a_phone_is_no_raw(self) -> None:
        content = tiff([(MAKE, ASCII, 6, 0)])
        assert decode(tiff([(MAKE, ASCII, 6, len(content))], tail=b"Apple\0")).rgb.shape == (8, 8, 3)


class TestParts:
    def test_fewer_strips_than_rows_are_no_black_image(self) -> None:
        error = refusal(tiff([(257, 3, 1, 20)]))  # one strip of 8 rows
        assert (error.code, error.message) == ("truncated", "the TIFF has 1 of the 3 parts of its image")

    def test_fewer_tiles(self) -> None:
        error = refusal(tiff([(322, 3, 1, 4), (323, 3, 1, 4), (273, 0, 0, 0), (324, 4, 1, 8), (325, 4, 1, 16)]))
        assert (error.code, error.message) == ("truncated", "the TIFF has 1 of the 4 parts of its image")


class TestKinds:
    @pytest.mark.parametrize(
        ("entries", "message"),
        [
            ([(258, 3, 1, 64), (339, 3, 1, 3)], "a TIFF of grey (1 sample of 64 bits, float) with no compression"),
            ([(COMPRESSION, 3, 1, 34712)], "a TIFF of grey (1 sample of 8 bits, unsigned) with JPEG 2000 compression"),
            ([(COMPRESSION, 3, 1, 12345)], "a TIFF of grey (1 sample of 8 bits, unsigned) with an unknown (12345)"),
            ([(PHOTOMETRIC, 3, 1, 32844)], "a TIFF of LogL (1 sample of 8 bits, unsigned)"),
            ([(277, 3, 1, 200)], "a TIFF of grey (200 samples of 8 bits, unsigned) with no compression"),
            ([(PHOTOMETRIC, 3, 1, 4711)], "a TIFF of photometric interpretation 4711 (1 sample"),
        ],
    )
    def test_kind_is_named(self, entries: list[tuple[int, int, int, int]], message: str) -> None:
        error = refusal(tiff(entries))
        assert error.code == "unsupported_format"
        assert error.message.startswith(message)
        assert "not supported" in error.message

    def test_libtiff_prints_nothing(self, capfd: pytest.CaptureFixture[str]) -> None:
        for compression in (5, 6, 7, 8, 34712, 34887, 50000):
            with pytest.raises(ImageError):
                decode(tiff([(COMPRESSION, 3, 1, compression)]))
        assert capfd.readouterr().err == ""
