"""Make the screenshots of docs/how-to/page.md anew.

    python docs/figures/make_screenshots.py

Over the real service, with those photographs of examples/ that are in the public domain or under CC0. Needs the extra
`serve`, playwright and Chromium.
"""

import io
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FIGURES = Path(__file__).resolve().parent
EXAMPLES = FIGURES.parents[1] / "examples"
NAMES = (
    "domestic_duck", "hens", "kingfisher", "osprey", "owl", "scarlet_macaw", "wren", "../without/flowers",
)  # fmt: skip
PORT = 8765
URL = f"http://127.0.0.1:{PORT}/"
MOST_BYTES = 120_000


@contextmanager
def service() -> Iterator[None]:
    """`colocalize serve`, until it is no longer needed."""
    program = str(Path(sys.executable).with_name("colocalize"))
    process = subprocess.Popen([program, "serve", "--port", str(PORT)])  # noqa: S603
    try:
        while process.poll() is None:
            try:
                with urllib.request.urlopen(f"{URL}readyz", timeout=5):  # noqa: S310
                    break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.5)
        else:
            raise SystemExit("the service did not start")
        yield
    finally:
        process.terminate()
        process.wait(60)


def write(page: Page, name: str) -> None:
    """What the window shows, as WebP."""
    path = FIGURES / f"{name}.webp"
    Image.open(io.BytesIO(page.screenshot())).save(path, quality=80, method=6)
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than {MOST_BYTES}")


def localize(page: Page) -> None:
    """Choose the photographs, and wait for their boxes."""
    page.goto(URL)
    page.locator("body.ready").wait_for()
    page.set_input_files("#files", [EXAMPLES / "images" / f"{name}.jpg" for name in NAMES])
    page.locator("#status", has_text="Done in").wait_for()
    page.locator("#order").select_option("outliers")


def draw(page: Page, corners: tuple[float, float, float, float], size: tuple[int, int]) -> None:
    """Drag a box on the large image, corners in its pixels."""
    frame = page.locator("#viewer-stage").bounding_box()
    if frame is None:
        raise SystemExit("no image is open")
    x0, y0, x1, y1 = corners
    for index, (x, y) in enumerate(((x0, y0), (x1, y1))):
        page.mouse.move(frame["x"] + x / size[0] * frame["width"], frame["y"] + y / size[1] * frame["height"], steps=5)
        if not index:
            page.mouse.down()
    page.mouse.up()


def main() -> None:
    """Write the screenshots."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with service(), sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1200, "height": 860})
        localize(page)
        page.locator("#bar").scroll_into_view_if_needed()
        write(page, "page-results")
        page.locator(".card").filter(has=page.locator(".name", has_text="hens")).locator(".open").click()
        page.locator("#viewer-name", has_text="hens").wait_for()
        with Image.open(EXAMPLES / "images" / "hens.jpg") as image:
            draw(page, (442, 81, 621, 378), image.size)
        write(page, "page-correction")
        phone = browser.new_page(
            viewport={"width": 390, "height": 780}, is_mobile=True, has_touch=True, color_scheme="dark"
        )
        localize(phone)
        phone.evaluate("document.querySelector('#bar').scrollIntoView()")
        write(phone, "page-phone")
        browser.close()


if __name__ == "__main__":
    main()
