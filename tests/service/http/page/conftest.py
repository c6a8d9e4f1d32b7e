"""The page in the system's Chromium, over the service with the dummy engine; what the browser complains of fails."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.service.processes import Running, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

playwright = pytest.importorskip("playwright.sync_api")

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]

KEEPS_WHAT_IS_SENT = """
const send = XMLHttpRequest.prototype.send;
XMLHttpRequest.prototype.send = function (body) {
  if (body instanceof FormData) {
    window.sentImages = [...body.getAll("images")].map((file) => file.name);
    window.sentFields = Object.fromEntries([...body].filter(([, value]) => typeof value === "string"));
  }
  return send.call(this, body);
};
"""
"""For the tests to look at: Chromium does not tell of forms that hold files."""


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(objects_dir=tmp_path_factory.mktemp("objects"), root_path="/colo", max_images=6) as made:
        yield made


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    if BROWSER is None:
        pytest.skip("there is no Chromium")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=BROWSER, args=ARGUMENTS)
        yield made
        made.close()


@contextmanager
def opened(browser: "Browser", url: str, **options: object) -> Iterator["Page"]:
    """The page in a window of its own, that keeps nothing of others."""
    context: BrowserContext = browser.new_context(**options)  # type: ignore[arg-type]
    context.add_init_script(KEEPS_WHAT_IS_SENT)
    page = context.new_page()
    page.set_default_timeout(20_000)
    wrong: list[str] = []
    # Chromium tells of every answer that is no success; those are what the tests are about.
    page.on("console", lambda told: None if "Failed to load resource" in told.text else wrong.append(told.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    page.locator("body.ready").wait_for()
    yield page
    context.close()
    assert wrong == []


@pytest.fixture
def page(service: Running, browser: "Browser") -> Iterator["Page"]:
    """Below a prefix, as most services stand behind a proxy."""
    with opened(browser, f"{service.url}/colo/") as made:
        yield made


@pytest.fixture
def downloads(tmp_path: Path) -> Path:
    return tmp_path
