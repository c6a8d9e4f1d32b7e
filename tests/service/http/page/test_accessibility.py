"""What can be pressed or filled in has a name, texts stand out, nothing is wider than a phone; light and dark."""

from typing import TYPE_CHECKING, Any

import pytest

from tests.service.http.page.conftest import opened
from tests.service.http.page.driving import choose, look
from tests.service.processes import Running

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CONTROLS = {"button", "link", "textbox", "combobox", "slider", "spinbutton", "checkbox", "progressbar", "image"}

CONTRASTS = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((value, index) => value * a + under[index] * (1 - a));
  const ground = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((under, layer) => over(layer, under), [255, 255, 255]);
  };
  const light = (colour) => {
    const linear = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = colour.map((value) => linear(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const texts = [...element.childNodes].filter((node) => node.nodeType === 3);
    const words = texts.map((node) => node.data.trim()).join("");
    if (!words || !element.checkVisibility() || element.closest(":disabled, .hidden, option, template")) continue;
    const under = ground(element), colour = rgba(getComputedStyle(element).color);
    for (let at = element; at; at = at.parentElement) colour[3] *= Number(getComputedStyle(at).opacity);
    if (colour[3] === 0) continue; // not to be seen until it is pointed at
    const text = over(colour, under);
    const [a, b] = [light(text), light(under)].sort((x, y) => y - x);
    found.push([words.slice(0, 40), (a + 0.05) / (b + 0.05)]);
  }
  return found;
}
"""


def nameless(page: "Page") -> list[str]:
    """Roles of what a person can use and a screen reader could not name."""
    tree: dict[str, Any] = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")
    used = [node for node in tree["nodes"] if not node["ignored"] and node["role"]["value"] in CONTROLS]
    assert len(used) >= 10
    return [
        node["role"]["value"]
        for node in used
        if not node.get("name", {}).get("value", "").strip("\N{MULTIPLICATION SIGN} ")
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_names_and_contrast(service: Running, browser: "Browser", scheme: str) -> None:
    with opened(browser, f"{service.url}/colo/", color_scheme=scheme) as page:
        faint: list[tuple[str, float]] = []
        steps = (lambda: None, lambda: choose(page, "a.png", "b.png"), lambda: look(page, "a.png"))
        for step in steps:  # the page as it is opened, with results, and an image large
            step()
            assert nameless(page) == []
            told = page.evaluate(CONTRASTS)
            assert len(told) > 8
            faint += [(words, round(ratio, 2)) for words, ratio in told if ratio < 4.5]  # WCAG 2.2, AA
        assert faint == []


def test_focus_is_always_to_be_seen(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    page.locator("#files").focus()
    seen = set()
    for _ in range(24):
        page.keyboard.press("Tab")
        outline = page.evaluate(
            """() => {
              const active = document.activeElement;
              const { outlineStyle, outlineWidth } = getComputedStyle(active.closest(".drop label") ?? active);
              const name = active === document.body ? "BODY" : active.id || active.className || active.tagName;
              return [name, outlineStyle, parseFloat(outlineWidth)];
            }"""
        )
        if outline[0] != "BODY":
            assert (outline[1], outline[2] >= 2) == ("solid", True), outline
            seen.add(outline[0])
    assert {"mode", "max-boxes", "again", "choice", "order", "threshold", "format", "download", "open"} <= seen


def test_what_is_told_is_not_broken_in_two(service: Running, browser: "Browser") -> None:
    lines = """
    () => [...document.querySelectorAll(".facts .part, #summary .part")].map((part) => {
      const range = document.createRange();
      range.selectNodeContents(part);
      return [part.textContent, new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size];
    })
    """
    with opened(browser, f"{service.url}/colo/", viewport={"width": 320, "height": 600}) as page:
        choose(page, "a.png", "b.png", "c.png")
        told = page.evaluate(lines)
        assert len(told) >= 9
        assert [part for part in told if part[1] != 1] == []


def test_a_phone(service: Running, browser: "Browser") -> None:
    device = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    with opened(browser, f"{service.url}/colo/", **device) as page:
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) == 0
        choose(page, "a-name-that-is-rather-long-for-a-phone.png", "b.png")
        assert page.evaluate(wide) == 0
        page.locator(".card .open").nth(1).tap()
        page.locator("#viewer[open]").wait_for()
        stage = page.locator("#viewer-stage").bounding_box()
        assert stage is not None
        assert 0 <= stage["x"] <= stage["x"] + stage["width"] <= 360
        assert stage["width"] > 250
        # One finger draws, as a mouse does.
        devtools = page.context.new_cdp_session(page)
        x, y, side = stage["x"], stage["y"], stage["width"]
        for kind, points in (
            ("touchStart", [{"x": x + 0.2 * side, "y": y + 0.2 * side}]),
            ("touchMove", [{"x": x + 0.7 * side, "y": y + 0.6 * side}]),
            ("touchEnd", []),
        ):
            devtools.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
        page.locator("#viewer-facts", has_text="1 box by hand").wait_for()
