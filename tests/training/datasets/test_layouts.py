"""Miniature replicas of the official layouts: what is read, and how damage is named."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from training.datasets import LAYOUTS, ImageSet, open_dataset
from training.errors import DatasetError

Replica = Callable[[Path], None]


def image(path: Path, size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 30)).save(path)


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def voc_object(name: str, box: str, *, pose: str = "Left", truncated: int = 0, difficult: int = 0) -> str:
    corners = "".join(f"<{c}>{v}</{c}>" for c, v in zip(("xmin", "ymin", "xmax", "ymax"), box.split(), strict=True))
    return (
        f"<object><name>{name}</name><pose>{pose}</pose><truncated>{truncated}</truncated>"
        f"<difficult>{difficult}</difficult><bndbox>{corners}</bndbox></object>"
    )


def annotation(path: Path, *objects: str) -> None:
    write(path, "<annotation><size><width>40</width></size>", *objects, "</annotation>")


def cub(root: Path) -> None:
    names = ["001.Black_footed_Albatross/a.jpg", "001.Black_footed_Albatross/b.jpg", "002.Laysan_Albatross/c.jpg"]
    for name in names:
        image(root / "images" / name)
    write(root / "images.txt", *(f"{index} {name}" for index, name in enumerate(names, 1)))
    write(root / "train_test_split.txt", "1 1", "2 0", "3 0")
    write(root / "bounding_boxes.txt", "1 10.0 5.0 20.0 15.0", "2 1.0 2.0 3.0 4.0", "3 0.0 0.0 40.0 30.0")


CAR = [("bbox_x1", "i4"), ("bbox_y1", "i4"), ("bbox_x2", "i4"), ("bbox_y2", "i4")]


def cars_both(root: Path) -> None:
    records = np.zeros((1, 3), dtype=[("relative_im_path", object), *CAR, ("class", "i4"), ("test", "i4")])
    for index, (is_test, label) in enumerate([(0, 5), (0, 6), (1, 5)]):
        name = f"car_ims/00000{index + 1}.jpg"
        image(root / name)
        records[0, index] = (name, 2, 3, 11 + index, 13, label, is_test)
    savemat(root / "cars_annos.mat", {"annotations": records, "class_names": np.array(["a", "b"], object)})


def cars_devkit(root: Path, *, labels: bool = True) -> None:
    for split, count in (("train", 2), ("test", 1)):
        with_class = [("class", "i4")] if labels or split == "train" else []
        records = np.zeros((1, count), dtype=[*CAR, *with_class, ("fname", object)])
        for index in range(count):
            image(root / f"cars_{split}" / f"0000{index + 1}.jpg")
            values = (2, 3, 11 + index, 13, *((5 + index,) if with_class else ()), f"0000{index + 1}.jpg")
            records[0, index] = values
        suffix = "_withlabels" if split == "test" and labels else ""
        (root / "devkit").mkdir(exist_ok=True, parents=True)
        savemat(root / "devkit" / f"cars_{split}_annos{suffix}.mat", {"annotations": records})


def aircraft(root: Path) -> None:
    for name in ("0000001", "0000002", "0000003"):
        image(root / "data" / "images" / f"{name}.jpg", (60, 50))
    write(root / "data" / "images_box.txt", "0000001 3 4 50 28", "0000002 1 1 60 30", "0000003 11 6 20 10")
    write(root / "data" / "images_variant_trainval.txt", "0000001 707-320", "0000002 Boeing 717")
    write(root / "data" / "images_variant_test.txt", "0000003 707-320")


def dogs(root: Path) -> None:
    lists = {"train": ["n1-Chihuahua/n1_1.jpg", "n2-Pug/n2_1.jpg"], "test": ["n1-Chihuahua/n1_2.jpg"]}
    for split, names in lists.items():
        for name in names:
            image(root / "Images" / name)
            annotation(root / "Annotation" / name.removesuffix(".jpg"), voc_object("dog", "5 6 20 25"))
        cells = np.array([[name] for name in names], dtype=object)
        savemat(root / f"{split}_list.mat", {"file_list": cells, "labels": np.ones((len(names), 1))})


def voc(root: Path) -> None:
    base = root / "VOC2007"
    objects = {
        "000001": [voc_object("bus", "3 4 20 20"), voc_object("person", "1 1 5 5")],
        "000002": [voc_object("bus", "5 5 30 25", pose="Right"), voc_object("bus", "1 1 9 9", truncated=1)],
        "000003": [voc_object("bus", "2 2 9 9", truncated=1), voc_object("bus", "3 3 9 9", difficult=1)],
        "000004": [voc_object("person", "1 1 5 5")],
        "000005": [voc_object("bus", "7 7 17 17", pose="Frontal")],
    }
    for name, found in objects.items():
        image(base / "JPEGImages" / f"{name}.jpg")
        annotation(base / "Annotations" / f"{name}.xml", *found)
    write(base / "ImageSets" / "Main" / "bus_trainval.txt", "000001  1", "000002  1", "000003  1", "000004 -1")
    write(base / "ImageSets" / "Main" / "bus_test.txt", "000005  1")


def pets(root: Path) -> None:
    rows = {"Abyssinian_1": "1 1 1", "Abyssinian_2": "1 1 1", "yorkshire_terrier_1": "37 2 25"}
    for name in rows:
        image(root / "images" / f"{name}.jpg")
        trimap = np.full((30, 40), 2, np.uint8)
        trimap[8:22, 9:31] = 3
        trimap[10:20, 10:30] = 1
        (root / "annotations" / "trimaps").mkdir(parents=True, exist_ok=True)
        Image.fromarray(trimap).save(root / "annotations" / "trimaps" / f"{name}.png")
    write(
        root / "annotations" / "trainval.txt",
        *(f"{name} {rows[name]}" for name in ("Abyssinian_1", "yorkshire_terrier_1")),
    )
    write(root / "annotations" / "test.txt", f"Abyssinian_2 {rows['Abyssinian_2']}")


def summary(images: ImageSet) -> list[tuple[str, str, tuple[tuple[float, ...], ...]]]:
    return [(member.name, member.split, member.boxes) for member in images.images]


@pytest.mark.parametrize(
    ("replica", "layout", "category", "expected"),
    [
        pytest.param(
            cub,
            "cub",
            "",
            [  # x, y, width, height
                ("001.Black_footed_Albatross/a.jpg", "train", ((10, 5, 30, 20),)),
                ("001.Black_footed_Albatross/b.jpg", "test", ((1, 2, 4, 6),)),
                ("002.Laysan_Albatross/c.jpg", "test", ((0, 0, 40, 30),)),
            ],
            id="cub",
        ),
        pytest.param(cub, "cub", "laysan", [("002.Laysan_Albatross/c.jpg", "test", ((0, 0, 40, 30),))], id="cub-class"),
        pytest.param(
            cars_both,
            "cars",
            "",
            [  # inclusive and from 1: x1 - 1, y1 - 1, x2, y2
                ("car_ims/000001.jpg", "train", ((1, 2, 11, 13),)),
                ("car_ims/000002.jpg", "train", ((1, 2, 12, 13),)),
                ("car_ims/000003.jpg", "test", ((1, 2, 13, 13),)),
            ],
            id="cars-annos",
        ),
        pytest.param(
            cars_devkit,
            "cars",
            "",
            [
                ("cars_test/00001.jpg", "test", ((1, 2, 11, 13),)),
                ("cars_train/00001.jpg", "train", ((1, 2, 11, 13),)),
                ("cars_train/00002.jpg", "train", ((1, 2, 12, 13),)),
            ],
            id="cars-devkit",
        ),
        pytest.param(
            lambda root: cars_devkit(root, labels=False),
            "cars",
            "",
            [
                ("cars_test/00001.jpg", "test", ((1, 2, 11, 13),)),
                ("cars_train/00001.jpg", "train", ((1, 2, 11, 13),)),
                ("cars_train/00002.jpg", "train", ((1, 2, 12, 13),)),
            ],
            id="cars-devkit-without-test-labels",
        ),
        pytest.param(cars_devkit, "cars", "6", [("cars_train/00002.jpg", "train", ((1, 2, 12, 13),))], id="cars-class"),
        pytest.param(
            aircraft,
            "aircraft",
            "",
            [
                ("0000001.jpg", "train", ((2, 3, 50, 28),)),
                ("0000002.jpg", "train", ((0, 0, 60, 30),)),
                ("0000003.jpg", "test", ((10, 5, 20, 10),)),
            ],
            id="aircraft",
        ),
        pytest.param(
            aircraft, "aircraft", "boeing 717", [("0000002.jpg", "train", ((0, 0, 60, 30),))], id="aircraft-variant"
        ),
        pytest.param(
            dogs,
            "dogs",
            "",
            [
                ("n1-Chihuahua/n1_1.jpg", "train", ((4, 5, 20, 25),)),
                ("n1-Chihuahua/n1_2.jpg", "test", ((4, 5, 20, 25),)),
                ("n2-Pug/n2_1.jpg", "train", ((4, 5, 20, 25),)),
            ],
            id="dogs",
        ),
        pytest.param(dogs, "dogs", "pug", [("n2-Pug/n2_1.jpg", "train", ((4, 5, 20, 25),))], id="dogs-class"),
        pytest.param(
            voc,
            "voc07",
            "bus",
            [  # the difficult bus of 000003 is left out
                ("000001.jpg", "train", ((2, 3, 20, 20),)),
                ("000002.jpg", "train", ((4, 4, 30, 25), (0, 0, 9, 9))),
                ("000003.jpg", "train", ((1, 1, 9, 9),)),
                ("000005.jpg", "test", ((6, 6, 17, 17),)),
            ],
            id="voc",
        ),
        pytest.param(voc, "voc07_6x2", "bus_left", [("000001.jpg", "both", ((2, 3, 20, 20),))], id="6x2-left"),
        pytest.param(
            voc, "voc07_6x2", "bus_right", [("000002.jpg", "both", ((4, 4, 30, 25), (0, 0, 9, 9)))], id="6x2-right"
        ),
        pytest.param(
            pets,
            "pets",
            "",
            [
                ("Abyssinian_1.jpg", "train", ((10, 10, 30, 20),)),
                ("Abyssinian_2.jpg", "test", ((10, 10, 30, 20),)),
                ("yorkshire_terrier_1.jpg", "train", ((10, 10, 30, 20),)),
            ],
            id="pets",
        ),
        pytest.param(pets, "pets", "dog", [("yorkshire_terrier_1.jpg", "train", ((10, 10, 30, 20),))], id="pets-dogs"),
        pytest.param(
            pets,
            "pets",
            "abyssinian",
            [("Abyssinian_1.jpg", "train", ((10, 10, 30, 20),)), ("Abyssinian_2.jpg", "test", ((10, 10, 30, 20),))],
            id="pets-breed",
        ),
    ],
)
def test_layout(
    replica: Replica, layout: str, category: str, expected: list[tuple[str, str, object]], tmp_path: Path
) -> None:
    replica(tmp_path)
    found = open_dataset(tmp_path, layout, category)
    assert summary(found) == expected
    assert found.layout == layout
    if layout != "voc07_6x2":  # shares its files with voc07 and must be named
        assert open_dataset(tmp_path, "auto", category) == found


def test_roles() -> None:
    assert set(LAYOUTS) == {"cub", "cars", "aircraft", "dogs", "voc07", "voc07_6x2", "pets", "folder"}


def test_6x2_is_trained_on_and_scored(tmp_path: Path) -> None:
    voc(tmp_path)
    found = open_dataset(tmp_path, "voc07_6x2", "bus_left")
    assert found.train == found.labelled_test == found.images


def test_voc_without_the_test_archive(tmp_path: Path) -> None:
    voc(tmp_path)
    (tmp_path / "VOC2007" / "ImageSets" / "Main" / "bus_test.txt").unlink()
    assert {found.split for found in open_dataset(tmp_path, "voc07", "bus").images} == {"train"}


def test_the_aircraft_s_banner_is_cut(tmp_path: Path) -> None:
    aircraft(tmp_path)
    image = open_dataset(tmp_path).images[0].load()
    assert image.rgb.shape == (30, 60, 3)
    assert (image.width, image.height) == (60, 30)


def test_the_banner_of_a_reduced_image_is_cut_in_proportion(tmp_path: Path) -> None:
    aircraft(tmp_path)
    image(tmp_path / "data" / "images" / "0000001.jpg", (2048, 1000))
    loaded = open_dataset(tmp_path).images[0].load()
    assert loaded.rgb.shape == (490, 1024, 3)
    assert (loaded.width, loaded.height) == (2048, 980)


MISSING = [
    (cub, "", "bounding_boxes.txt", "cub", "<x> <y> <width> <height>"),
    (cub, "", "train_test_split.txt", "cub", "<1 for training>"),
    (cub, "", "images/001.Black_footed_Albatross/b.jpg", "cub", "1 of 3"),
    (cars_both, "", "car_ims/000002.jpg", "cars", "1 of 3"),
    (cars_devkit, "", "devkit/cars_test_annos_withlabels.mat", "cars", "MATLAB file"),
    (aircraft, "", "data/images_variant_test.txt", "aircraft", "<variant>"),
    (dogs, "", "test_list.mat", "dogs", "MATLAB file"),
    (dogs, "", "Annotation/n2-Pug/n2_1", "dogs", "PASCAL VOC annotation"),
    (voc, "bus", "VOC2007/Annotations/000002.xml", "voc07", "PASCAL VOC annotation"),
    (voc, "bus", "VOC2007/ImageSets/Main/bus_trainval.txt", "voc07", "-1, 0 or 1"),
    (pets, "", "annotations/trimaps/Abyssinian_2.png", "pets", "grey PNG"),
    (pets, "", "annotations/test.txt", "pets", "<breed>"),
]


@pytest.mark.parametrize(("replica", "category", "file", "layout", "expected"), MISSING)
def test_a_missing_file_is_named_with_its_source(
    replica: Replica, category: str, file: str, layout: str, expected: str, tmp_path: Path
) -> None:
    replica(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(DatasetError) as caught:
        open_dataset(tmp_path, layout, category)
    message = caught.value.message
    # Cars falls back to the list without labels, which is then the one that is missing.
    assert file.replace("_withlabels", "") in message
    assert expected in message
    assert "Get it from http" in message


DAMAGED = [
    (cub, "", "cub", "images.txt", "1 a.jpg extra", "line 1"),
    (cub, "", "cub", "images.txt", "", "an empty file"),
    (cub, "", "cub", "train_test_split.txt", "1 1\n2 2", "line 2"),
    (cub, "", "cub", "train_test_split.txt", "1 1", "a line for image 2"),
    (cub, "", "cub", "bounding_boxes.txt", "1 1 2 3 4\n2 1 2 3", "line 2"),
    (cub, "", "cub", "bounding_boxes.txt", "1 1 2 0 4", "x0 < x1"),
    (cub, "", "cub", "bounding_boxes.txt", "1 1 2 3 4\n2 1 2 3 4", "a line for image 3"),
    (cars_both, "", "cars", "cars_annos.mat", "no MATLAB file", "before version 7.3"),
    (aircraft, "", "aircraft", "data/images_box.txt", "0000001 1 2 x 4", "line 1"),
    (aircraft, "", "aircraft", "data/images_box.txt", "0000001 1 2 5 4", "a line for image 0000002"),
    (dogs, "", "dogs", "Annotation/n1-Chihuahua/n1_1", "<annotation>", "PASCAL VOC annotation"),
    (dogs, "", "dogs", "Annotation/n1-Chihuahua/n1_1", "<annotation/>", "at least one object"),
    (voc, "bus", "voc07", "VOC2007/ImageSets/Main/bus_trainval.txt", "000001 yes", "line 1"),
    (
        voc,
        "bus",
        "voc07",
        "VOC2007/Annotations/000001.xml",
        "<annotation><object><name>bus</name></object></annotation>",
        "<bndbox>",
    ),
    (pets, "", "pets", "annotations/trainval.txt", "Abyssinian_1 1 3 1", "line 1"),
    (pets, "", "pets", "annotations/trimaps/Abyssinian_1.png", "no PNG", "grey PNG"),
]


@pytest.mark.parametrize(("replica", "category", "layout", "file", "content", "expected"), DAMAGED)
def test_a_damaged_file_is_named_with_what_was_expected(
    replica: Replica, category: str, layout: str, file: str, content: str, expected: str, tmp_path: Path
) -> None:
    replica(tmp_path)
    (tmp_path / file).write_text(content)
    with pytest.raises(DatasetError, match="is damaged") as caught:
        open_dataset(tmp_path, layout, category)
    assert file in caught.value.message
    assert expected in caught.value.message


def test_mat_file_of_the_wrong_kind(tmp_path: Path) -> None:
    cars_both(tmp_path)
    savemat(tmp_path / "cars_annos.mat", {"annotations": np.zeros((1, 2), dtype=[("bbox_x1", "i4")])})
    with pytest.raises(DatasetError, match="relative_im_path"):
        open_dataset(tmp_path)
    savemat(tmp_path / "cars_annos.mat", {"else": 1})
    with pytest.raises(DatasetError, match="a file without it"):
        open_dataset(tmp_path)


@pytest.mark.parametrize(
    ("layout", "category", "message"),
    [
        ("voc07", "", "name one class"),
        ("voc07_6x2", "bus", "no subset 'bus'"),
        ("voc07_6x2", "dog_left", "allowed: aeroplane_left"),
        ("voc12", "bus", "allowed: auto, cub"),
    ],
)
def test_what_must_be_named(layout: str, category: str, message: str, tmp_path: Path) -> None:
    voc(tmp_path)
    with pytest.raises(DatasetError, match=message):
        open_dataset(tmp_path, layout, category)


def test_a_category_that_matches_nothing(tmp_path: Path) -> None:
    cub(tmp_path)
    with pytest.raises(DatasetError, match="at least one image"):
        open_dataset(tmp_path, "cub", "ostrich")


def test_a_damaged_cub_beside_nothing_else_is_still_told_from_a_plain_folder(tmp_path: Path) -> None:
    cub(tmp_path)
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(DatasetError, match="3 of 3"):
        open_dataset(tmp_path)
