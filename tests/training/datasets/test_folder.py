"""A user's own folder."""

from pathlib import Path

import pytest
from PIL import Image

from training.datasets import open_dataset
from training.errors import DatasetError


def images(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 6)).save(root / name)


def test_plain_nested_folder(tmp_path: Path) -> None:
    images(tmp_path, "b.jpg", "deep/er/a.PNG", "images/c.webp", ".hidden.jpg")
    (tmp_path / "notes.txt").write_text("not an image")
    found = open_dataset(tmp_path)
    assert [image.name for image in found.images] == ["b.jpg", "deep/er/a.PNG", "images/c.webp"]
    assert found.train == found.images
    assert found.labelled_test == ()


def test_boxes_without_a_split_serve_both(tmp_path: Path) -> None:
    images(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "boxes.csv").write_text("file,x0,y0,x1,y1\na.jpg,1,2,3.5,4\na.jpg,0,0,8,6\n")
    found = open_dataset(tmp_path)
    assert [image.name for image in found.train] == ["a.jpg", "b.jpg"]
    assert [image.boxes for image in found.labelled_test] == [((1, 2, 3.5, 4), (0, 0, 8, 6))]


def test_boxes_and_split_beside_images(tmp_path: Path) -> None:
    images(tmp_path, "images/a.jpg", "images/b.jpg", "images/c.jpg", "elsewhere.jpg")
    (tmp_path / "boxes.csv").write_text("file,x0,y0,x1,y1\na.jpg,1,2,3,4\nb.jpg,1,2,3,4\n")
    (tmp_path / "split.csv").write_text("file,class,split\na.jpg,x,test\nb.jpg,y,trainval\n")
    found = open_dataset(tmp_path)
    assert [image.name for image in found.train] == ["b.jpg", "c.jpg"]
    assert [image.name for image in found.labelled_test] == ["a.jpg"]
    assert [image.name for image in open_dataset(tmp_path, category="Y").images] == ["b.jpg"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("boxes.csv", "name,x0,y0,x1,y1\n", "header file,x0,y0,x1,y1"),
        (
            "boxes.csv",
            "file,x0,y0,x1,y1\nz.jpg,1,2,3,4\n",
            "the name of an image in the folder in line 2",
        ),
        ("boxes.csv", "file,x0,y0,x1,y1\na.jpg,1,2,3\n", "5 values in line 2"),
        ("boxes.csv", "file,x0,y0,x1,y1\na.jpg,1,2,x,4\n", "x0 < x1, y0 < y1 in line 2"),
        ("boxes.csv", "file,x0,y0,x1,y1\na.jpg,3,2,3,4\n", "x0 < x1, y0 < y1 in line 2"),
        ("split.csv", "file,split\na.jpg,validation\n", "train or trainval or val or test in line 2"),
        ("split.csv", "", "header file,split"),
    ],
)
def test_damaged_tables(file: str, content: str, message: str, tmp_path: Path) -> None:
    images(tmp_path, "a.jpg")
    (tmp_path / file).write_text(content)
    with pytest.raises(DatasetError, match=r"is damaged") as caught:
        open_dataset(tmp_path)
    assert message in caught.value.message
    assert file in caught.value.message


def test_no_folder_and_no_image(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a folder"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="holds no image; expected files such as"):
        open_dataset(tmp_path)


@pytest.mark.data
def test_the_research_photographs(research_data: Path) -> None:
    birds = open_dataset(research_data / "cub_birds_10")
    assert (len(birds.train), len(birds.labelled_test)) == (300, 243)
    cats = open_dataset(research_data / "pets_cats")
    assert len(cats.images) == 399
    assert len(open_dataset(research_data / "background").train) == 150
