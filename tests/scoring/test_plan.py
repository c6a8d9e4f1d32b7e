from pathlib import Path

import pytest

from colocalization.listing import ImageFile
from scoring.formats import FormatError
from scoring.plan import plan
from scoring.run_options import ScoreOptions

OUT = Path("/out")


def files(*names: str) -> list[ImageFile]:
    return [ImageFile(name, f"/set/{name}", 1, 1) for name in names]


def test_drawings_lie_in_the_sub_folders_of_the_images_under_names_of_their_own() -> None:
    options = ScoreOptions(heatmaps=True, overlays=True, contact_sheet=True)
    planned = plan(files("a/b.JPG", "a/b.png"), OUT, options)
    assert [[(kind, path) for kind, path in image.drawings] for image in planned] == [
        [
            ("heatmap", "/out/heatmaps/a/b.JPG.png"),
            ("overlay", "/out/overlays/a/b.JPG"),
            ("tile", "/out/.colocalize/tiles/a/b.JPG.png"),
        ],
        [
            ("heatmap", "/out/heatmaps/a/b.png.png"),
            ("overlay", "/out/overlays/a/b.png.jpg"),
            ("tile", "/out/.colocalize/tiles/a/b.png.png"),
        ],
    ]


def test_nothing_is_drawn_unless_asked_for() -> None:
    assert [image.drawings for image in plan(files("a.jpg", "b.jpg"), OUT, ScoreOptions())] == [(), ()]


def test_of_a_large_set_48_images_are_on_the_sheet_spread_evenly() -> None:
    planned = plan(files(*(f"{number}.jpg" for number in range(96))), OUT, ScoreOptions(contact_sheet=True))
    assert [image.on_sheet for image in planned] == [True, False] * 48


def test_two_overlays_of_one_name_are_refused() -> None:
    with pytest.raises(FormatError, match=r"the overlays of 'a.png' and 'a.png.jpg' would be the same file"):
        plan(files("a.png", "a.png.jpg"), OUT, ScoreOptions(overlays=True))


def test_a_drawing_of_a_name_that_is_too_long_has_a_shorter_one() -> None:
    (image,) = plan(files("x" * 251 + ".jpg"), OUT, ScoreOptions(heatmaps=True))
    assert len(Path(image.drawings[0].path).name) == 255
