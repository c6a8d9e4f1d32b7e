"""Images are sorted and chosen by how sure it is that they show the object, from a threshold that is the user's."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.service.conftest import encode
from tests.service.http.page.driving import card, download, drag, files, look, names, squares

if TYPE_CHECKING:
    from playwright.sync_api import Page

CONFIDENCES = {"b.png": 0.9, "a.png": 0.2, "d.png": 0.6, "c.png": 0.4}


@pytest.fixture
def sorted_page(page: "Page") -> "Page":
    """Four images of known confidence, and one that cannot be read: the service's answer is changed on its way."""

    def change(route: object) -> None:
        response = route.fetch()  # type: ignore[attr-defined]
        answer = response.json()
        answer["mode"] = "common"
        for image in answer["images"]:
            if image["error"] is None:
                image["confidence"] = CONFIDENCES[image["name"]]
                image["contains_common_object"] = image["confidence"] >= 0.5
        route.fulfill(response=response, json=answer)  # type: ignore[attr-defined]

    page.route("**/colocalize", change)
    content = encode(np.zeros((8, 8, 3), np.uint8), "PNG")[:40]
    page.set_input_files("#files", [*files("e.png", content=content), *files(*CONFIDENCES, content=squares((24, 24)))])
    page.locator("#status", has_text="Done in").wait_for()
    return page


def test_outliers_first(sorted_page: "Page") -> None:
    assert names(sorted_page) == ["a.png", "b.png", "c.png", "d.png", "e.png"]
    sorted_page.locator("#order").select_option("outliers")
    assert names(sorted_page) == ["e.png", "a.png", "c.png", "d.png", "b.png"]
    sorted_page.locator("#order").select_option("surest")
    assert names(sorted_page) == ["b.png", "d.png", "c.png", "a.png", "e.png"]


def test_threshold_says_what_shows_it_here_and_in_what_is_downloaded(sorted_page: "Page") -> None:
    assert sorted_page.locator("#summary").inner_text() == "5 images · 2 show it · 2 do not · 1 not read"
    sorted_page.locator("#choice").select_option("lacks")
    assert names(sorted_page) == ["a.png", "c.png"]
    assert (
        "confidence\N{NO-BREAK SPACE}40\N{NO-BREAK SPACE}%: does not show it" in card(sorted_page, "c.png").inner_text()
    )
    sorted_page.locator("#threshold").fill("30")
    assert names(sorted_page) == ["a.png"]
    assert sorted_page.locator("#threshold-value").inner_text() == "30\N{NO-BREAK SPACE}%"
    sorted_page.locator("#choice").select_option("shows")
    assert names(sorted_page) == ["b.png", "c.png", "d.png"]
    lines = [json.loads(line) for line in Path(download(sorted_page, "jsonl").path()).read_text().splitlines()]
    assert {line["path"]: line["contains_common_object"] for line in lines} == {
        "a.png": False, "b.png": True, "c.png": True, "d.png": True, "e.png": False,
    }  # fmt: skip


def test_what_cannot_be_read_and_what_is_corrected(sorted_page: "Page") -> None:
    sorted_page.locator("#choice").select_option("failed")
    assert names(sorted_page) == ["e.png"]
    sorted_page.locator("#choice").select_option("hinted")
    assert names(sorted_page) == []
    assert sorted_page.locator("#none-shown").is_visible()


def test_outliers_are_corrected_one_after_the_other(sorted_page: "Page") -> None:
    sorted_page.locator("#order").select_option("outliers")
    look(sorted_page, "a.png")
    assert sorted_page.locator("#viewer-place").inner_text() == "2 of 5"
    drag(sorted_page, (8, 8), (40, 40))
    sorted_page.keyboard.press("ArrowRight")
    assert sorted_page.locator("h2").inner_text() == "c.png"
    drag(sorted_page, (8, 8), (40, 40))
    sorted_page.keyboard.press("ArrowRight")
    assert sorted_page.locator("h2").inner_text() == "d.png"
    sorted_page.keyboard.press("Escape")
    assert names(sorted_page) == ["e.png", "a.png", "c.png", "d.png", "b.png"]  # each in its place until the next run
    assert "2 corrected" in sorted_page.locator("#summary").inner_text()
