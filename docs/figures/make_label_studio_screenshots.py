"""Make the screenshots of docs/how-to/label-studio.md anew, over a real Label Studio and the real service.

    LABEL_STUDIO=.venv-labelstudio/bin/label-studio python docs/figures/make_label_studio_screenshots.py

With those photographs of examples/ that are in the public domain or under CC0. Needs Label Studio (`make
test-labelstudio` installs it), the extra `dev`, and Chromium.
"""

import io
import os
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

FIGURES = Path(__file__).resolve().parent
sys.path.insert(0, str(FIGURES.parents[1]))  # the checkout, for the tests' way of starting both

from tests.labelstudio.servers import EMAIL, PASSWORD, ROOT, Studio, running_backend, running_studio  # noqa: E402

IMAGES = ROOT / "examples" / "images"
NAMES = ("domestic_duck", "hens", "kingfisher", "osprey", "owl", "scarlet_macaw", "wren")
CONFIG = """<View><Image name="image" value="$image"/>
<RectangleLabels name="label" toName="image" strokeWidth="4">
<Label value="bird" background="#d0006f"/></RectangleLabels></View>"""
MOST_BYTES = 120_000


def write(page: Page, name: str) -> None:
    """What the window shows, as WebP."""
    path = FIGURES / f"{name}.webp"
    Image.open(io.BytesIO(page.screenshot())).save(path, quality=80, method=6)
    if path.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{path} has {path.stat().st_size} bytes, more than {MOST_BYTES}")


def log_in(page: Page, studio: Studio) -> None:
    """As the user that it was started with."""
    page.goto(f"{studio.url}/user/login")
    page.fill("input[name=email]", EMAIL)
    page.fill("input[name=password]", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url(lambda url: "/login" not in url)


def show(page: Page, studio: Studio, project: int) -> None:
    """From the list of tasks over the action to a task with its box."""
    page.goto(f"{studio.url}/projects/{project}/data")
    page.get_by_text("wren.jpg").wait_for()
    page.locator("input[type=checkbox]").first.click(force=True)
    page.get_by_text(f"{len(NAMES)} Tasks", exact=True).click()
    page.get_by_text("Retrieve Predictions").hover()
    write(page, "label-studio-action")
    page.get_by_text("Retrieve Predictions").click()
    with page.expect_response(
        lambda answer: "/api/dm/actions" in answer.url and answer.request.method == "POST", timeout=300_000
    ):
        page.locator("button", has_text="OK").click()
    page.goto(f"{studio.url}/projects/{project}/data")
    page.get_by_text(f"Predictions: {len(NAMES)}").wait_for()
    page.get_by_text("osprey.jpg").click()
    page.get_by_text("Submit", exact=True).wait_for()
    page.get_by_text("Regions").first.wait_for()
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(3000)  # its canvas draws when it likes
    write(page, "label-studio-task")


def main() -> None:
    """Write the screenshots."""
    program = os.environ.get("LABEL_STUDIO") or sys.exit("LABEL_STUDIO must name Label Studio's command")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    with tempfile.TemporaryDirectory() as folder, running_studio(program, Path(folder), ROOT) as studio:
        project = studio.project("Birds", CONFIG, IMAGES, [f"{name}.jpg" for name in NAMES])
        with running_backend(studio, Path(folder) / "backend.log") as url, sync_playwright() as started:
            studio.call("POST", "/api/ml", json={"url": url, "project": project, "title": "Colocalize"})
            # The box of the prediction is where an annotator begins.
            studio.call("PATCH", f"/api/projects/{project}", json={"show_collab_predictions": True})
            browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
            page = browser.new_page(viewport={"width": 1200, "height": 800})
            page.set_default_timeout(60_000)
            log_in(page, studio)
            show(page, studio, project)
            browser.close()
        studio.call("DELETE", f"/api/projects/{project}")


if __name__ == "__main__":
    main()
