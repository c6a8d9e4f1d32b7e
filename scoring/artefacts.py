"""Images drawn of the images: heat maps, overlays, and the tiles that contact sheets are made of."""

import io
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colocalization.files import write_atomically
from colocalization.heatmaps import colorize, encode_png, overlay
from colocalization.images import DecodedImage
from colocalization.results import ImageResult
from scoring.contact_sheet import TILE_SIDE
from scoring.formats import FormatError

__all__ = ["Artefact", "Artefacts"]

Artefact = Literal["heatmap", "overlay", "tile"]

_JPEG_QUALITY = 90


class Artefacts:
    """Draws what was asked for, one file an image, in the sub-folders that the images have.

    The whole name of the image, ending included, begins the name of what is drawn of it (`a.jpg.png`), so that
    `a.jpg` and `a.png` do not overwrite each other's. Overlays are JPEG files; that of a JPEG has its very name.
    """

    def __init__(
        self, out: Path, state: Path, *, heatmaps: bool = False, overlays: bool = False, tiles: Container[str] = ()
    ) -> None:
        """Say what to draw, and where.

        Args:
            out: Folder of the results; heat maps go to `heatmaps/`, overlays to `overlays/` in it.
            state: Folder for the tiles.
            heatmaps: Whether to draw heat maps.
            overlays: Whether to draw overlays.
            tiles: Names of the images that need a tile for the contact sheet.
        """
        self._out = out
        self._state = state
        self._heatmaps = heatmaps
        self._overlays = overlays
        self._tiles = tiles

    def check_names(self, names: Iterable[str]) -> None:
        """Check, before any work is done, that no two images would have the same overlay.

        Raises:
            FormatError: Two would, such as `a.png` and `a.png.jpg`.
        """
        if not self._overlays:
            return
        seen: dict[str, str] = {}
        for name in names:
            if (other := seen.setdefault(_overlay_name(name), name)) != name:
                raise FormatError(f"the overlays of {other!r} and {name!r} would be the same file; rename one")

    def wanted(self, name: str) -> tuple[Artefact, ...]:
        """What is to be drawn of an image."""
        kinds: list[Artefact] = []
        if self._heatmaps:
            kinds.append("heatmap")
        if self._overlays:
            kinds.append("overlay")
        if name in self._tiles:
            kinds.append("tile")
        return tuple(kinds)

    def path(self, kind: Artefact, name: str) -> Path:
        """Where an image's heat map, overlay or tile lies."""
        match kind:
            case "heatmap":
                return self._out / "heatmaps" / f"{name}.png"
            case "overlay":
                return self._out / "overlays" / _overlay_name(name)
            case "tile":
                return self._state / "tiles" / f"{name}.png"

    def paths(self, name: str) -> list[Path]:
        """Where everything wanted of an image lies."""
        return [self.path(kind, name) for kind in self.wanted(name)]

    def are_present(self, name: str, drawn: Container[str]) -> bool:
        """Whether everything wanted of an image is among what was drawn of it, and still lies there."""
        return all(kind in drawn and self.path(kind, name).is_file() for kind in self.wanted(name))

    def draw(self, name: str, image: DecodedImage, result: ImageResult) -> tuple[Artefact, ...]:
        """Draw what is wanted of one image.

        Returns:
            What was drawn; nothing where the result has no heat map.

        Raises:
            OSError: A file cannot be written.
        """
        kinds = self.wanted(name)
        if result.heatmap is None or not kinds:
            return ()
        laid_over = _overlay(image, result) if {"overlay", "tile"} & set(kinds) else None
        for kind in kinds:
            if kind == "heatmap":
                content = encode_png(colorize(result.heatmap))
            elif laid_over is not None:
                content = _encode_jpeg(laid_over) if kind == "overlay" else encode_png(_tile(laid_over))
            write_atomically(self.path(kind, name), content, durable=False)
        return kinds


def _overlay_name(name: str) -> str:
    return name if name.lower().endswith((".jpg", ".jpeg")) else f"{name}.jpg"


def _overlay(image: DecodedImage, result: ImageResult) -> NDArray[np.uint8]:
    return overlay(image.rgb, result.heatmap, result.boxes, frame=image.frame)


def _tile(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(pixels)
    image.thumbnail((TILE_SIDE, TILE_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(image)


def _encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()
