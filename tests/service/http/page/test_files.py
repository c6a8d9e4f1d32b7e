"""Images come from files, folders and the clipboard; single ones are added and removed; limits are told beforehand."""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.service.http.page.driving import TWO_SQUARES, card, choose, files, names, run, squares

if TYPE_CHECKING:
    from playwright.sync_api import Page

DROP = """
(paths) => {
  const folder = (name, entries) => ({
    isFile: false, isDirectory: true, name,
    createReader: () => {
      const rest = [...entries];
      return { readEntries: (give) => give(rest.splice(0, 2)) };  // as browsers do, a few at a time
    },
  });
  const file = (name) => ({
    isFile: true, isDirectory: false, name,
    file: (give) => give(new File([new Uint8Array(1)], name.split("/").pop(), { type: "image/png" })),
  });
  const tree = paths.map((one) => (typeof one === "string" ? file(one) : folder(one[0], one[1].map((inner) =>
    (typeof inner === "string" ? file(inner) : folder(inner[0], inner[1].map(file)))))));
  const items = tree.map((entry) => ({ webkitGetAsEntry: () => entry }));
  return import("./page/files.js").then(({ dropped }) => dropped({ items, files: [] }, 64))
    .then(({ files, note }) => ({ names: files.map((one) => one.name), note }));
}
"""


def test_folder_is_dropped(page: "Page", tmp_path: Path) -> None:
    (tmp_path / "birds" / "more").mkdir(parents=True)
    for name in ("birds/2.png", "birds/10.png", "birds/more/a.png"):
        (tmp_path / name).write_bytes(TWO_SQUARES)
    for name in ("birds/notes.txt", "birds/.hidden.png"):
        (tmp_path / name).write_bytes(b"no image")
    frame = page.locator("#drop").bounding_box()
    assert frame is not None
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(tmp_path / "birds")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        place = {"x": frame["x"] + 20, "y": frame["y"] + 20}
        devtools.send("Input.dispatchDragEvent", {"type": kind, **place, "data": data})
    page.locator("#status", has_text="Done in").wait_for()
    assert names(page) == ["2.png", "10.png", "more/a.png"]  # relative to the folder, in natural order
    assert page.evaluate("window.sentImages") == ["2.png", "10.png", "more/a.png"]
    assert "1 file of other kinds was left out (.txt)." in page.locator("#problem").inner_text()


def test_names_of_what_is_dropped(page: "Page") -> None:
    assert page.evaluate(DROP, [["a", ["1.png", ["b", ["2.jpg", "x.pdf"]], "3.tiff"]]]) == {
        "names": ["1.png", "3.tiff", "b/2.jpg"], "note": "1 file of other kinds was left out (.pdf).",
    }  # fmt: skip
    two = page.evaluate(DROP, [["a", ["1.png"]], ["c", ["1.png"]], "z.png"])
    assert two["names"] == ["a/1.png", "c/1.png", "z.png"]  # each folder's own, and a file beside them
    others = ["x.pdf", "1.heic", "2.HEIC", "3.avif", "4.cr2", "README", ["b", ["5.heic"]]]
    assert page.evaluate(DROP, [["a", others]]) == {
        "names": [], "note": "7 files of other kinds were left out (.heic, .avif, .cr2, no extension, …).",
    }  # fmt: skip
    assert page.evaluate(DROP, [["a", []]])["note"] == "There are no images in the folder."


def test_single_images_are_added_and_removed(page: "Page") -> None:
    choose(page, "a.png", "b.png")
    page.set_input_files("#files", files("a.png", "c.png", content=squares((24, 24))))
    page.locator("#status", has_text="2 images added. Run again to find what all 4 have in common.").wait_for()
    assert names(page) == ["a.png", "b.png", "a (2).png", "c.png"]
    assert card(page, "c.png").locator(".facts").inner_text() == "not looked at yet"
    card(page, "b.png").hover()
    page.get_by_role("button", name="Remove b.png").click()
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("a (2).png")
    run(page)
    assert page.evaluate("window.sentImages") == ["a.png", "a (2).png", "c.png"]
    assert page.locator("#summary").inner_text().startswith("3 images")


def test_what_is_dropped_again_is_here_already(page: "Page", tmp_path: Path) -> None:
    for name, content in (("a.png", TWO_SQUARES), ("b.png", squares((24, 24)))):
        (tmp_path / name).write_bytes(content)
    page.set_input_files("#files", [tmp_path / "a.png", tmp_path / "b.png"])
    page.locator("#status", has_text="Done in").wait_for()
    page.set_input_files("#files", [tmp_path / "a.png", tmp_path / "b.png"])
    page.locator("#problem", has_text="Nothing was taken. All of it is here already.").wait_for()
    (tmp_path / "a.png").write_bytes(squares((8, 8)))  # another image, under the name of the first
    page.set_input_files("#files", [tmp_path / "a.png", tmp_path / "b.png"])
    page.locator("#problem", has_text="Not all were taken. 1 of them is here already.").wait_for()
    assert names(page) == ["a.png", "b.png", "a (2).png"]


def test_images_that_were_not_looked_at_are_when_they_are_dropped_again(page: "Page", tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(TWO_SQUARES)
    page.route("**/colocalize", lambda route: route.abort())
    page.set_input_files("#files", tmp_path / "a.png")
    page.locator("#problem", has_text="The service did not answer").wait_for()
    page.wait_for_timeout(300)  # what was put is on its way to the disk
    page.unroute("**/colocalize")
    page.reload()
    page.locator("#status", has_text="1 image from before, 1 not looked at yet.").wait_for()
    page.set_input_files("#files", tmp_path / "a.png")
    page.locator("#status", has_text="Done in").wait_for()
    assert names(page) == ["a.png"]
    assert not page.locator("#problem").is_visible()


def test_what_cannot_be_read_in_a_folder_spares_the_others(page: "Page") -> None:
    told = page.evaluate(
        """() => {
          const fails = (_, refuse) => refuse(new DOMException("gone", "NotFoundError"));
          const gives = (give) => give(new File([new Uint8Array(1)], "c.png"));
          const file = (name, read) => ({ isFile: true, isDirectory: false, name, file: read });
          const folder = (name, entries) => {
            const rest = entries && [...entries];
            const readEntries = (give, refuse) => (rest ? give(rest.splice(0)) : fails(give, refuse));
            return { isFile: false, isDirectory: true, name, createReader: () => ({ readEntries }) };
          };
          const tree = folder("a", [file("b.png", fails), file("c.png", gives), folder("locked", null)]);
          return import("./page/files.js")
            .then(({ dropped }) => dropped({ items: [{ webkitGetAsEntry: () => tree }], files: [] }, 64))
            .then(({ files, note }) => ({ names: files.map((one) => one.name), note }));
        }"""
    )
    assert told == {"names": ["c.png"], "note": "2 names cannot be read, the first is b.png."}


def test_a_link_that_is_dropped_is_no_file(page: "Page") -> None:
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.setData("text/uri-list", "https://example.com/a.jpg");
          document.dispatchEvent(new DragEvent("drop", { dataTransfer }));
        }"""
    )
    page.locator("#problem", has_text="Nothing was taken. What was dropped is no file.").wait_for()


def test_limits_are_told_before_anything_is_sent(page: "Page") -> None:
    page.locator("#limits", has_text="up to 6 at a time, 32 MiB each and 128 MiB together").wait_for()
    page.set_input_files("#files", files(*(f"{index}.png" for index in range(8))))
    page.locator("#status", has_text="Done in").wait_for()
    assert len(names(page)) == 6
    assert "At most 6 images at a time: the others were left out." in page.locator("#problem").inner_text()
    assert page.locator("#meter").inner_text().startswith("6 of 6 images, ")
    page.get_by_role("button", name="Clear everything").click()
    page.evaluate("window.sentImages = null")
    large = """
    () => {
      const transfer = new DataTransfer();
      for (const name of ["a.png", "b.png"]) transfer.items.add(new File([new Uint8Array(33 * 2 ** 20)], name));
      const input = document.getElementById("files");
      input.files = transfer.files;
      input.dispatchEvent(new Event("change"));
    }
    """
    page.evaluate(large)
    page.locator("#meter-over", has_text="a.png has 33 MiB; at most 32 MiB are allowed. Remove it.").wait_for()
    assert page.locator("#again").is_disabled()
    for _ in range(2):
        page.locator(".card").first.hover()
        page.locator(".card .remove").first.click()
    assert page.evaluate("window.sentImages") is None


def test_tiff_is_shown_by_the_services_preview(page: "Page") -> None:
    tiff = files("a.tif", content=squares((8, 8), kind="TIFF"))
    page.set_input_files("#files", [*tiff, *files("b.png")])
    page.locator("#status", has_text="Done in").wait_for()
    width = "(image) => image.decode().then(() => image.naturalWidth)"
    assert card(page, "a.tif").locator(".image").evaluate(width) == 64
    assert page.locator(".stage.unseen").count() == 0


def test_images_are_pasted(page: "Page") -> None:
    page.evaluate(
        """(bytes) => {
          const clipboardData = new DataTransfer();
          for (const name of ["a.png", "b.png"]) {
            clipboardData.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
          }
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData }));
        }""",
        list(TWO_SQUARES),
    )
    page.locator("#status", has_text="Done in").wait_for()
    assert names(page) == ["a.png", "b.png"]
