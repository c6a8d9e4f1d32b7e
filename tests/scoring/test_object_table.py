"""What `colocalize show` says."""

import io
from pathlib import Path

from rich.console import Console

from colocalization.common_object import CommonObject
from scoring.object_table import object_table
from tests.colocalization import objects


def shown(common: CommonObject, path: Path) -> dict[str, str]:
    common.save(path)
    screen = io.StringIO()
    Console(file=screen, width=140).print(object_table(common, str(path)))
    cells = (line.split("│")[1:3] for line in screen.getvalue().splitlines() if "│" in line)
    return {left.strip(): right.strip() for left, right in cells}


def test_all_that_is_in_it(tmp_path: Path) -> None:
    table = shown(objects.WHOLE, tmp_path / "[x].npz")
    assert table == {
        "file": str(tmp_path / "[x].npz"),
        "bytes": str((tmp_path / "[x].npz").stat().st_size),
        "digest": objects.WHOLE.digest,
        "fitted on images": "12",
        "hinted": "2",
        "hints": "taught the object",
        "scale": "3 x 3 tiles an image: what was drawn by hand has 11 % of their image's side",
        "agreement of the images": "0.75",
        "instances hinted": "2",
        "root of their share of the image": "10.0 % to 12.5 %",
        "width by height": "0.75 to 1.50",
        "learnt from": "one look, second looks, outlines, hints",
        "can grow (--add-to)": "no",
        "model": "dummy",
        "SHA-256": "0" * 64,
        "effort": "full",
        "written by": "Colocalize 1.2.3",
    }


def test_what_is_not_in_it_is_left_out(tmp_path: Path) -> None:
    table = shown(objects.PLAIN, tmp_path / "x.npz")
    assert (table["learnt from"], table["hints"]) == ("one look", "joined what the images share")
    assert "instances hinted" not in table
