"""The recipe of docs/cli.md, and that a real Label Studio (1.23.2, tried by hand) asks for what is checked here."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from colocalization.listing import ImageFile
from scoring.formats import ExportOptions, FormatError, check_names, write_format
from scoring.formats.base import records
from scoring.formats.label_studio import document_root
from tests.scoring.formats.test_yolo import prediction


def files_at(*paths: str) -> list[ImageFile]:
    return [ImageFile(Path(path).name, path, 1, 1) for path in paths]


@pytest.mark.parametrize(
    ("paths", "root"),
    [
        (["/data/birds/a.jpg"], "/data"),
        (["/data/birds/a.jpg", "/data/birds/sub/b.jpg"], "/data"),
        (["/data/birds/a.jpg", "/data/cats/b.jpg"], "/"),
        (["/data/birds/../cats/a.jpg"], "/data"),
    ],
)
def test_the_root_is_above_the_folder_that_holds_all_images(paths: list[str], root: str) -> None:
    """Label Studio refuses a storage that is the document root itself, and serves nothing outside a storage."""
    assert document_root(files_at(*paths), None) == Path(root)


def test_a_root_of_ones_own_must_be_above_the_images() -> None:
    files = files_at("/data/birds/a.jpg")
    assert document_root(files, Path("/data")) == Path("/data")
    for root in ("/data/birds", "/elsewhere"):
        with pytest.raises(FormatError, match="serves only what lies in a folder below its document root"):
            check_names(["labelstudio"], files, ExportOptions(label_studio_root=Path(root)))


def test_tasks_name_each_image_relative_to_the_root(tmp_path: Path) -> None:
    names = ["a b.jpg", "sub/ü&d=x.jpg", "100%.jpg", 'q"u?o#te.jpg']
    files = [ImageFile(name, str(tmp_path / "birds" / name), 1, 1) for name in names]
    predictions = [prediction(name) for name in names]
    written = write_format(
        "labelstudio", lambda: records(files, predictions, keep_unflagged=False), tmp_path, ExportOptions()
    )
    assert written.note == f"Label Studio: document root {tmp_path}, local storage {tmp_path / 'birds'}"
    tasks = json.loads(written.path.read_text())
    assert [task["data"]["path"] for task in tasks] == names
    for task, file in zip(tasks, files, strict=True):
        url = urlsplit(task["data"]["image"])
        assert url.path == "/data/local-files/"
        assert [str(tmp_path / relative) for relative in parse_qs(url.query)["d"]] == [file.path]
