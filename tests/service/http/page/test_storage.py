"""What is kept in the browser survives a reload, and is gone when it is cleared or too old."""

import re
from typing import TYPE_CHECKING

from tests.service.http.page.driving import card, choose, drag, look, names, rects, run

if TYPE_CHECKING:
    from playwright.sync_api import Dialog, Page

AGED = """
(days) => new Promise((resolve) => {
  indexedDB.open(`colocalize${location.pathname}`).onsuccess = ({ target }) => {
    const store = target.result.transaction("state", "readwrite").objectStore("state");
    store.get("state").onsuccess = ({ target: { result } }) => {
      const put = store.put({ ...result, saved: Date.now() - days * 86400000 }, "state");
      put.onsuccess = () => { target.result.close(); resolve(); };
    };
  };
})
"""


def again(page: "Page") -> None:
    page.wait_for_timeout(300)  # what was put is on its way to the disk
    page.reload()
    page.locator("body.ready").wait_for()


def test_what_the_service_makes_of_the_boxes_is_shown_and_survives_a_reload(page: "Page") -> None:
    assert not page.locator("#verdict").is_visible()
    choose(page, "a.png", "b.png")
    told = page.locator("#verdict").inner_text()
    assert re.fullmatch(r"(Sure|Check them|Better with a hint): about \d+ % of the boxes are likely right.*\.", told)
    again(page)
    assert page.locator("#verdict").inner_text() == told
    page.get_by_role("button", name="Clear everything").click()
    page.locator("#verdict").wait_for(state="hidden")


def test_images_results_corrections_and_settings_survive_a_reload(page: "Page") -> None:
    choose(page, "a.png", "b.png", "c.png")
    look(page, "a.png")
    drag(page, (8, 10), (40, 30))
    page.keyboard.press("Escape")
    page.locator("#order").select_option("outliers")
    page.locator("#label").fill("bird")
    page.locator("#label").blur()
    card(page, "b.png").hover()
    page.get_by_role("button", name="Remove b.png").click()
    before = rects(card(page, "a.png"), "hand"), rects(card(page, "c.png")), page.locator("#summary").inner_text()
    again(page)
    assert page.locator("#status").inner_text() == "2 images from before."
    assert names(page) == ["a.png", "c.png"]
    assert page.locator("#order").input_value() == "outliers"
    assert (rects(card(page, "a.png"), "hand"), rects(card(page, "c.png"))) == before[:2]
    assert page.locator("#summary").inner_text() == before[2]
    assert page.locator("#label").input_value() == "bird"
    assert card(page, "a.png").locator(".heat").is_visible()
    run(page, "Run again with this hint")  # the files themselves are there
    assert page.evaluate("window.sentImages") == ["a.png", "c.png"]


def test_everything_is_cleared(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    assert "stay in this browser, for 7 days, until you clear them" in page.locator("#kept-here").inner_text()
    page.get_by_role("button", name="Clear everything").click()
    assert names(page) == []
    again(page)
    assert names(page) == []


def test_corrections_are_not_cleared_by_a_slip(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    card(page, "b.png").get_by_role("button", name="Not in this one", exact=True).click()
    asked: list[str] = []

    def answer(dialog: "Dialog") -> None:
        asked.append(dialog.message)
        if len(asked) == 1:
            dialog.dismiss()
        else:
            dialog.accept()

    page.on("dialog", answer)
    page.get_by_role("button", name="Clear everything").click()
    assert names(page) == ["a.png", "b.png"]
    page.get_by_role("button", name="Clear everything").click()
    assert names(page) == []
    assert asked == ["Clear everything, with what you said of 1 image? It cannot be had back."] * 2


def test_what_is_too_old_is_removed(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    page.wait_for_timeout(300)
    page.evaluate(AGED, 6.9)
    page.reload()
    page.locator("body.ready").wait_for()
    assert names(page) == ["a.png", "b.png"]
    page.wait_for_timeout(300)
    page.evaluate(AGED, 7.1)
    page.reload()
    page.locator("body.ready").wait_for()
    assert names(page) == []


def test_a_second_tab_does_not_mix_itself_in(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    page.wait_for_timeout(300)
    second = page.context.new_page()
    second.goto(page.url)
    second.locator("body.ready").wait_for()
    assert names(second) == []
    choose(second, "c.png", "d.png")
    assert "A reload loses images and results" in second.locator("#kept-here").inner_text()
    second.close()
    again(page)
    assert names(page) == ["a.png", "b.png"]
