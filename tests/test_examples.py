"""The photographs that are shipped: complete, small, boxed inside the image, and each with a licence."""

import csv
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
IMAGES = sorted((EXAMPLES / "images").iterdir())
WITHOUT = sorted((EXAMPLES / "without").iterdir())


def _rows() -> list[dict[str, str]]:
    with (EXAMPLES / "boxes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_image_has_a_box_and_every_box_an_image() -> None:
    assert len(IMAGES) >= 12
    assert {row["file"] for row in _rows()} == {path.name for path in IMAGES}


@pytest.mark.parametrize("row", _rows(), ids=lambda row: f"{row['file']}-{row['x0']}")
def test_box_lies_in_its_image(row: dict[str, str]) -> None:
    with Image.open(EXAMPLES / "images" / row["file"]) as image:
        width, height = image.size
    assert 0 <= float(row["x0"]) < float(row["x1"]) <= width
    assert 0 <= float(row["y0"]) < float(row["y1"]) <= height


def test_two_megabytes_are_enough() -> None:
    assert sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file()) <= 2_000_000


@pytest.mark.parametrize("path", [*IMAGES, *WITHOUT], ids=lambda path: path.name)
def test_image_is_a_plain_jpeg_with_a_stated_licence(path: Path) -> None:
    name = path.name if path.parent.name == "images" else f"without/{path.name}"
    lines = [line for line in (EXAMPLES / "LICENSES.md").read_text().splitlines() if line.startswith(f"| `{name}` |")]
    assert len(lines) == 1
    assert any(licence in lines[0] for licence in ("[CC0 1.0]", "[CC BY-SA 3.0]", "[CC BY-SA 4.0]", "public domain"))
    with Image.open(path) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert max(image.size) <= 640
        assert not image.getexif()
