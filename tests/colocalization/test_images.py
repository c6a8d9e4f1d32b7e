"""Decoding: every mode and orientation, damage, and limits, on images whose pixels are known."""

import io
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin
from PIL.JpegImagePlugin import JpegImageFile

from colocalization.errors import ImageError
from colocalization.images import MAX_PNG_TEXT_BYTES, DecodedImage, ImageLimits, decode, harden_pillow
from colocalization.localizer import Localizer
from tests.colocalization.sample_images import (
    BLUE,
    GREEN,
    RED,
    WHITE,
    blank,
    corner_colours,
    corners,
    encoded,
    png,
    png_header,
    square,
    tiff,
)

ORIENTATION = 0x0112


def code_of(source: bytes | Path, limits: ImageLimits | None = None) -> str:
    with pytest.raises(ImageError) as caught:
        decode(source, limits)
    return caught.value.code


def with_orientation(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return exif


def is_grey(image: DecodedImage, value: int, tolerance: int = 0) -> bool:
    return bool((np.abs(image.rgb.astype(int) - value) <= tolerance).all())


class TestModes:
    @pytest.mark.parametrize(
        ("mode", "kind"),
        [("RGB", "PNG"), ("RGBA", "PNG"), ("CMYK", "TIFF"), ("YCbCr", "TIFF"), ("RGB", "BMP"), ("P", "GIF")],
    )
    def test_colour_stays_what_it_is(self, mode: str, kind: str) -> None:
        image = Image.fromarray(corners())
        converted = image.quantize(8) if mode == "P" else image.convert(mode)
        found = decode(encoded(converted, kind))
        assert (found.rgb.shape, found.rgb.dtype) == ((32, 48, 3), np.uint8)
        assert corner_colours(found.rgb) == [RED, GREEN, BLUE, WHITE]

    @pytest.mark.parametrize("mode", ["RGB", "CMYK"])
    def test_jpeg(self, mode: str) -> None:
        image = Image.fromarray(corners()).convert(mode)
        found = decode(encoded(image, "JPEG", quality=95))
        assert corner_colours(found.rgb) == [RED, GREEN, BLUE, WHITE]

    @pytest.mark.parametrize("lossless", [True, False])
    def test_webp(self, lossless: bool) -> None:
        found = decode(encoded(Image.fromarray(corners()), "WEBP", lossless=lossless))
        assert corner_colours(found.rgb) == [RED, GREEN, BLUE, WHITE]

    def test_grey(self) -> None:
        assert is_grey(decode(encoded(Image.new("L", (3, 2), 77))), 77)

    def test_one_bit(self) -> None:
        image = Image.fromarray(np.array([[False, True]]))
        assert image.mode == "1"
        assert decode(encoded(image)).rgb.tolist() == [[[0, 0, 0], [255, 255, 255]]]

    def test_palette(self) -> None:
        image = Image.new("P", (2, 1))
        image.putpalette([*RED, *GREEN])
        image.putpixel((1, 0), 1)
        assert decode(encoded(image)).rgb.tolist() == [[[*RED], [*GREEN]]]

    @pytest.mark.parametrize("transparency", [1, bytes([255, 0])], ids=["index", "table"])
    def test_transparent_palette_entry_shows_grey(self, transparency: int | bytes) -> None:
        image = Image.new("P", (2, 1))
        image.putpalette([*RED, *GREEN])
        image.putpixel((1, 0), 1)
        content = encoded(image, transparency=transparency)
        assert decode(content).rgb.tolist() == [[[*RED], [128, 128, 128]]]

    @pytest.mark.parametrize(
        ("mode", "colour", "expected"),
        [
            ("RGBA", (255, 0, 0, 0), (128, 128, 128)),
            ("RGBA", (255, 0, 0, 255), RED),
            # Half of 200 and half of 128.
            ("RGBA", (200, 200, 200, 128), (164, 164, 164)),
            ("LA", (200, 0), (128, 128, 128)),
            ("LA", (200, 255), (200, 200, 200)),
        ],
    )
    def test_transparency_lies_over_mid_grey(
        self, mode: str, colour: tuple[int, ...], expected: tuple[int, int, int]
    ) -> None:
        found = decode(encoded(Image.new(mode, (2, 2), colour)))
        assert np.abs(found.rgb.astype(int) - expected).max() <= 1

    @pytest.mark.parametrize(("mode", "colour"), [("RGB", RED), ("L", 9)])
    def test_transparent_colour_shows_grey(self, mode: str, colour: int | tuple[int, int, int]) -> None:
        assert is_grey(decode(encoded(Image.new(mode, (2, 2), colour), transparency=colour)), 128)

    @pytest.mark.parametrize("kind", ["PNG", "TIFF"])
    def test_sixteen_bits_keep_their_range(self, kind: str) -> None:
        # 257 * v are the 16-bit values of the 8-bit v; a dark image stays dark.
        image = Image.fromarray(np.array([[0, 257 * 10, 257 * 100]], dtype=np.uint16))
        assert image.mode == "I;16"
        assert decode(encoded(image, kind)).rgb[0, :, 0].tolist() == [0, 10, 100]

    def test_big_endian_sixteen_bits(self) -> None:
        # A TIFF by hand: byte order MM, one strip of two pixels of 16 bits, 0 and 65535.
        entries = [(256, 3, 2), (257, 3, 1), (258, 3, 16), (259, 3, 1), (262, 3, 1), (273, 4, 8), (278, 3, 1)]
        strip = b"\x00\x00\xff\xff"
        ifd = len(entries).to_bytes(2, "big")
        for tag, kind, value in entries:
            ifd += tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + (1).to_bytes(4, "big")
            ifd += value.to_bytes(2, "big") + b"\x00\x00" if kind == 3 else value.to_bytes(4, "big")
        content = b"MM\x00\x2a" + (12).to_bytes(4, "big") + strip + ifd + b"\x00\x00\x00\x00"
        assert decode(content).rgb[0, :, 0].tolist() == [0, 255]

    def test_32_bit_integers_are_stretched(self) -> None:
        image = Image.fromarray(np.array([[-100_000, 0, 100_000]], dtype=np.int32))
        assert image.mode == "I"
        assert decode(encoded(image, "TIFF")).rgb[0, :, 0].tolist() == [0, 128, 255]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ([-1.0, 0.0, 1.0], [0, 128, 255]),
            ([5.0, 5.0, 5.0], [0, 0, 0]),
            ([np.nan, 0.0, 2.0], [0, 0, 255]),
            ([-np.inf, np.inf, 4.0, 2.0], [0, 255, 255, 0]),
            ([np.nan, np.nan], [0, 0]),
            ([-3e38, 0.0, 3e38], [0, 128, 255]),
        ],
    )
    def test_float_is_stretched(self, values: list[float], expected: list[int]) -> None:
        image = Image.fromarray(np.array([values], dtype=np.float32))
        assert image.mode == "F"
        assert decode(encoded(image, "TIFF")).rgb[0, :, 0].tolist() == expected

    def test_a_signalling_nan_is_no_warning(self) -> None:
        values = np.array([[0x7FA00000, 0, 0x40000000]], dtype=np.uint32).view(np.float32)  # NaN, 0, 2
        assert decode(encoded(Image.fromarray(values), "TIFF")).rgb[0, :, 0].tolist() == [0, 0, 255]

    @pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
    def test_first_of_several_frames(self, kind: str) -> None:
        frames = [Image.new("RGB", (6, 4), colour) for colour in (RED, GREEN, BLUE)]
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        with Image.open(io.BytesIO(content)) as opened:
            assert opened.n_frames == 3  # type: ignore[attr-defined]
        assert corner_colours(decode(content).rgb) == [RED] * 4

    def test_mpo_of_stereo_cameras_is_read_as_jpeg(self) -> None:
        frames = [Image.new("RGB", (16, 8), colour) for colour in (RED, GREEN)]
        content = encoded(frames[0], "MPO", save_all=True, append_images=frames[1:], exif=with_orientation(6))
        with Image.open(io.BytesIO(content)) as opened:
            assert opened.format == "MPO"
        found = decode(content)
        assert (found.width, found.height) == (8, 16)
        assert corner_colours(found.rgb) == [RED] * 4


# Where the four quarters of the upright image come from, by the definition of each orientation.
UPRIGHT = {
    1: [RED, GREEN, BLUE, WHITE],
    2: [GREEN, RED, WHITE, BLUE],  # mirrored left to right
    3: [WHITE, BLUE, GREEN, RED],  # turned by 180 degrees
    4: [BLUE, WHITE, RED, GREEN],  # mirrored top to bottom
    5: [RED, BLUE, GREEN, WHITE],  # transposed
    6: [BLUE, RED, WHITE, GREEN],  # to be turned clockwise
    7: [WHITE, GREEN, BLUE, RED],  # transposed over the other diagonal
    8: [GREEN, WHITE, RED, BLUE],  # to be turned counter-clockwise
}


class TestOrientation:
    @pytest.mark.parametrize("orientation", UPRIGHT)
    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
    def test_image_is_turned_upright(self, kind: str, orientation: int) -> None:
        content = encoded(Image.fromarray(corners(48, 32)), kind, exif=with_orientation(orientation))
        found = decode(content)
        size = (48, 32) if orientation < 5 else (32, 48)
        assert (found.width, found.height) == size
        assert found.rgb.shape[1::-1] == size
        assert corner_colours(found.rgb) == UPRIGHT[orientation]

    def test_size_of_the_original_is_turned_too(self) -> None:
        content = encoded(Image.fromarray(corners(480, 320)), "JPEG", exif=with_orientation(6))
        found = decode(content, ImageLimits(working_side=48))
        assert (found.width, found.height, found.rgb.shape) == (320, 480, (48, 32, 3))
        assert corner_colours(found.rgb) == UPRIGHT[6]

    @pytest.mark.parametrize("value", [0, 9, 65535])
    def test_impossible_orientation_is_none(self, value: int) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = value
        found = decode(encoded(Image.fromarray(corners()), "JPEG", exif=exif))
        assert corner_colours(found.rgb) == [RED, GREEN, BLUE, WHITE]

    @pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of damage that it can live with
    @pytest.mark.parametrize("kept", [6, 8, 14, 16, 20])
    def test_damaged_exif_leaves_the_image(self, kept: int) -> None:
        exif = with_orientation(6).tobytes()[:kept]
        found = decode(encoded(Image.fromarray(corners()), "JPEG", exif=exif))
        assert corner_colours(found.rgb) == [RED, GREEN, BLUE, WHITE]

    def test_damage_that_pillow_warns_of_stays_an_image_error_where_warnings_are_errors(self) -> None:
        exif = with_orientation(6).tobytes()[:16]
        assert code_of(encoded(Image.fromarray(corners()), "JPEG", exif=exif)) == "undecodable"

    def test_exif_that_is_none_leaves_the_image(self) -> None:
        found = decode(encoded(Image.fromarray(corners()), "JPEG", exif=b"Exif\x00\x00" + b"\xff" * 40))
        assert corner_colours(found.rgb) == [RED, GREEN, BLUE, WHITE]


class TestDamage:
    def test_empty_file(self) -> None:
        with pytest.raises(ImageError, match="0 bytes") as caught:
            decode(b"")
        assert caught.value.code == "empty_file"

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
    def test_half_a_file(self, kind: str) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        content = encoded(Image.fromarray(noise), kind)
        assert code_of(content[: len(content) * 2 // 5]) in ("truncated", "undecodable", "unsupported_format")

    @pytest.mark.parametrize("kind", ["JPEG", "PNG"])
    def test_truncated_is_called_so(self, kind: str) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        content = encoded(Image.fromarray(noise), kind)
        assert code_of(content[: len(content) * 2 // 5]) == "truncated"

    def test_text_named_jpg(self, tmp_path: Path) -> None:
        path = tmp_path / "a.jpg"
        path.write_text("not an image")
        with pytest.raises(ImageError, match=r"allowed format \(JPEG, PNG,") as caught:
            decode(path)
        assert caught.value.code == "unsupported_format"

    @pytest.mark.parametrize(("kind", "name"), [("AVIF", "AVIF"), ("JPEG2000", "JPEG 2000"), ("PPM", "Netpbm")])
    def test_formats_that_are_not_decoded_are_named(self, kind: str, name: str) -> None:
        with pytest.raises(ImageError, match=rf"not an image in an allowed format \(JPEG, .*\), but {name}$"):
            decode(encoded(Image.fromarray(corners()), kind))

    @pytest.mark.parametrize("kind", ["PPM", "ICO", "TGA", "PDF"])
    def test_formats_that_are_not_allowed_are_not_tried(self, kind: str) -> None:
        assert code_of(encoded(Image.fromarray(corners()), kind)) == "unsupported_format"

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match=r"there is no file 'none\.jpg'") as caught:
            decode(tmp_path / "none.jpg")
        assert caught.value.code == "not_found"

    def test_folder(self, tmp_path: Path) -> None:
        assert code_of(tmp_path) == "not_readable"

    def test_damaged_pixels_end_as_an_image_error(self) -> None:
        content = bytearray(encoded(Image.fromarray(corners(256, 256))))
        at = content.index(b"IDAT") + 8
        content[at : at + 20] = b"\xff" * 20
        assert code_of(bytes(content)) in ("truncated", "undecodable")

    def test_several_sources_of_one_image_are_alike(self, tmp_path: Path) -> None:
        content = png(corners())
        path = tmp_path / "a.png"
        path.write_bytes(content)
        stream = io.BytesIO(content)
        stream.seek(5)  # wherever the stream stands
        for source in (content, path, stream):
            assert np.array_equal(decode(source).rgb, corners())


def photograph(width: int = 160, height: int = 128, kind: str = "JPEG", **options: object) -> bytes:
    """Noise, so that bytes are spread evenly over the rows."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encoded(Image.fromarray(noise), kind, **options)


def warning_of(source: bytes) -> tuple[str, str]:
    warning = decode(source).warning
    assert warning is not None
    return warning.code, warning.message


class TestJpegThatEndsEarly:
    @pytest.mark.parametrize("progressive", [False, True])
    @pytest.mark.parametrize("missing", [1, 2, 3, 20, 500])
    def test_a_few_bytes_are_missing(self, missing: int, progressive: bool) -> None:
        content = photograph(progressive=progressive, quality=90)
        code, message = warning_of(content[:-missing])
        assert code == "truncated"
        assert "ends early" in message
        found, whole = decode(content[:-missing]), decode(content)
        assert (found.width, found.height) == (whole.width, whole.height)
        assert np.array_equal(found.rgb[:96], whole.rgb[:96]) or progressive

    @pytest.mark.parametrize(("mode", "rest"), [("RGB", 128), ("L", 128), ("CMYK", 64)])
    def test_the_share_of_rows_is_told_and_the_rest_grey(self, mode: str, rest: int) -> None:
        with Image.open(io.BytesIO(photograph(160, 128, "PNG"))) as image:
            content = encoded(image.convert(mode), "JPEG", quality=90)
        content = content[: len(content) * 4 // 5]
        code, message = warning_of(content)
        assert code == "truncated"
        share = int(message.split("%")[0].split()[-1])
        assert 70 <= share <= 90
        rgb = decode(content).rgb.astype(int)
        last = round(len(rgb) * share / 100)
        assert (np.abs(rgb[last:] - rest) <= 1).all()
        assert not (np.abs(rgb[last - 16 : last] - rest) <= 1).all()

    @pytest.mark.parametrize(("kept", "is_decoded"), [(0.8, True), (0.55, False), (0.1, False)])
    def test_seven_tenths_of_the_rows_are_the_least(self, kept: float, is_decoded: bool) -> None:
        content = photograph(quality=90)
        content = content[: int(len(content) * kept)]
        if is_decoded:
            assert warning_of(content)[0] == "truncated"
        else:
            with pytest.raises(
                ImageError, match=r"ends early: .*% of its rows are there, at least 70% are needed"
            ) as caught:
                decode(content)
            assert caught.value.code == "truncated"

    def test_header_alone_is_no_image(self) -> None:
        content = photograph()
        assert code_of(content[: content.index(b"\xff\xda")]) in ("truncated", "undecodable")

    @pytest.mark.parametrize("kept", range(20, 600, 29))
    def test_cut_anywhere_in_the_header_is_an_error(self, kept: int) -> None:
        assert code_of(photograph()[:kept]) in ("truncated", "undecodable")

    def test_turned_upright_all_the_same(self) -> None:
        content = encoded(Image.fromarray(corners(480, 320)), "JPEG", exif=with_orientation(6))
        assert decode(content[:-2]).rgb.shape == (480, 320, 3)

    def test_whole_file_has_no_warning(self) -> None:
        assert decode(photograph()).warning is None


class TestPngWithDamageBesideItsPixels:
    @pytest.mark.parametrize("name", [b"pHYs", b"iCCP", b"tEXt", b"zTXt", b"iTXt", b"gAMA", b"tIME", b"eXIf"])
    def test_wrong_checksum(self, name: bytes) -> None:
        content = png(corners())
        chunk = struct.pack(">I", 9) + name + bytes(9) + b"\1\2\3\4"
        content = content[:33] + chunk + content[33:]
        code, message = warning_of(content)
        assert code == "damaged_metadata"
        assert name.decode() in message
        assert np.array_equal(decode(content).rgb, corners())

    def test_damage_inside_a_chunk(self) -> None:
        profile = b"a\0\0" + b"no zlib stream"
        chunk = struct.pack(">I", len(profile)) + b"iCCP" + profile
        content = png(corners())
        content = content[:33] + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + content[33:]
        assert np.array_equal(decode(content).rgb, corners())

    @pytest.mark.parametrize("name", [b"IHDR", b"PLTE"])
    def test_wrong_checksum_of_what_is_needed_is_an_error(self, name: bytes) -> None:
        content = bytearray(encoded(Image.fromarray(corners()).quantize(4)))
        at = content.index(name)
        content[at + 4 + int.from_bytes(content[at - 4 : at], "big")] ^= 0xFF
        assert code_of(bytes(content)) in ("undecodable", "truncated")


class TestOtherSources:
    def test_pil_image(self) -> None:
        image = Image.fromarray(corners())
        assert np.array_equal(decode(image).rgb, corners())

    def test_opened_file_is_turned_upright_and_left_as_it_is(self) -> None:
        content = encoded(Image.fromarray(corners(480, 320)), "JPEG", exif=with_orientation(6))
        with Image.open(io.BytesIO(content)) as image:
            found = decode(image, ImageLimits(working_side=48))
            assert (found.width, found.height, found.rgb.shape) == (320, 480, (48, 32, 3))
            assert (image.size, image.mode) == ((480, 320), "RGB")

    def test_the_callers_image_is_not_reduced(self) -> None:
        image = Image.new("RGB", (400, 200))
        assert decode(image, ImageLimits(working_side=40)).rgb.shape == (20, 40, 3)
        assert image.size == (400, 200)

    @pytest.mark.parametrize(
        ("pixels", "expected"),
        [
            (corners(), corners()),
            (corners()[::-1], corners()[::-1]),  # no copy in order of memory
            (np.full((2, 3), 7, np.uint8), np.full((2, 3, 3), 7, np.uint8)),
            (np.full((2, 3, 4), (9, 9, 9, 0), np.uint8), np.full((2, 3, 3), 128, np.uint8)),
        ],
    )
    def test_array(self, pixels: NDArray[np.uint8], expected: NDArray[np.uint8]) -> None:
        assert np.array_equal(decode(pixels).rgb, expected)

    @pytest.mark.parametrize(
        "pixels",
        [np.zeros((2, 3, 3)), np.zeros((2, 3, 2), np.uint8), np.zeros((0, 3, 3), np.uint8), np.zeros(3, np.uint8)],
    )
    def test_other_arrays_are_named(self, pixels: NDArray[np.generic]) -> None:
        with pytest.raises(ValueError, match=r"expected an \(H, W, 3\).*got shape .* of (float64|uint8)"):
            decode(pixels)

    def test_limits_hold_for_them(self) -> None:
        for source in (corners(), Image.fromarray(corners())):
            with pytest.raises(ImageError, match="48 x 32 = 1536 pixels, at most 1535"):
                decode(source, ImageLimits(max_pixels=1535))

    def test_pil_image_of_a_file_that_is_cut(self) -> None:
        with Image.open(io.BytesIO(png(corners(256, 256))[:-300])) as image, pytest.raises(ImageError):
            decode(image)


class TestLimits:
    def test_header_bomb_is_refused_without_memory(self) -> None:
        content = png_header(60_000, 60_000)
        tracemalloc.start()
        with pytest.raises(ImageError, match=r"3600000000 pixels, at most 64000000 are allowed") as caught:
            decode(content)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert caught.value.code == "image_too_large"
        assert peak < 2**20

    @pytest.mark.parametrize(
        ("width", "height"),
        # Below, between and above the limits at which Pillow itself warns (89 million) and refuses (179 million).
        [(8001, 8000), (10_000, 10_000), (13_000, 13_000), (20_000, 10_000), (2**31 - 1, 2**31 - 1)],
    )
    def test_size_and_limit_are_named(self, width: int, height: int) -> None:
        with pytest.raises(ImageError, match=rf"{width * height} pixels, at most 64000000 are allowed") as caught:
            decode(png_header(width, height))
        assert caught.value.code == "image_too_large"

    def test_no_limit_of_pillow_is_lower(self) -> None:
        # Pillow by itself warns from 89 million pixels on and refuses from 179 million on; warnings are errors here.
        for side in (10_000, 20_000):
            assert code_of(png_header(side, side), ImageLimits(max_pixels=10**9)) == "truncated"

    @pytest.mark.parametrize("lossless", [True, False])
    def test_webp_is_refused_before_its_canvas_is_reserved(self, lossless: bool) -> None:
        content = bytearray(encoded(Image.new("RGBA", (8, 8), (1, 2, 3, 99)), "WEBP", lossless=lossless))
        if content[12:16] == b"VP8X":
            content[24:30] = (16_382).to_bytes(3, "little") * 2
        else:
            content[21:25] = (16_382 | 16_382 << 14).to_bytes(4, "little")
        with pytest.raises(ImageError, match="16383 x 16383 = 268402689 pixels, at most 64000000"):
            decode(bytes(content))

    def test_tile_of_a_tiff_counts_too(self) -> None:
        content = tiff([(322, 3, 1, 60_000), (323, 3, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 64)])
        with pytest.raises(ImageError, match="60000 x 60000 = 3600000000 pixels"):
            decode(content)

    def test_bytes_at_and_over_the_limit(self) -> None:
        content = png(corners())
        assert decode(content, ImageLimits(max_bytes=len(content))).width == 48
        with pytest.raises(ImageError, match=rf"{len(content)} bytes, at most {len(content) - 1}") as caught:
            decode(content, ImageLimits(max_bytes=len(content) - 1))
        assert caught.value.code == "file_too_large"

    def test_pixels_at_and_over_the_limit(self) -> None:
        content = png(corners(40, 30))
        assert decode(content, ImageLimits(max_pixels=1200)).height == 30
        with pytest.raises(ImageError, match=r"40 x 30 = 1200 pixels, at most 1199"):
            decode(content, ImageLimits(max_pixels=1199))

    @pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
    def test_any_number_of_frames(self, kind: str) -> None:
        frames = [Image.new("L", (4, 4), index % 256) for index in range(1_500)]
        content = encoded(frames[0], kind, save_all=True, append_images=frames[1:])
        assert decode(content).width == 4

    def test_later_frame_cannot_enlarge_the_image(self) -> None:
        # The second frame of this GIF lies at (59999, 59999) of a canvas of 4 x 4.
        frames = [Image.new("L", (4, 4), 60 * index) for index in range(2)]
        content = bytearray(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
        second = content.index(b",", content.index(b",") + 1)
        content[second + 1 : second + 5] = (59_999).to_bytes(2, "little") * 2
        assert decode(bytes(content)).rgb.shape == (4, 4, 3)

    @pytest.mark.parametrize("name", ["max_bytes", "max_pixels", "working_side"])
    def test_limits_below_one(self, name: str) -> None:
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            ImageLimits(**{name: 0})


class TestHardened:
    """Pillow as programs set it up."""

    @pytest.fixture(autouse=True)
    def hardened(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(PngImagePlugin, "MAX_TEXT_MEMORY", PngImagePlugin.MAX_TEXT_MEMORY)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", Image.MAX_IMAGE_PIXELS)
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            harden_pillow()
            yield

    def test_warnings_are_neither_printed_nor_remembered(self, capsys: pytest.CaptureFixture[str]) -> None:
        # Each of the entries makes Pillow warn that it is longer than the file.
        content = tiff([(1000 + index, 7, 2**24 + index, 8) for index in range(5_000)])
        before = len(getattr(TiffImagePlugin, "__warningregistry__", {}))
        assert decode(content).rgb.shape == (8, 8, 3)
        assert capsys.readouterr().err == ""
        assert len(getattr(TiffImagePlugin, "__warningregistry__", {})) <= before + 1

    @pytest.mark.parametrize("kept", [6, 8, 14, 16, 20])
    def test_damaged_exif_leaves_the_image(self, kept: int) -> None:
        exif = with_orientation(6).tobytes()[:kept]
        found = decode(encoded(Image.fromarray(corners()), "JPEG", exif=exif))
        assert corner_colours(found.rgb) == [RED, GREEN, BLUE, WHITE]

    def test_the_limits_are_ours_alone(self) -> None:
        assert Image.MAX_IMAGE_PIXELS is None
        with pytest.raises(ImageError, match="100000000 pixels, at most 64000000 are allowed"):
            decode(png_header(10_000, 10_000))

    def test_warnings_of_others_stay(self) -> None:
        with pytest.warns(UserWarning, match="mine"):
            warnings.warn("mine", stacklevel=1)

    def test_texts_of_a_png_have_a_limit(self) -> None:
        # 64 KB that Pillow alone would make 63 MB of.
        content = with_texts(63)
        assert len(content) < 100_000
        tracemalloc.start()
        warning = decode(content).warning
        assert warning is not None
        assert warning.code == "damaged_metadata"
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 4 * MAX_PNG_TEXT_BYTES
        assert decode(with_texts(3)).rgb.shape == (8, 8, 3)

    def test_large_colour_profile_and_comments_are_no_matter(self) -> None:
        image = Image.fromarray(corners())
        content = encoded(image, "JPEG", icc_profile=bytes(3_000_000), comment=b"a" * 60_000, exif=with_orientation(1))
        assert corner_colours(decode(content).rgb) == [RED, GREEN, BLUE, WHITE]


def with_texts(megabytes: int) -> bytes:
    """A PNG with compressed texts of 1 MiB each."""
    content = encoded(Image.new("RGB", (8, 8)))
    text = b"zTXta\0\0" + zlib.compress(bytes(2**20 - 1), 9)
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return content[:33] + chunk * megabytes + content[33:]


class TestWorkingSize:
    @pytest.mark.parametrize(
        ("size", "working"),
        [((1, 1), (1, 1)), ((100, 50), (100, 50)), ((200, 100), (100, 50)), ((20_000, 10), (100, 1))],
    )
    def test_long_side(self, size: tuple[int, int], working: tuple[int, int]) -> None:
        found = decode(png(blank(*size, 9)), ImageLimits(working_side=100))
        assert (found.width, found.height) == size
        assert found.rgb.shape[1::-1] == working

    def test_draft_decodes_fewer_pixels_to_the_same_image(self, dummy_localizer: Localizer) -> None:
        pixels = square(2048, 1024, 512, 256, 1280, 640)
        localizer = Localizer(dummy_localizer.engine, ImageLimits(working_side=128))
        sources = [encoded(Image.fromarray(pixels), "JPEG", quality=95), png(pixels)]
        results = localizer.localize(sources, mode="attention").images
        assert [(one.width, one.height) for one in results] == [(2048, 1024)] * 2
        jpeg, exact = (np.array(one.boxes[0].as_tuple()) for one in results)
        # One pixel at the working size is 16 of the original; the boxes must not differ by one.
        assert np.abs(jpeg - exact).max() < 16

    @pytest.mark.parametrize(
        ("size", "scaled"),
        [
            ((400, 300), (100, 75)),
            ((399, 300), (200, 150)),
            ((300, 99), (150, 50)),
            ((199, 99), (199, 99)),
            ((999, 2), (500, 1)),
        ],
    )
    def test_draft_takes_the_smallest_scale_that_reaches_the_working_size(
        self, size: tuple[int, int], scaled: tuple[int, int], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loaded: list[tuple[int, int]] = []
        load = JpegImageFile.load

        def spy(image: JpegImageFile) -> object:
            loaded.append(image.size)
            return load(image)

        monkeypatch.setattr(JpegImageFile, "load", spy)
        found = decode(encoded(Image.new("RGB", size), "JPEG"), ImageLimits(working_side=100))
        assert loaded[0] == scaled
        assert (found.width, found.height) == size

    @pytest.mark.parametrize("side", [64, 128, 1024])
    def test_draft_and_full_decoding_agree_at_the_corners(self, side: int) -> None:
        content = encoded(Image.fromarray(corners(1200, 800)), "JPEG", quality=95)
        assert corner_colours(decode(content, ImageLimits(working_side=side)).rgb) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize(
    ("at", "expected"),
    [(None, True), ((0, 0, 0), False), ((2, 4, 2), False), ((1, 0, 1), False)],
)
def test_blank_is_one_colour_all_over(at: tuple[int, int, int] | None, expected: bool) -> None:
    pixels = np.full((3, 5, 3), (10, 200, 30), np.uint8)
    if at is not None:
        pixels[at] += 1
    assert DecodedImage(pixels, 5, 3).is_blank() is expected
    assert DecodedImage(pixels[:1, :1], 1, 1).is_blank()
