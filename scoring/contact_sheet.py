"""One image that shows many: tiles in a grid, each with its name and what was found."""

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

__all__ = ["MAX_TILES", "TILE_SIDE", "Tile", "contact_sheet"]

MAX_TILES = 48
"""Most tiles on a sheet; of a larger set, images are taken evenly spread."""

TILE_SIDE = 240
"""Side of the square that a tile is fitted into, in pixels."""

_CAPTION_HEIGHT = 20
_MARGIN = 8
_MOST_COLUMNS = 8
_BACKGROUND, _TEXT, _EMPTY, _MARK = (250, 250, 250), (30, 30, 30), (225, 225, 225), (200, 30, 30)


@dataclass(frozen=True, slots=True)
class Tile:
    """One place on the sheet.

    Attributes:
        name: What is written below it; shortened in the middle where it is too long.
        image: File of the overlay, or None where there is none to show.
        mark: What is written across the image in red, with a red frame; None for no mark.
    """

    name: str
    image: Path | None
    mark: str | None = None


def contact_sheet(tiles: Sequence[Tile], columns: int | None = None) -> Image.Image:
    """Lay tiles out in a grid, row by row.

    Args:
        tiles: At least one tile.
        columns: Tiles in a row, at least 1; up to eight, as many as make it about square, if left out.

    Returns:
        The sheet, RGB.

    Raises:
        ValueError: There is no tile.
    """
    if not tiles:
        raise ValueError("a contact sheet needs at least one tile")
    columns = columns or min(_MOST_COLUMNS, _columns_of_a_square(len(tiles)))
    rows = -(-len(tiles) // columns)
    across, down = TILE_SIDE + _MARGIN, TILE_SIDE + _CAPTION_HEIGHT + _MARGIN
    sheet = Image.new("RGB", (columns * across + _MARGIN, rows * down + _MARGIN), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = _font()
    for position, tile in enumerate(tiles):
        left = _MARGIN + position % columns * across
        top = _MARGIN + position // columns * down
        _draw_tile(sheet, draw, font, tile, left, top)
    return sheet


@cache
def _font() -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which has shapes for Latin, Greek, Cyrillic and more; what it has none for is drawn as a frame."""
    content = (files("scoring") / "fonts" / "DejaVuSans.ttf").read_bytes()
    # The simple layout, so that a sheet is the same on all machines, whatever libraries for scripts they have.
    return ImageFont.truetype(io.BytesIO(content), size=13, layout_engine=ImageFont.Layout.BASIC)


def _columns_of_a_square(count: int) -> int:
    return next(side for side in range(1, count + 1) if side * side >= count)


def _draw_tile(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont,
    tile: Tile,
    left: int,
    top: int,
) -> None:
    frame = (left, top, left + TILE_SIDE - 1, top + TILE_SIDE - 1)
    draw.rectangle(frame, fill=_EMPTY)
    if tile.image is not None:
        with Image.open(tile.image) as image:
            fitted = image.convert("RGB")
        fitted.thumbnail((TILE_SIDE, TILE_SIDE), Image.Resampling.LANCZOS)
        sheet.paste(fitted, (left + (TILE_SIDE - fitted.width) // 2, top + (TILE_SIDE - fitted.height) // 2))
    if tile.mark is not None:
        draw.rectangle(frame, outline=_MARK, width=3)
        text = _shortened(tile.mark, TILE_SIDE - 12, draw, font)
        middle = left + TILE_SIDE / 2
        box = draw.textbbox((middle, top + 14), text, font=font, anchor="mm")
        draw.rectangle((box[0] - 4, box[1] - 3, box[2] + 4, box[3] + 3), fill=_MARK)
        draw.text((middle, top + 14), text, font=font, fill=_BACKGROUND, anchor="mm")
    caption = _shortened(tile.name, TILE_SIDE, draw, font)
    draw.text((left, top + TILE_SIDE + 3), caption, font=font, fill=_TEXT)


def _shortened(text: str, width: int, draw: ImageDraw.ImageDraw, font: ImageFont.FreeTypeFont) -> str:
    """The text on one line, with its middle left out until it is at most `width` pixels wide."""
    # Line ends and other control characters, and bytes that are no text, cannot be drawn.
    text = unicodedata.normalize("NFC", text)  # macOS takes letters and accents apart, which the font puts side by side
    text = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
    if draw.textlength(text, font=font) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = f"{text[: kept // 2]}…{text[-(kept - kept // 2) :]}"
        if draw.textlength(shorter, font=font) <= width:
            return shorter
    return "…"
