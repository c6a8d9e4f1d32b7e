"""What a person does on the page, in a word each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tests.service.conftest import encode

if TYPE_CHECKING:
    from playwright.sync_api import Download, FilePayload, Locator, Page

SIDE = 64


def squares(*corners: tuple[int, int], kind: str = "PNG") -> bytes:
    """64 x 64 black pixels with white squares of 16 at these upper left corners."""
    pixels = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    for x, y in corners:
        pixels[y : y + 16, x : x + 16] = 255
    return encode(pixels, kind)


TWO_SQUARES = squares((16, 16), (40, 40))


def files(*names: str, content: bytes = TWO_SQUARES) -> Sequence["FilePayload"]:
    return [{"name": name, "mimeType": "image/png", "buffer": content} for name in names]


def choose(page: "Page", *names: str, content: bytes = TWO_SQUARES) -> None:
    """Choose images, and wait for their boxes."""
    page.set_input_files("#files", files(*names, content=content))
    page.locator("#status", has_text="Done in").wait_for()


def run(page: "Page", button: str = "Run again") -> dict[str, str]:
    """Press a button that runs the set again; gives the fields that were sent, by name."""
    page.get_by_role("button", name=button, exact=True).click()
    page.locator("#progress").wait_for(state="hidden")
    return sent_fields(page)


def sent_fields(page: "Page") -> dict[str, str]:
    """The fields besides the images of the last form that was sent."""
    fields: dict[str, str] = page.evaluate("window.sentFields")
    return fields


def card(page: "Page", name: str) -> "Locator":
    return page.locator(".card").filter(has=page.locator(".name", has_text=name))


def names(page: "Page") -> list[str]:
    return page.locator(".card .name").all_inner_texts()


def look(page: "Page", name: str) -> None:
    """Open an image large."""
    card(page, name).locator(".open").click()
    page.locator("#viewer-name", has_text=name).wait_for()


def drag(page: "Page", start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag on the large image, from and to its pixels."""
    frame = page.locator("#viewer-stage").bounding_box()
    assert frame is not None
    for index, (x, y) in enumerate((start, end)):
        page.mouse.move(frame["x"] + x / SIDE * frame["width"], frame["y"] + y / SIDE * frame["height"], steps=4)
        if not index:
            page.mouse.down()
    page.mouse.up()


def rects(where: "Locator", kind: str = "") -> list[list[float]]:
    """Boxes that are drawn in a card or in the viewer, as x, y, width and height; `kind` is hand or found."""
    found = where.locator(f".boxes rect:not(.outline){f'.{kind}' if kind else ''}").all()
    return [[float(rect.get_attribute(side) or "nan") for side in ("x", "y", "width", "height")] for rect in found]


def typed_boxes(page: "Page") -> list[list[float]]:
    """The boxes as the table in the viewer has them: x0, y0, x1, y1."""
    rows = page.locator("#viewer-boxes tr").all()
    return [[float(entry.input_value()) for entry in row.locator("input").all()] for row in rows]


def download(page: "Page", kind: str) -> "Download":
    page.locator("#format").select_option(kind)
    with page.expect_download() as started:
        page.get_by_role("button", name="Download", exact=True).click()
    return started.value
