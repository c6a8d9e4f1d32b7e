"""A request on its way: progress, cancelling, and trying again when the service says so."""

from typing import TYPE_CHECKING

from tests.service.conftest import wait_until
from tests.service.http.page.conftest import opened
from tests.service.http.page.driving import card, choose, files, rects
from tests.service.processes import running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

BUSY = '{"title": "The service has as much work as it can take", "detail": "128 images are waiting.", "status": 429}'


def test_busy_service_is_asked_again_when_it_says(page: "Page") -> None:
    answers: list[int] = []

    def busy_twice(route: "Route") -> None:
        answers.append(429)
        if len(answers) > 2:
            route.continue_()
        else:
            headers = {"content-type": "application/problem+json", "retry-after": "1"}
            route.fulfill(status=429, headers=headers, body=BUSY)

    page.route("**/colocalize", busy_twice)
    page.set_input_files("#files", files("a.png", "b.png"))
    page.locator("#progress-words", has_text="The service is busy: trying again in 1 second").wait_for()
    page.locator("#status", has_text="Done in").wait_for()
    assert (len(answers), page.locator("#problem").is_visible()) == (3, False)


def test_progress_is_shown_and_a_request_is_cancelled(browser: "Browser") -> None:
    with running(DUMMY_DELAY="3") as slow, opened(browser, slow.url) as page:
        page.set_input_files("#files", files("a.png", "b.png"))
        page.locator("#progress-words", has_text="Looking at 2 images … 1 s").wait_for()
        assert page.locator(".card.waiting").count() == 2
        assert page.locator("#again").is_disabled()
        page.get_by_role("button", name="Cancel").click()
        page.locator("#status", has_text="Cancelled.").wait_for()
        assert (page.locator("#progress").is_visible(), page.locator(".card.waiting").count()) == (False, 0)
        assert page.locator("#again").is_enabled()
        # The service drops the work too.
        wait_until(lambda: 'images_total{code="dropped"} 0.0' not in slow.get("/metrics").text, timeout=10)


def test_waiting_for_a_busy_service_is_cancelled_too(page: "Page") -> None:
    headers = {"content-type": "application/problem+json", "retry-after": "300"}
    page.route("**/colocalize", lambda route: route.fulfill(status=429, headers=headers, body=BUSY))
    page.set_input_files("#files", files("a.png"))
    page.locator("#progress-words", has_text="trying again in 300 seconds").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.locator("#status", has_text="Cancelled.").wait_for()


def test_results_and_corrections_survive_an_error(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    before = rects(card(page, "a.png"))
    card(page, "b.png").get_by_role("button", name="Not in this one", exact=True).click()
    page.route(
        "**/colocalize", lambda route: route.fulfill(status=413, content_type="text/html", body="<h1>nginx</h1>")
    )
    page.get_by_role("button", name="Run again with this hint").click()
    page.locator("#problem", has_text="A proxy before the service refused the request. It takes smaller").wait_for()
    page.unroute("**/colocalize")
    page.route("**/colocalize", lambda route: route.abort())
    page.get_by_role("button", name="Run again with this hint").click()
    page.locator("#problem", has_text="The service did not answer").wait_for()
    assert rects(card(page, "a.png")) == before
    assert "not in this one" in card(page, "b.png").inner_text()


def test_problem_of_the_service_is_told_in_its_words(page: "Page") -> None:
    page.set_input_files("#files", files("a.png", content=b"no image"))
    page.locator("#problem", has_text="None of the images could be read. None of the 1 images could be read").wait_for()
    page.get_by_role("button", name="Close the message").click()
    assert not page.locator("#problem").is_visible()


def test_when_to_try_again_is_a_number_or_a_date(page: "Page") -> None:
    told = page.evaluate(
        """() => import("./page/sending.js").then(({ secondsOf }) => {
          const now = Date.parse("Sun, 29 Nov 2026 00:00:00 GMT");
          return [secondsOf("7", now), secondsOf("0", now), secondsOf("Sun, 29 Nov 2026 00:00:30 GMT", now),
            secondsOf("Sat, 28 Nov 2026 00:00:00 GMT", now), secondsOf(undefined, now), secondsOf("soon", now)];
        })"""
    )
    assert told == [7, 1, 30, 1, None, None]
