"""Collections of sets, subsets, limits."""

from pathlib import Path

import pytest
from PIL import Image

from experiments.sets import open_background, open_sets
from training.errors import DatasetError


def make_set(folder: Path, names: list[str], boxed: list[str] | None = None) -> None:
    (folder / "images").mkdir(parents=True)
    for name in names:
        Image.new("RGB", (8, 8)).save(folder / "images" / name)
    rows = [f"{name},0,0,4,4" for name in (names if boxed is None else boxed)]
    (folder / "boxes.csv").write_text("\n".join(["file,x0,y0,x1,y1", *rows]) + "\n")


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    make_set(tmp_path / "cats", ["a.png", "b.png", "c.png"], ["a.png", "c.png"])
    make_set(tmp_path / "bus", ["1.png", "2.png", "3.png"])
    (tmp_path / "bus" / "subset_left.txt").write_text("1.png\n3.png\n")
    (tmp_path / "bus" / "subset_right.txt").write_text("2.png\n")
    (tmp_path / "background" / "images").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "background" / "images" / "x.png")
    return tmp_path


def test_every_set_of_a_collection(collection: Path) -> None:
    sets = {
        members.name: (members.group, [image.name for image in members.images]) for members in open_sets(collection)
    }
    assert sets == {
        "bus/left": ("bus", ["1.png", "3.png"]),
        "bus/right": ("bus", ["2.png"]),
        "cats": ("cats", ["a.png", "c.png"]),
    }


def test_one_set(collection: Path) -> None:
    (cats,) = open_sets(collection / "cats")
    assert (cats.name, len(cats.images)) == ("cats", 2)


def test_limit(collection: Path) -> None:
    assert [len(members.images) for members in open_sets(collection, limit=1)] == [1, 1, 1]


def test_test_split_alone(collection: Path) -> None:
    (collection / "cats" / "split.csv").write_text("file,split\na.png,train\nc.png,test\n")
    (cats,) = open_sets(collection / "cats", images="test")
    assert [image.name for image in cats.images] == ["c.png"]


def test_background(collection: Path) -> None:
    assert [image.name for image in open_background(collection)] == ["x.png"]


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        open_sets(tmp_path / "none")
    with pytest.raises(DatasetError, match="background is missing"):
        open_background(tmp_path)


def test_no_box(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    with pytest.raises(DatasetError, match="no image to score has a box"):
        open_sets(tmp_path)


@pytest.mark.data
def test_the_research_photographs(research_data: Path) -> None:
    sets = open_sets(research_data)
    assert len({members.group for members in sets}) == 14
    assert len(sets) == 17  # three of them in two halves
    assert sum(len(members.images) for members in sets if members.group == "cub_birds_10") == 543
