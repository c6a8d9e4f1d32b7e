"""Which formats of still images there are: those that are decoded, and those that are named when they are refused.

The one list of suffixes, for every command: `score`, `fit`, `train` and `export` see the same images in a folder.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["DECODED_FORMATS", "DECODED_SUFFIXES", "HEAD_BYTES", "UNDECODED_FORMATS", "format_of"]

DECODED_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""Formats that are decoded, by Pillow's names. JPEG includes MPO, which phones and stereo cameras write as .jpg."""

DECODED_SUFFIXES = frozenset(
    (".apng", ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp")
)
"""Lower-case suffixes of files in these formats."""

# Left out on purpose: suffixes that mostly belong to something else (.raw, .hdr, .img, .cap, .ptx), icons, vector
# graphics. Where their content is that of an image, `format_of` still says so.
_UNDECODED_SUFFIXES = {
    "AVIF": ".avif .avifs",
    "DICOM": ".dcm .dicom",
    "DPX": ".dpx",
    "DirectDraw Surface": ".dds",
    "ECW": ".ecw",
    "FITS": ".fit .fits .fts",
    "GIMP": ".xcf",
    "HEIF": ".heic .heics .heif .heifs .hif",
    "JPEG 2000": ".j2c .j2k .jp2 .jpc .jpf .jpm .jpx",
    "JPEG XL": ".jxl",
    "JPEG XR": ".hdp .jxr .wdp",
    "JPEG-LS": ".jls",
    "MrSID": ".sid",
    "Netpbm": ".pam .pbm .pfm .pgm .pnm .ppm",
    "OpenEXR": ".exr",
    "PCX": ".pcx",
    "Photoshop": ".psb .psd",
    "QOI": ".qoi",
    "SGI": ".rgba .sgi",
    "Sun raster": ".ras",
    "Targa": ".tga",
    "camera raw (ARRI)": ".ari",
    "camera raw (Adobe DNG)": ".dng",
    "camera raw (Canon)": ".cr2 .cr3 .crw",
    "camera raw (Epson)": ".erf",
    "camera raw (Fujifilm)": ".raf",
    "camera raw (GoPro)": ".gpr",
    "camera raw (Hasselblad)": ".3fr .fff",
    "camera raw (Kodak)": ".dcr .k25 .kdc",
    "camera raw (Leaf)": ".mos",
    "camera raw (Leica)": ".rwl",
    "camera raw (Mamiya)": ".mef",
    "camera raw (Minolta)": ".mrw",
    "camera raw (Nikon)": ".nef .nrw",
    "camera raw (Olympus)": ".orf .ori",
    "camera raw (Panasonic)": ".rw2",
    "camera raw (Pentax)": ".pef",
    "camera raw (Phase One)": ".eip .iiq",
    "camera raw (Samsung)": ".srw",
    "camera raw (Sigma)": ".x3f",
    "camera raw (Sony)": ".arw .sr2 .srf",
}

UNDECODED_FORMATS: Mapping[str, str] = MappingProxyType(
    {suffix: name for name, suffixes in _UNDECODED_SUFFIXES.items() for suffix in suffixes.split()}
)
"""Lower-case suffix of a still image that is not decoded -> name of its format: someone with a folder of HEIC files
must hear about it, rather than have them counted among the files that are no images."""

HEAD_BYTES = 32
"""How many of a file's first bytes `format_of` looks at."""

_CONTENTS = [
    (re.compile(pattern, re.DOTALL), name)
    for pattern, name in (
        (rb"\xff\xd8\xff", "JPEG"),
        (rb"\x89PNG\r\n\x1a\n", "PNG"),
        (rb"RIFF.{4}WEBP", "WEBP"),
        (rb"GIF8[79]a", "GIF"),
        (rb"BM.{12}[\x0c\x10\x28\x34\x38\x40\x6c\x7c]\0\0\0", "BMP"),  # by the sizes that its header can have
        (rb"II[*+]\0.{4}CR\x02", "camera raw (Canon)"),
        (rb"II\x1a\0\0\0HEAPCCDR", "camera raw (Canon)"),
        (rb".{4}ftypcrx ", "camera raw (Canon)"),
        (rb"II[*+]\0|MM\0[*+]|MM\*\0|II\0\*", "TIFF"),
        (rb"II\xbc", "JPEG XR"),
        (rb"IIR[OS]|MMO[RS]", "camera raw (Olympus)"),
        (rb"IIU\0", "camera raw (Panasonic)"),
        (rb"FUJIFILMCCD-RAW", "camera raw (Fujifilm)"),
        (rb"\0MRM", "camera raw (Minolta)"),
        (rb"FOVb", "camera raw (Sigma)"),
        (rb".{4}ftypavi[fs]", "AVIF"),
        (rb".{4}ftyp(?:hei[cmsx]|hev[cmsx]|mif[12]|msf1)", "HEIF"),
        (rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51", "JPEG 2000"),
        (rb"\0\0\0\x0cJXL \r\n\x87\n|\xff\x0a", "JPEG XL"),
        (rb"8BPS\0[\1\2]", "Photoshop"),
        (rb"gimp xcf ", "GIMP"),
        (rb"v/1\x01", "OpenEXR"),
        (rb"#\?(?:RADIANCE|RGBE)\n", "Radiance HDR"),
        (rb"SIMPLE  =", "FITS"),
        (rb"qoif", "QOI"),
        (rb"P[1-7][ \t\r\n]+[#0-9W]", "Netpbm"),
        (rb"DDS \x7c", "DirectDraw Surface"),
    )
]


def format_of(head: bytes) -> str | None:
    r"""The format of an image by its first bytes.

    Args:
        head: The first `HEAD_BYTES` of a file.

    Returns:
        One of `DECODED_FORMATS`, the name of a format that is not decoded, or None where it is no image known here.
        Camera raw that is a TIFF is mostly "TIFF" here; `decode` tells it by its directories.

    Example:
        >>> format_of(b"\xff\xd8\xff\xe0\0\x10JFIF"), format_of(b"\0\0\0\x18ftypheic"), format_of(b"name,x0\n")
        ('JPEG', 'HEIF', None)
    """
    return next((name for pattern, name in _CONTENTS if pattern.match(head)), None)
