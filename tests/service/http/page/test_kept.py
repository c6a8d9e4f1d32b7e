"""An object is kept from the images on the page, looked for in the next that are dropped, and deleted."""

from typing import TYPE_CHECKING

import pytest

from tests.service.http.page.conftest import opened
from tests.service.http.page.driving import card, choose, drag, files, look, names, run, sent_fields
from tests.service.processes import running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

KEY = "k" * 16


@pytest.fixture
def kept(page: "Page") -> "Page":
    """The object `squares` is kept, from two images and a hint."""
    choose(page, "a.png", "b.png")
    look(page, "a.png")
    drag(page, (16, 16), (32, 32))
    page.keyboard.press("Escape")
    page.get_by_label("Keep the object as").fill("squares")
    page.get_by_role("button", name="Keep", exact=True).click()
    page.locator("#status", has_text="“squares” is kept, from 2 images.").wait_for()
    return page


def test_kept_object_is_looked_for_in_the_next_drop(kept: "Page") -> None:
    assert '"image":"a.png"' in sent_fields(kept)["hints"]
    assert kept.locator("#mode").input_value() == "object:squares"
    kept.set_input_files("#files", files("c.png"))
    kept.locator("#status", has_text="Done in").wait_for()
    assert kept.evaluate("window.sentImages") == ["c.png"]  # it alone: each stands for itself
    assert sent_fields(kept)["object"] == "squares"
    assert "sure" in card(kept, "c.png").locator(".facts").inner_text()
    kept.wait_for_timeout(300)
    kept.reload()
    kept.locator("body.ready").wait_for()
    assert kept.locator("#mode").input_value() == "object:squares"
    kept.on("dialog", lambda dialog: dialog.accept())
    kept.get_by_role("button", name="Delete “squares”").click()
    kept.locator("#remove-object").wait_for(state="hidden")
    assert kept.locator("#mode").input_value() == "common"
    assert kept.locator("#objects option").count() == 0


def test_names_are_checked_before_anything_is_sent(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    page.get_by_label("Keep the object as").fill("Two Birds")
    page.get_by_role("button", name="Keep", exact=True).click()
    assert page.evaluate("document.activeElement.id") == "keep-name"
    assert page.evaluate("document.activeElement.validity.patternMismatch") is True


def test_without_a_folder_for_objects_and_with_a_key(browser: "Browser") -> None:
    with running(api_keys=f"me={KEY}") as service, opened(browser, service.url) as page:
        page.get_by_label("API key").wait_for()
        page.set_input_files("#files", files("a.png", "b.png"))
        page.locator("#problem", has_text="A valid API key is needed").wait_for()
        page.get_by_label("API key").fill(KEY)
        page.get_by_label("API key").press("Tab")
        page.locator("#status", has_text="Done in").wait_for()
        assert not page.locator("#keep").is_visible()
        run(page)
        page.wait_for_timeout(300)
        page.reload()
        page.locator("body.ready").wait_for()
        assert names(page) == ["a.png", "b.png"]
        assert page.get_by_label("API key").input_value() == ""  # the key is not kept
