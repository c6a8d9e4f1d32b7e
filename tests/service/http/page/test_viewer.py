"""One image large: looked at, corrected by pointer and by keyboard, and what was said goes along as hints."""

import json
from typing import TYPE_CHECKING

import pytest

from tests.service.http.page.driving import SIDE, card, choose, drag, files, look, rects, run, squares, typed_boxes

if TYPE_CHECKING:
    from playwright.sync_api import Page


def test_image_large_with_boxes_coordinates_scores_and_heat_map(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    page.locator("#max-boxes").fill("0")
    run(page)
    look(page, "a.png")
    viewer = page.locator("#viewer")
    assert viewer.locator("#viewer-place").inner_text() == "1 of 2"
    assert len(rects(viewer)) == len(typed_boxes(page)) >= 1
    x0, y0, x1, y1 = typed_boxes(page)[0]
    assert 0 <= x0 < x1 <= SIDE
    assert 0 <= y0 < y1 <= SIDE
    assert 0 < float(viewer.locator(".score").first.inner_text()) <= 1
    assert (viewer.locator(".heat").get_attribute("src") or "").startswith("blob:")
    assert viewer.locator(".heat").is_visible()
    page.keyboard.press("h")
    assert not viewer.locator(".heat").is_visible()
    page.keyboard.press("ArrowRight")
    assert viewer.locator("h2").inner_text() == "b.png"
    page.keyboard.press("Escape")
    card(page, "b.png").locator(".open:focus").wait_for()  # one goes on where one was


def test_box_drawn_by_hand_is_the_hint_of_the_next_run(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    look(page, "b.png")
    drag(page, (56, 60), (8, 10))  # from the lower right
    (drawn,) = typed_boxes(page)  # it takes the place of what was found, as one box an image is looked for
    assert drawn == pytest.approx([8, 10, 56, 60], abs=1)
    page.keyboard.press("Escape")
    sent = run(page, "Run again with this hint")
    assert json.loads(sent["hints"]) == [dict(zip(("image", "x0", "y0", "x1", "y1"), ["b.png", *drawn], strict=True))]
    assert "1 box by hand" in card(page, "b.png").inner_text()
    assert rects(card(page, "b.png"), "hand") == [pytest.approx([8, 10, 48, 50], abs=1)]
    assert rects(card(page, "a.png"), "hand") == []
    assert "hints" not in run(page, "Forget the corrections")
    assert rects(card(page, "b.png"), "hand") == []


def test_what_is_corrected_need_not_teach_the_others(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    assert not page.locator("#teach").is_visible()
    card(page, "b.png").get_by_role("button", name="Not in this one", exact=True).click()
    look(page, "a.png")
    drag(page, (8, 10), (56, 60))
    page.keyboard.press("Escape")
    page.get_by_label("Teach the others by what I corrected").uncheck()
    page.wait_for_timeout(300)  # what was put is on its way to the disk
    page.reload()
    page.locator("body.ready").wait_for()
    sent = run(page)
    assert "hints" not in sent
    assert rects(card(page, "a.png"), "hand") == [pytest.approx([8, 10, 48, 50], abs=1)]  # it stays, for the download
    assert "you: not in this one" in card(page, "b.png").inner_text()
    page.get_by_label("Teach the others by what I corrected").check()
    assert len(json.loads(run(page, "Run again with these 2 hints")["hints"])) == 2


def test_box_is_moved_resized_and_deleted(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    look(page, "a.png")
    drag(page, (8, 8), (40, 40))
    drag(page, (40, 40), (50, 30))  # its lower right corner
    assert typed_boxes(page) == [pytest.approx([8, 8, 50, 30], abs=1)]
    drag(page, (20, 20), (30, 25))  # its inside, as it is selected
    assert typed_boxes(page) == [pytest.approx([18, 13, 60, 35], abs=1)]
    drag(page, (30, 20), (64, 64))  # no farther than the border
    assert typed_boxes(page) == [pytest.approx([22, 42, 64, 64], abs=1)]
    drag(page, (2, 2), (10, 12))
    assert len(typed_boxes(page)) == 2
    drag(page, (60, 4), (60, 4))  # a click is no box, and selects what is there: nothing
    assert len(typed_boxes(page)) == 2
    drag(page, (5, 5), (5, 5))
    page.keyboard.press("Delete")
    assert typed_boxes(page) == [pytest.approx([22, 42, 64, 64], abs=1)]
    page.get_by_role("button", name="Back to what was found").click()
    assert rects(page.locator("#viewer"), "hand") == []


def test_everything_by_keyboard(page: "Page") -> None:
    choose(page, "a.png", "b.png", "c.png")
    card(page, "a.png").locator(".open").focus()
    page.keyboard.press("Enter")
    page.locator("#viewer[open]").wait_for()
    page.keyboard.press("b")
    assert page.evaluate("document.activeElement.name") == "x0"
    assert typed_boxes(page)[0] == [16, 16, 48, 48]
    page.keyboard.type("20")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    assert typed_boxes(page)[0] == [20, 15, 48, 48]
    page.keyboard.type("9")  # left of x0
    page.keyboard.press("Tab")
    assert typed_boxes(page)[0] == [20, 15, 48, 48]
    page.keyboard.press("Escape")
    card(page, "a.png").locator(".open:focus").wait_for()
    card(page, "c.png").locator(".open").press("Enter")
    page.keyboard.press("n")
    assert page.locator("#viewer-absent").get_attribute("aria-pressed") == "true"
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("r")
    assert page.locator("#viewer-right").is_disabled()
    page.keyboard.press("Escape")
    hints = json.loads(run(page, "Run again with these 3 hints")["hints"])
    assert [hint["image"] for hint in hints] == ["a.png", "b.png", "c.png"]
    assert hints[2] == {"image": "c.png"}


def test_image_opened_at_once_after_another_was_closed(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    look(page, "a.png")
    # Both in one task, so that the dialog tells of its end when it is open again.
    close_and_open = "(open) => { document.querySelector('#viewer').close(); open.click(); }"
    card(page, "b.png").locator(".open").evaluate(close_and_open)
    page.locator("#viewer h2", has_text="b.png").wait_for()
    page.evaluate("new Promise((resolve) => setTimeout(resolve, 100))")
    page.keyboard.press("n")
    assert page.locator("#viewer-absent").get_attribute("aria-pressed") == "true"


def test_image_that_does_not_show_it(page: "Page") -> None:
    choose(page, "a.png", "b.png", "c.png")
    absent = card(page, "c.png").get_by_role("button", name="Not in this one", exact=True)
    absent.click()
    absent.click()  # once more takes it back
    assert page.locator("#again").inner_text() == "Run again"
    absent.click()
    run(page, "Run again with this hint")
    assert (len(rects(card(page, "a.png"))), rects(card(page, "c.png"))) == (1, [])
    assert "not in this one" in card(page, "c.png").locator(".facts").inner_text()
    assert "1 does not" in page.locator("#summary").inner_text()


def test_several_boxes_and_one_that_is_drawn_among_them(page: "Page") -> None:
    content = squares((4, 4), (44, 44))
    page.locator("#mode").select_option("attention")
    page.locator("#max-boxes").fill("0")
    choose(page, "a.png", content=content)
    assert len(rects(card(page, "a.png"))) == 2
    look(page, "a.png")
    drag(page, (5, 5), (19, 19))  # over one of the two: it is corrected, the other stays
    viewer = page.locator("#viewer")
    assert (len(rects(viewer, "hand")), len(rects(viewer, "found"))) == (1, 1)


def test_box_of_an_image_that_could_not_be_read_cannot_be_drawn(page: "Page") -> None:
    unreadable = files("b.png", content=b"no image")
    page.set_input_files("#files", [*files("a.png"), *unreadable])
    page.locator("#status", has_text="Done in").wait_for()
    assert "not read" in page.locator("#summary").inner_text()
    look(page, "b.png")
    assert not page.locator("#viewer-tools").is_visible()
    page.keyboard.press("n")
    page.keyboard.press("Escape")
    assert page.locator("#again").inner_text() == "Run again"
