"""One image that shows many: tiles in a grid, each with its name and what was found."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
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
_WHOLE_LETTERS = {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L"}
"""Latin letters that Unicode does not take apart into one of ASCII and an accent."""

_BACKGROUND, _TEXT, _EMPTY, _MARK = (250, 250, 250), (30, 30, 30), (225, 225, 225), (200, 30, 30)


@dataclass(frozen=True, slots=True)
class Tile:
    """One place on the sheet.

    Attributes:
        name: What is written below it; shortened in the middle where it is too long, and without what Pillow's font
            has no shapes for: accents are left out, other letters than Latin ones are question marks.
        image: File of the overlay, or None where there is none to show.
        mark: What is written across the image in red, with a red frame; None for no mark.
    """

    name: str
    image: Path | None
    mark: str | None = None


def contact_sheet(tiles: Sequence[Tile]) -> Image.Image:
    """Lay tiles out in a grid, row by row.

    Args:
        tiles: At least one tile.

    Returns:
        The sheet, RGB; up to eight columns, as many as make it about square before that.

    Raises:
        ValueError: There is no tile.
    """
    if not tiles:
        raise ValueError("a contact sheet needs at least one tile")
    columns = min(_MOST_COLUMNS, _columns_of_a_square(len(tiles)))
    rows = -(-len(tiles) // columns)
    across, down = TILE_SIDE + _MARGIN, TILE_SIDE + _CAPTION_HEIGHT + _MARGIN
    sheet = Image.new("RGB", (columns * across + _MARGIN, rows * down + _MARGIN), _BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=13)
    for position, tile in enumerate(tiles):
        left = _MARGIN + position % columns * across
        top = _MARGIN + position // columns * down
        _draw_tile(sheet, draw, font, tile, left, top)
    return sheet


def _columns_of_a_square(count: int) -> int:
    return next(side for side in range(1, count + 1) if side * side >= count)


def _draw_tile(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
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


def _shortened(
    text: str, width: int, draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> str:
    """The text on one line, with its middle left out until it is at most `width` pixels wide."""
    text = "".join(map(_drawable, text))
    if draw.textlength(text, font=font) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        shorter = f"{text[: kept // 2]}…{text[-(kept - kept // 2) :]}"
        if draw.textlength(shorter, font=font) <= width:
            return shorter
    return "…"


def _drawable(character: str) -> str:
    """A character in ASCII, which is what Pillow's font has shapes for; line ends and the like cannot be drawn either.

    Example:
        >>> "".join(map(_drawable, "Größe 写.jpg"))
        'Grosse ?.jpg'
    """
    parts = unicodedata.normalize("NFKD", _WHOLE_LETTERS.get(character, character))
    plain = "".join(part for part in parts if not unicodedata.combining(part))
    return plain if plain.isascii() and plain.isprintable() else "?"
