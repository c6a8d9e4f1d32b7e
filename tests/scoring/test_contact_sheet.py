from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scoring.contact_sheet import TILE_SIDE, Tile, contact_sheet


@pytest.fixture
def blue(tmp_path: Path) -> Path:
    """A wide blue image."""
    path = tmp_path / "blue.png"
    Image.new("RGB", (480, 240), (0, 0, 255)).save(path)
    return path


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (2, 2, 1), (4, 2, 2), (5, 3, 2), (48, 7, 7), (64, 8, 8), (100, 8, 13)]
)
def test_the_grid_is_about_square_up_to_eight_columns(count: int, columns: int, rows: int) -> None:
    sheet = contact_sheet([Tile("a", None)] * count)
    assert sheet.size == (columns * 248 + 8, rows * 268 + 8)


def test_an_image_is_fitted_into_the_middle_of_its_tile(blue: Path) -> None:
    pixels = np.asarray(contact_sheet([Tile("", blue)]))
    is_blue = (pixels == (0, 0, 255)).all(axis=2)
    ys, xs = np.nonzero(is_blue)
    # 480 x 240 fitted into 240 x 240 at (8, 8): 240 x 120, so 60 rows are free above it.
    assert (xs.min(), xs.max() + 1, ys.min(), ys.max() + 1) == (8, 248, 68, 188)
    assert is_blue.sum() == TILE_SIDE * 120


def test_a_mark_is_red_and_its_tile_alone_has_it(blue: Path) -> None:
    pixels = np.asarray(contact_sheet([Tile("a", blue), Tile("b", blue, "no common object")]))
    is_red = (pixels == (200, 30, 30)).all(axis=2)
    assert not is_red[:, :250].any()
    assert is_red[8, 256 : 256 + TILE_SIDE].all()  # the frame


def test_names_are_written_below_and_shortened_in_the_middle(blue: Path) -> None:
    def ink(name: str) -> int:
        below = np.asarray(contact_sheet([Tile(name, blue), Tile("", blue)]))[8 + TILE_SIDE :]
        assert (below[:, 250:] == 250).all(), "the name must not run into the next tile"
        return int((below.min(axis=2) < 128).sum())

    assert ink("") == 0
    assert ink("a.jpg") > 0
    assert ink("a/very/long/path/" * 20 + "name.jpg") > ink("a.jpg")


@pytest.mark.parametrize("name", ["line\nend.jpg", "bytes\udcff.jpg", "größe.jpg"])
def test_any_name_can_be_written(blue: Path, name: str) -> None:
    assert contact_sheet([Tile(name, blue)]).width == 256


def test_the_font_has_shapes_for_the_letters_of_europe(blue: Path) -> None:
    sheets = {
        contact_sheet([Tile(name, blue)]).tobytes()
        for name in ("größe.jpg", "grosse.jpg", "Łódź.jpg", "Lodz.jpg", "птица.jpg", "πουλί.jpg", "\0\0\0\0\0.jpg")
    }
    assert len(sheets) == 7


def test_a_letter_and_its_accent_are_drawn_whether_apart_or_together(blue: Path) -> None:
    apart, together, without = (contact_sheet([Tile(name, blue)]) for name in ("o\u0308", "ö", "o"))
    assert apart.tobytes() == together.tobytes() != without.tobytes()  # macOS writes names with letters taken apart


@pytest.mark.parametrize("name", ["line\nend.jpg", "line\udcffend.jpg", "line\x1bend.jpg"])
def test_what_cannot_be_drawn_is_replaced(blue: Path, name: str) -> None:
    assert contact_sheet([Tile(name, blue)]).tobytes() == contact_sheet([Tile("line\ufffdend.jpg", blue)]).tobytes()


def test_a_sheet_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one tile"):
        contact_sheet([])
