"""Decoding against independent decoders: what Pillow, tifffile and OpenCV can write in the allowed formats.

Each file gives the same image, or a refusal that names what is not supported; never a negative, a wrap or a flat field.
The truth is the array that was written, brought to 8 bits by the rules of docs/method.md in a few lines of NumPy.
"""

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from colocalization.errors import ImageError
from colocalization.images import decode
from tests.colocalization.sample_images import encoded

HEIGHT, WIDTH = 40, 56
ORDERS = {"little": "<", "big": ">"}
LAYOUTS: dict[str, dict[str, Any]] = {"strips": {"rowsperstrip": 7}, "one strip": {}, "tiles": {"tile": (16, 32)}}
COMPRESSIONS = ["none", "lzw", "zlib", "packbits", "zstd", "lzma"]


def ramp(channels: int, highest: float, dtype: str, lowest: float = 0) -> NDArray[Any]:
    """(H, W) or (H, W, channels) that goes from the lowest to the highest value, each channel its own way."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    shares = [x / (WIDTH - 1), y / (HEIGHT - 1), (x + y) / (WIDTH + HEIGHT - 2), 0.5 + x / (2 * (WIDTH - 1))]
    values = np.stack(shares[:channels], axis=2) * (highest - lowest) + lowest
    return np.asarray(values if channels > 1 else values[..., 0]).astype(dtype)


def grey(values: NDArray[Any], low: float, high: float) -> NDArray[np.float64]:
    """(H, W, 3) of what a viewer shows: black at `low`, white at `high`."""
    shown = (values.astype(np.float64) - low) / (high - low) * 255
    return np.repeat(shown[..., None], 3, axis=2)


def tiff_of(values: NDArray[Any], **options: Any) -> bytes:
    stream = io.BytesIO()
    if options.get("compression") == "none":
        del options["compression"]
    tifffile.imwrite(stream, values, metadata=None, **options)
    content = stream.getvalue()
    assert np.array_equal(tifffile.imread(io.BytesIO(content)), values)  # the independent decoder
    return content


def agree(content: bytes, expected: NDArray[np.floating], tolerance: float = 1.0) -> None:
    found = decode(content).rgb.astype(np.float64)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() <= tolerance


def agree_or_name(content: bytes, expected: NDArray[np.floating], *names: str, tolerance: float = 1.0) -> bool:
    """Whether it was decoded; a refusal must say what is not supported."""
    refusal = None
    try:
        agree(content, expected, tolerance)
    except ImageError as error:
        refusal = error
    assert refusal is None or refusal.code == "unsupported_format", refusal
    assert refusal is None or all(name in refusal.message for name in names), refusal
    return refusal is None


GREY = [
    # dtype, lowest and highest value written, black and white as they are shown
    ("uint8", 0, 255, 0, 255),
    ("int8", -128, 127, -128, 127),
    ("uint16", 0, 65535, 0, 65535),
    ("uint16", 0, 30000, 0, 65535),  # a dark image stays dark
    ("uint16", 0, 1023, 0, 1023),
    ("uint16", 0, 4095, 0, 4095),
    ("uint16", 0, 4000, 0, 4095),
    ("uint16", 0, 16383, 0, 16383),
    ("uint16", 0, 255, 0, 255),
    ("int16", -32768, 32767, -32768, 32767),
    ("int16", 0, 32767, 0, 32767),
    ("int16", 0, 4095, 0, 4095),
    ("uint32", 0, 2**32 - 1, 0, 2**32 - 1),
    ("uint32", 0, 65535, 0, 65535),
    ("int32", -(2**31), 2**31 - 1, -(2**31), 2**31 - 1),
    ("float32", 0, 1, 0, 1),
    ("float32", -3, 5, -3, 5),
]
OTHER_GREY = ["uint64", "int64", "float16", "float64", "complex64"]


class TestTiff:
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
    @pytest.mark.parametrize(("dtype", "lowest", "highest", "black", "white"), GREY)
    def test_grey(
        self, dtype: str, lowest: float, highest: float, black: float, white: float, photometric: str, order: str
    ) -> None:
        values = ramp(1, highest, dtype, lowest)
        shown = grey(values, black, white)
        content = tiff_of(values, photometric=photometric, byteorder=ORDERS[order])
        shown = 255 - shown if photometric == "miniswhite" else shown
        decoded = agree_or_name(content, shown, "TIFF of grey", str(values.dtype.itemsize * 8))
        if photometric == "minisblack" and (dtype, order) != ("uint32", "big"):
            assert decoded

    @pytest.mark.parametrize("dtype", OTHER_GREY)
    def test_depths_that_are_not_supported_are_named(self, dtype: str) -> None:
        values = ramp(1, 100, dtype)
        assert not agree_or_name(
            tiff_of(values, photometric="minisblack"), grey(values.real, 0, 100), f"{values.dtype.itemsize * 8} bits"
        )

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32"])
    def test_grey_in_every_container(self, dtype: str, order: str, layout: str, compression: str) -> None:
        highest = {"uint8": 255, "uint16": 4095, "int16": 4095, "float32": 1}[dtype]
        values = ramp(1, highest, dtype)
        content = tiff_of(
            values, photometric="minisblack", byteorder=ORDERS[order], compression=compression, **LAYOUTS[layout]
        )
        agree(content, grey(values, 0, highest))

    @pytest.mark.parametrize("compression", ["lzw", "zlib", "zstd"])
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize(("dtype", "channels"), [("uint8", 1), ("uint16", 1), ("uint8", 3), ("uint16", 3)])
    def test_horizontal_differences(self, dtype: str, channels: int, order: str, compression: str) -> None:
        highest = np.iinfo(dtype).max
        values = ramp(channels, highest, dtype)
        content = tiff_of(
            values,
            photometric="rgb" if channels == 3 else "minisblack",
            byteorder=ORDERS[order],
            compression=compression,
            predictor=True,
        )
        agree(content, values / highest * 255 if channels == 3 else grey(values, 0, highest))

    @pytest.mark.parametrize("order", ORDERS)
    def test_differences_of_floats(self, order: str) -> None:
        values = ramp(1, 1, "float32")
        content = tiff_of(values, photometric="minisblack", byteorder=ORDERS[order], compression="zlib", predictor=3)
        assert agree_or_name(content, grey(values, 0, 1), "float")

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("planes", ["contig", "separate"])
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize(("dtype", "highest"), [("uint8", 255), ("uint16", 65535), ("uint16", 4095)])
    def test_rgb_in_every_container(
        self, dtype: str, highest: int, order: str, planes: str, layout: str, compression: str
    ) -> None:
        values = ramp(3, highest, dtype)
        content = tiff_of(
            np.ascontiguousarray(np.moveaxis(values, 2, 0)) if planes == "separate" else values,
            photometric="rgb",
            planarconfig=planes,
            byteorder=ORDERS[order],
            compression=compression,
            **LAYOUTS[layout],
        )
        decoded = agree_or_name(content, values / highest * 255, "TIFF of", "RGB", "plane")
        if planes == "contig":
            assert decoded

    @pytest.mark.parametrize("dtype", ["int8", "int16", "uint32", "int32", "float16", "float32", "float64"])
    def test_rgb_of_depths_that_are_not_supported_is_named(self, dtype: str) -> None:
        values = ramp(3, 100, dtype)
        name = {"u": "unsigned", "i": "signed", "f": "float"}[values.dtype.kind]
        assert not agree_or_name(
            tiff_of(values, photometric="rgb"), values * 2.55, "TIFF of RGB", f"{values.dtype.itemsize * 8} bits", name
        )

    @pytest.mark.parametrize("planes", ["contig", "separate"])
    @pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha", "unspecified"])
    @pytest.mark.parametrize(("dtype", "highest"), [("uint8", 255), ("uint16", 65535), ("uint16", 4095)])
    def test_alpha(self, dtype: str, highest: int, alpha: str, planes: str) -> None:
        values = ramp(4, highest, dtype)
        opacity = values[..., 3:] / highest
        if alpha == "assocalpha":
            values[..., :3] = values[..., :3] * opacity
        content = tiff_of(
            np.ascontiguousarray(np.moveaxis(values, 2, 0)) if planes == "separate" else values,
            photometric="rgb",
            planarconfig=planes,
            extrasamples=[alpha],
        )
        colour = values[..., :3] / highest * 255
        over = {
            "unspecified": colour,
            "unassalpha": colour * opacity + 128 * (1 - opacity),
            "assocalpha": colour + 128 * (1 - opacity),
        }[alpha]
        decoded = agree_or_name(content, over, "TIFF of", "RGB", tolerance=3.0)
        if planes == "contig" and (alpha != "assocalpha" or highest != 4095):
            assert decoded

    @pytest.mark.parametrize("depth", [8, 16])
    @pytest.mark.parametrize("alpha", ["unassalpha", "assocalpha", "unspecified"])
    def test_grey_with_alpha(self, alpha: str, depth: int) -> None:
        highest = 2**depth - 1
        values = ramp(2, highest, f"uint{depth}")
        opacity = values[..., 1:] / highest
        if alpha == "assocalpha":
            values[..., :1] = values[..., :1] * opacity
        colour = np.repeat(values[..., :1] / highest * 255, 3, axis=2)
        over = {
            "unspecified": colour,
            "unassalpha": colour * opacity + 128 * (1 - opacity),
            "assocalpha": colour + 128 * (1 - opacity),
        }[alpha]
        content = tiff_of(values, photometric="minisblack", planarconfig="contig", extrasamples=[alpha])
        assert agree_or_name(content, over, "TIFF of grey", "2 samples", tolerance=3.0) or depth == 16

    @pytest.mark.parametrize("compression", COMPRESSIONS)
    @pytest.mark.parametrize("scale", [257, 256, 1], ids=["16 bits", "high byte", "8 bits"])
    def test_palette(self, scale: int, compression: str) -> None:
        indices = ramp(1, 255, "uint8")
        colours = np.stack([np.arange(256), np.arange(255, -1, -1), np.full(256, 77)])
        content = tiff_of(
            indices, photometric="palette", colormap=(colours * scale).astype(np.uint16), compression=compression
        )
        agree(content, colours.T[indices].astype(np.float64))

    @pytest.mark.parametrize("photometric", ["cielab", "icclab", "itulab"])
    def test_lab_is_named(self, photometric: str) -> None:
        content = tiff_of(ramp(3, 255, "uint8"), photometric=photometric)
        with pytest.raises(ImageError, match=r"(?i)lab .*is not supported"):
            decode(content)

    def test_ycbcr_without_subsampling(self) -> None:
        values = ramp(3, 255, "uint8")
        content = tiff_of(values, photometric="ycbcr", extratags=[(530, 3, 2, (1, 1), True)])
        y, cb, cr = (values[..., channel].astype(np.float64) for channel in range(3))
        expected = np.stack(
            [y + 1.402 * (cr - 128), y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128), y + 1.772 * (cb - 128)], axis=2
        )
        agree_or_name(content, np.clip(expected, 0, 255), "YCbCr", tolerance=2.0)

    @pytest.mark.parametrize("compression", ["jpeg", "webp"])
    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_lossy_compressions(self, compression: str, layout: str) -> None:
        stream = io.BytesIO()
        values = ramp(3, 255, "uint8")
        tifffile.imwrite(stream, values, photometric="rgb", compression=compression, **LAYOUTS[layout])
        expected = tifffile.imread(io.BytesIO(stream.getvalue())).astype(np.float64)
        agree_or_name(stream.getvalue(), expected, {"jpeg": "JPEG", "webp": "WebP"}[compression], tolerance=8.0)

    @pytest.mark.parametrize("compression", ["jpegxl", "jpeg2000", "lerc", "jpegxr", "png"])
    def test_compressions_that_are_not_supported_are_named(
        self, compression: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        stream = io.BytesIO()
        tifffile.imwrite(stream, ramp(1, 255, "uint8"), photometric="minisblack", compression=compression)
        with pytest.raises(ImageError, match=r"TIFF of grey .* compression is not supported"):
            decode(stream.getvalue())
        assert capfd.readouterr().err == ""

    @pytest.mark.parametrize("big", [False, True])
    @pytest.mark.parametrize("order", ORDERS)
    def test_big_tiff(self, order: str, big: bool) -> None:
        values = ramp(3, 255, "uint8")
        content = tiff_of(values, photometric="rgb", byteorder=ORDERS[order], bigtiff=big)
        agree_or_name(content, values.astype(np.float64), "TIFF")

    def test_a_stack_gives_its_first_page(self) -> None:
        values = np.stack([ramp(1, 255, "uint8"), ramp(1, 99, "uint8")])
        agree(tiff_of(values, photometric="minisblack"), grey(values[0], 0, 255))


class TestPng:
    @pytest.mark.parametrize("channels", [1, 2, 3, 4])
    @pytest.mark.parametrize(("depth", "highest"), [(8, 255), (16, 65535), (16, 4095), (16, 1023)])
    def test_as_opencv_writes_it(self, depth: int, highest: int, channels: int) -> None:
        values = ramp(channels, highest, f"uint{depth}")
        if channels in (2, 4):
            values[..., -1] = 2**depth - 1
            values[: HEIGHT // 2, :, -1] = 0
        if channels == 2:
            content = png_by_hand(values, depth, 4)
        else:
            stored = values[..., [2, 1, 0, 3][:channels]] if channels > 1 else values
            content = cv2.imencode(".png", stored)[1].tobytes()
        shown = values.astype(np.float64) / highest * 255
        expected = np.repeat(shown[..., None] if channels == 1 else shown[..., :1], 3, axis=2)
        expected = shown[..., :3] if channels >= 3 else expected
        if channels in (2, 4):
            expected[: HEIGHT // 2] = 128
        agree(content, expected)

    @pytest.mark.parametrize("colour", [0, 2])
    @pytest.mark.parametrize(("bits", "highest", "white"), [(12, 900, 4095), (12, 65535, 65535), (10, 1000, 1023)])
    def test_significant_bits(self, bits: int, highest: int, white: int, colour: int) -> None:
        # Samples by the standard are spread over all 16 bits; those of careless writers are not, and then this counts.
        channels = 3 if colour == 2 else 1
        values = ramp(channels, highest, "uint16")
        content = png_by_hand(values, 16, colour, (b"sBIT", bytes([bits] * channels)))
        shown = values / white * 255
        agree(content, shown if channels == 3 else np.repeat(shown[..., None], 3, axis=2))

    @pytest.mark.parametrize("depth", [1, 2, 4, 16])
    def test_transparent_grey(self, depth: int) -> None:
        highest = 2**depth - 1
        values = np.round(ramp(1, highest, "float64")).astype(np.uint16 if depth == 16 else np.uint8)
        content = png_by_hand(values, depth, 0, (b"tRNS", int(highest).to_bytes(2, "big")))
        expected = grey(values, 0, highest)
        expected[values == highest] = 128
        agree(content, expected)

    @pytest.mark.parametrize("depth", [8, 16])
    def test_transparent_colour(self, depth: int) -> None:
        highest = 2**depth - 1
        values = ramp(3, highest, f"uint{depth}")
        chosen = values[3, 5]
        content = png_by_hand(values, depth, 2, (b"tRNS", b"".join(int(value).to_bytes(2, "big") for value in chosen)))
        expected = values / highest * 255
        expected[(values == chosen).all(axis=2)] = 128
        agree(content, expected)

    @pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
    @pytest.mark.parametrize("level", [0, 9])
    def test_as_pillow_writes_it(self, mode: str, level: int) -> None:
        image = of_mode(mode)
        agree(encoded(image, "PNG", compress_level=level), shown_by_pillow(image))


class TestOtherFormats:
    @pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA"])
    def test_bmp(self, mode: str) -> None:
        image = of_mode(mode)
        # BMP's fourth byte is padding to most software, Pillow included.
        expected = np.asarray(image.convert("RGB"), dtype=np.float64) if mode == "RGBA" else shown_by_pillow(image)
        content = encoded(image, "BMP")
        opencv = shown_by_opencv(content)
        assert np.abs(opencv - expected).max() <= 1
        agree(content, expected)

    @pytest.mark.parametrize("mode", ["1", "L", "P"])
    def test_gif(self, mode: str) -> None:
        image = of_mode(mode)
        content = encoded(image, "GIF")
        opencv = shown_by_opencv(content)
        agree(content, opencv)

    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
    def test_webp(self, mode: str) -> None:
        image = of_mode(mode)
        agree(encoded(image, "WEBP", lossless=True, exact=True), shown_by_pillow(image))

    @pytest.mark.parametrize("progressive", [False, True])
    @pytest.mark.parametrize("subsampling", [0, 1, 2])
    @pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
    def test_jpeg(self, mode: str, subsampling: int, progressive: bool) -> None:
        image = of_mode(mode)
        content = encoded(image, "JPEG", quality=98, subsampling=subsampling, progressive=progressive)
        pillow = np.asarray(image.convert("RGB"), dtype=np.float64)
        # OpenCV takes CMYK for another kind.
        agree(content, pillow if mode == "CMYK" else shown_by_opencv(content), tolerance=12.0)


def of_mode(mode: str) -> Image.Image:
    rgb = Image.fromarray(ramp(3, 255, "uint8"))
    if mode == "I;16":
        return Image.fromarray(ramp(1, 65535, "uint16"))
    if mode in ("RGBA", "LA"):
        rgb.putalpha(Image.fromarray(np.where(ramp(1, 255, "uint8") > 99, 255, 0).astype(np.uint8)))
    return rgb.quantize(64) if mode == "P" else rgb.convert(mode)


def shown_by_pillow(image: Image.Image) -> NDArray[np.float64]:
    if image.mode == "I;16":
        return grey(np.asarray(image), 0, 65535)
    pixels = np.asarray(image.convert("RGBA"), dtype=np.float64)
    opacity = pixels[..., 3:] / 255
    return np.asarray(pixels[..., :3] * opacity + 128 * (1 - opacity))


def shown_by_opencv(content: bytes) -> NDArray[np.float64]:
    bgr = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    return bgr[..., ::-1].astype(np.float64)


def png_by_hand(values: NDArray[Any], depth: int, colour: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG of any depth and colour type, written bit by bit, with more chunks before its pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = values.reshape(len(values), -1)
    if depth == 16:
        packed = [row.astype(">u2").tobytes() for row in rows]
    elif depth == 8:
        packed = [row.astype(np.uint8).tobytes() for row in rows]
    else:
        bits = (rows[..., None] >> np.arange(depth - 1, -1, -1)) & 1
        packed = [np.packbits(row.reshape(-1).astype(np.uint8)).tobytes() for row in bits]
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in packed))
    extra = b"".join(chunk(*one) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
