"""The labels lie where trainers look for them, shown by their own rule and, where it is installed, by a trainer."""

import os
from pathlib import Path, PurePosixPath

import pytest
import yaml
from PIL import Image

from colocalization.listing import ImageFile
from scoring.formats import ExportOptions, FormatError, YoloImages, check_names, write_format
from scoring.formats.base import records
from scoring.formats.yolo import image_path, label_path
from scoring.predictions import Prediction

NAMES = ("a.jpg", "images/b.png", "x/images/c.jpg", "x/images/y/d.jpg", "images/images/e.jpg", "labels/f.jpg")


def trainers_rule(image: str) -> str:
    """As ultralytics (`img2label_paths`), yolov5 and their kin have it."""
    images, labels = f"{os.sep}images{os.sep}", f"{os.sep}labels{os.sep}"
    return labels.join(image.rsplit(images, 1)).rsplit(".", 1)[0] + ".txt"


def prediction(name: str, *, shown: bool | None = True) -> Prediction:
    """The left half of an image."""
    return {
        "path": name,
        "width": 64,
        "height": 32,
        "boxes": [{"x0": 0.0, "y0": 0.0, "x1": 32.0, "y1": 32.0, "score": 0.9}],
        "confidence": 0.9 if shown else 0.1,
        "contains_common_object": shown,
        "error": None,
        "warning": None,
    }


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for name in NAMES:
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 32), (0, 90, 0)).save(tmp_path / "set" / name)
    return tmp_path / "set"


def write(images: Path, out: Path, how: YoloImages = "link", label: str = "bird", without: str = "") -> list[Path]:
    """Write the data set; gives all its files."""
    files = [ImageFile(name, str(images / name), 1, 1) for name in NAMES]
    options = ExportOptions(label, yolo_images=how)
    predictions = [prediction(name, shown=name != without) for name in NAMES]

    def read() -> object:
        return records(files, predictions, keep_unflagged=False)

    return [Path(file) for file in write_format("yolo", read, out, options).files]  # type: ignore[arg-type]


@pytest.mark.parametrize("how", ["link", "copy"])
def test_labels_lie_where_the_rule_of_trainers_leads(images: Path, tmp_path: Path, how: YoloImages) -> None:
    files = write(images, tmp_path / "images" / "out", how)  # a folder `images` above must not matter either
    folder = tmp_path / "images" / "out" / "yolo"
    for name in NAMES:
        image = folder / "images" / name
        assert image.is_symlink() == (how == "link")
        assert image.read_bytes() == (images / name).read_bytes()
        label = Path(trainers_rule(str(image)))
        assert label.read_text() == "0 0.250000 0.500000 0.500000 1.000000\n"
        assert {image, label} < set(files)
    assert set(files) == {path for path in folder.rglob("*") if not path.is_dir()}


@pytest.mark.parametrize("name", [*NAMES, "a.b.c.jpg", "images.jpg", "images/images.jpg", "ünï/cödé.webp"])
def test_the_rule_is_that_of_trainers(name: str) -> None:
    image = image_path(name)
    assert f"/out/yolo/{label_path(image)}" == trainers_rule(f"/out/yolo/{image}")


def test_without_images_there_are_labels_alone(images: Path, tmp_path: Path) -> None:
    write(images, tmp_path, "none")
    assert not (tmp_path / "yolo/images/a.jpg").exists()
    assert (tmp_path / "yolo/labels/a.txt").is_file()


def test_what_someone_has_put_there_stays_and_is_not_ours(images: Path, tmp_path: Path) -> None:
    own = tmp_path / "yolo/images/a.jpg"
    own.parent.mkdir(parents=True)
    own.write_text("my own")
    assert own not in write(images, tmp_path)
    assert own.read_text() == "my own"


def test_a_link_to_the_images_as_a_whole_is_left_alone(images: Path, tmp_path: Path) -> None:
    (tmp_path / "yolo").mkdir()
    (tmp_path / "yolo/images").symlink_to(images, target_is_directory=True)
    before = {path: path.read_bytes() for path in images.rglob("*.jpg")}
    write(images, tmp_path)
    assert {path: path.read_bytes() for path in images.rglob("*.jpg")} == before
    assert not any(path.is_symlink() for path in images.rglob("*"))


def test_a_link_that_leads_elsewhere_is_mended(images: Path, tmp_path: Path) -> None:
    write(images, tmp_path)
    link = tmp_path / "yolo/images/a.jpg"
    link.unlink()
    link.symlink_to("/gone")
    write(images, tmp_path)
    assert link.readlink() == images / "a.jpg"


@pytest.mark.parametrize("label", ["bird", 'Jack\'s "bird"', "a: b # c", "\\n", "42", "\x7f\u200b", "🐦", "[x]", "yes"])
def test_the_class_is_read_back_by_a_reader_of_yaml(images: Path, tmp_path: Path, label: str) -> None:
    write(images, tmp_path, "none", label)
    content = yaml.safe_load((tmp_path / "yolo/data.yaml").read_bytes())
    assert content == {"train": "images", "val": "images", "names": {0: label}}


def test_endings_that_trainers_do_not_take_get_one_that_they_do() -> None:
    assert [str(image_path(name)) for name in ("a.JFIF", "b.jpe", "c.dib")] == [
        "images/a.JFIF.jpg",
        "images/b.jpe.jpg",
        "images/c.dib.bmp",
    ]


def test_names_too_long_for_labels_are_shortened_and_stay_two() -> None:
    paths = [label_path(image_path("x" * 250 + end)) for end in ("1.jfif", "2.jfif")]
    assert all(len(path.name) <= 255 for path in paths)
    assert paths[0] != paths[1]


@pytest.mark.parametrize(
    "names",
    [
        ("a.jpg", "a.png"),
        ("images/a.jpg", "images/a.png"),
        ("x.jfif", "x.jfif.jpg"),
        ("a/images/x.jpg", "a/labels/x.txt"),  # an image, by its first bytes, where the labels of another would lie
    ],
)
def test_two_images_that_would_share_a_file_are_refused(names: tuple[str, ...]) -> None:
    files = [ImageFile(name, f"/set/{name}", 1, 1) for name in names]
    with pytest.raises(FormatError, match="YOLO would call the labels of"):
        check_names(["yolo"], files, ExportOptions())


def test_a_trainer_takes_the_data_set_as_it_is(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ultralytics' own data set class; it is not among what is installed for development, since it brings an OpenCV
    that overwrites ours."""
    monkeypatch.setenv("YOLO_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("YOLO_OFFLINE", "true")
    pytest.importorskip("ultralytics", reason="ultralytics is not installed")
    from ultralytics.data.dataset import YOLODataset
    from ultralytics.data.utils import check_det_dataset

    write(images, tmp_path / "images" / "out", label="Jack's bird", without="images/b.png")
    data = check_det_dataset(str(tmp_path / "images/out/yolo/data.yaml"), autodownload=False)
    assert data["names"] == {0: "Jack's bird"}
    folder = PurePosixPath(data["train"])
    labels = YOLODataset(img_path=data["train"], data=data, task="detect", imgsz=64, augment=False).labels
    found = {
        PurePosixPath(label["im_file"]).relative_to(folder).as_posix(): label["bboxes"].tolist() for label in labels
    }
    assert found == {name: [] if name == "images/b.png" else [[0.25, 0.5, 0.5, 1.0]] for name in NAMES}
