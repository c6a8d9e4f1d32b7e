"""Endings of the names of image files: the one list that everything which looks for images goes by."""

from pathlib import PurePath

__all__ = ["DECODED", "IMAGE_SUFFIXES", "NOT_DECODED", "has_image_suffix"]

DECODED = frozenset(
    [".apng", ".bmp", ".dib", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp"]
)
"""Formats that `colocalization.images` decodes."""

_CAMERA_RAW = (
    ".3fr .arw .cr2 .cr3 .crw .dcr .dng .erf .fff .gpr .iiq .k25 .kdc .mef .mos .mrw .nef .nrw .orf .pef .raf .raw "
    ".rw2 .rwl .sr2 .srf .srw .x3f"
)

NOT_DECODED = {
    **dict.fromkeys([".avci", ".avcs", ".heic", ".heics", ".heif", ".heifs", ".hif"], "HEIF"),
    **dict.fromkeys((".avif", ".avifs"), "AVIF"),
    **dict.fromkeys([".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpm", ".jpx"], "JPEG 2000"),
    **dict.fromkeys((".hdp", ".jxr", ".wdp"), "JPEG XR"),
    ".jxl": "JPEG XL",
    **dict.fromkeys([".pam", ".pbm", ".pgm", ".pnm", ".ppm"], "Netpbm"),
    **dict.fromkeys((".psb", ".psd"), "Photoshop"),
    ".exr": "OpenEXR",
    ".tga": "Targa",
    **dict.fromkeys(_CAMERA_RAW.split(), "camera raw"),
}
"""Still images in formats that are not decoded, each with the name of its format. They get an error each rather than
being counted among the files that are no images: someone with a folder of HEIC must hear about it."""

IMAGE_SUFFIXES = DECODED | frozenset(NOT_DECODED)
"""All of them, in lower case, with their dot."""


def has_image_suffix(name: str) -> bool:
    """Whether a name ends like that of an image, in capitals or small letters.

    Example:
        >>> has_image_suffix("birds/A.JPG"), has_image_suffix("phone.heic"), has_image_suffix("notes.txt")
        (True, True, False)
    """
    return PurePath(name).suffix.lower() in IMAGE_SUFFIXES
