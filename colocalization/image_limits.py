"""What one image may cost."""

from dataclasses import dataclass

from colocalization.errors import ImageError

__all__ = ["ImageLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLimits:
    """What one image may cost.

    Attributes:
        max_bytes: Largest encoded size, in bytes.
        max_pixels: Largest width times height in the header, in pixels.
        working_side: Images are reduced to this long side, in pixels, right after decoding. Boxes are still given
            in pixels of the original; heat maps and overlays have the working size.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 64_000_000
    working_side: int = 1024

    def __post_init__(self) -> None:
        for name in ("max_bytes", "max_pixels", "working_side"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")

    def check_bytes(self, size: int) -> None:
        """Refuse an encoded image of no bytes, or of too many.

        Raises:
            ImageError: It is.
        """
        if size == 0:
            raise ImageError("empty_file", "the file has 0 bytes")
        if size > self.max_bytes:
            raise ImageError("file_too_large", f"{size} bytes, at most {self.max_bytes} are allowed")

    def check_pixels(self, width: int, height: int) -> None:
        """Refuse an image of too many pixels.

        Raises:
            ImageError: It is.
        """
        if width * height > self.max_pixels:
            raise ImageError(
                "image_too_large",
                f"{width} x {height} = {width * height} pixels, at most {self.max_pixels} are allowed",
            )
