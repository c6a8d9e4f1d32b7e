"""The one list of image formats."""

import pytest
from PIL import Image

from colocalization.image_formats import DECODED_FORMATS, DECODED_SUFFIXES, HEAD_BYTES, UNDECODED_FORMATS, format_of
from tests.colocalization.sample_images import encoded


def test_suffixes_are_lower_case_and_in_one_list_only() -> None:
    suffixes = [*DECODED_SUFFIXES, *UNDECODED_FORMATS]
    assert len(set(suffixes)) == len(suffixes)
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in suffixes)


def test_every_decoded_suffix_is_pillows_for_a_decoded_format() -> None:
    by_suffix = Image.registered_extensions()
    # Pillow has names of its own for kinds of JPEG and BMP.
    assert {by_suffix[suffix] for suffix in DECODED_SUFFIXES} == {*DECODED_FORMATS, "MPO", "DIB"}


def test_no_suffix_of_a_decoded_format_counts_as_undecoded() -> None:
    by_suffix = Image.registered_extensions()
    assert not [suffix for suffix in UNDECODED_FORMATS if by_suffix.get(suffix) in DECODED_FORMATS]


@pytest.mark.parametrize("name", DECODED_FORMATS)
def test_content_of_decoded_formats(name: str) -> None:
    assert format_of(encoded(Image.new("RGB", (8, 8)), name)[:HEAD_BYTES]) == name


@pytest.mark.parametrize(
    ("pillow", "name"),
    [("JPEG2000", "JPEG 2000"), ("AVIF", "AVIF"), ("PPM", "Netpbm"), ("DDS", "DirectDraw Surface")],
)
def test_content_of_undecoded_formats(pillow: str, name: str) -> None:
    assert format_of(encoded(Image.new("RGB", (8, 8)), pillow)[:HEAD_BYTES]) == name


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIF"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "camera raw (Canon)"),
        (b"II*\0\x10\0\0\0CR\2\0", "camera raw (Canon)"),
        (b"IIRO\x08\0\0\0", "camera raw (Olympus)"),
        (b"IIU\0\x18\0\0\0", "camera raw (Panasonic)"),
        (b"FUJIFILMCCD-RAW 0201FF383501", "camera raw (Fujifilm)"),
        (b"\xff\x0a\xfa\x1f", "JPEG XL"),
        (b"#?RADIANCE\nFORMAT=", "Radiance HDR"),
        (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", None),  # a film
        (b"BMW is a car, and this a letter of it.", None),
        (b"PK\x03\x04", None),
        (b"ENVI\nsamples = 100\n", None),
        (b"", None),
    ],
)
def test_content_by_hand(head: bytes, name: str | None) -> None:
    assert format_of(head) == name
