"""The page in a browser: images are chosen, a hint is drawn by hand, and what comes back is drawn."""

import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.service.conftest import encode
from tests.service.processes import Running, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FilePayload, Page

playwright = pytest.importorskip("playwright.sync_api")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="module")
def service() -> Iterator[Running]:
    with running() as made:
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    if BROWSER is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def page(service: Running, browser: "Browser") -> Iterator["Page"]:
    made = browser.new_page()
    wrong: list[str] = []
    made.on("console", lambda message: wrong.append(message.text))
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.goto(service.url)
    made.locator("#limits", has_text="up to 64 at a time").wait_for()
    yield made
    made.close()
    assert wrong == []


def chosen(page: "Page", *names: str) -> None:
    """Choose images of 64 x 64 pixels with a white square at (16, 16) and another at (40, 40), and wait for boxes."""
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[16:32, 16:32] = pixels[40:56, 40:56] = 255
    content = encode(pixels, "PNG")
    files: list[FilePayload] = [{"name": name, "mimeType": "image/png", "buffer": content} for name in names]
    page.set_input_files("#files", files)
    page.get_by_text("Done in").wait_for()


def again(page: "Page", button: str) -> None:
    with page.expect_response("**/colocalize") as answer:
        page.get_by_role("button", name=button, exact=True).click()
    assert answer.value.ok
    page.get_by_text("Done in").wait_for()


def drag(page: "Page", card: int, start: tuple[int, int], end: tuple[int, int]) -> None:
    """Draw on an image, from and to pixels of it."""
    page.locator(".card").nth(card).get_by_role("button", name="Draw the object").click()
    stage = page.locator(".card").nth(card).locator(".stage")
    stage.scroll_into_view_if_needed()
    frame = stage.bounding_box()
    assert frame is not None
    for move, (x, y) in ((False, start), (True, end)):
        page.mouse.move(frame["x"] + x / 64 * frame["width"], frame["y"] + y / 64 * frame["height"])
        if not move:
            page.mouse.down()
    page.mouse.up()


def rects(page: "Page", card: int, kind: str) -> list[list[float]]:
    found = page.locator(".card").nth(card).locator(f".{kind} rect:not(.outline)").all()
    return [[float(rect.get_attribute(side) or "nan") for side in ("x", "y", "width", "height")] for rect in found]


def test_hint_drawn_by_hand_is_the_images_box(page: "Page") -> None:
    chosen(page, "a.png", "a.png", "b.png")  # of one name: each gets its own, or they could not be hinted
    drag(page, 1, (56, 60), (8, 10))  # from the lower right
    assert rects(page, 1, "hints") == [pytest.approx([8, 10, 48, 50], abs=1)]
    again(page, "Run again with this hint")
    assert rects(page, 1, "boxes") == [pytest.approx([8, 10, 48, 50], abs=1)]
    assert rects(page, 1, "hints") == [pytest.approx([8, 10, 48, 50], abs=1)]  # still there, for more
    assert "100 % sure" in page.locator(".card").nth(1).locator(".facts").inner_text()
    drag(page, 0, (10, 10), (30, 30))
    assert page.locator("#again").inner_text() == "Run again with these 2 hints"
    again(page, "Forget the hints")
    assert (rects(page, 1, "hints"), page.locator("#again").inner_text()) == ([], "Run again")
    assert rects(page, 1, "boxes") != [pytest.approx([8, 10, 48, 50], abs=1)]


def test_image_that_does_not_show_it(page: "Page") -> None:
    chosen(page, "a.png", "b.png", "c.png")
    absent = page.locator(".card").nth(2).get_by_role("button", name="Not in this one")
    absent.click()
    absent.click()  # once more takes it back
    assert page.locator("#again").inner_text() == "Run again"
    absent.click()
    again(page, "Run again with this hint")
    assert (len(rects(page, 0, "boxes")), rects(page, 2, "boxes")) == (1, [])
    assert "nothing found" in page.locator(".card").nth(2).locator(".facts").inner_text()


def test_click_is_no_hint_and_other_images_have_none(page: "Page") -> None:
    chosen(page, "a.png", "b.png")
    drag(page, 0, (10, 10), (10, 10))
    assert page.locator("#again").inner_text() == "Run again"
    page.mouse.move(0, 0)
    drag_button = page.locator(".card").nth(0).get_by_role("button", name="Draw the object")
    assert drag_button.get_attribute("aria-pressed") == "true"  # still asked for
    drag_button.click()
    drag(page, 0, (10, 10), (30, 30))
    assert page.locator("#again").inner_text() == "Run again with this hint"
    chosen(page, "c.png", "d.png")
    page.get_by_role("button", name="Run again", exact=True).wait_for()
    assert rects(page, 0, "hints") == []


def test_all_boxes_are_drawn(page: "Page") -> None:
    chosen(page, "a.png", "b.png")
    page.locator("#mode").select_option("attention")
    page.get_by_text("Done in").wait_for()
    page.locator("#max-boxes").fill("0")
    again(page, "Run again")
    page.locator(".card").nth(0).locator("text=2 boxes").wait_for()
    assert len(rects(page, 0, "boxes")) == 2
