"""What earlier runs have written goes when it no longer holds; what is someone's own never does."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from scoring.outputs import Cleared, Outputs

SAME, OTHER = b"the predictions", b"other predictions"


class Folder:
    """A folder of results, and runs into it that write the files they are told to."""

    def __init__(self, out: Path) -> None:
        self.out = out

    def begin(self, names: Iterable[str], planned: Iterable[str] = ()) -> Outputs:
        outputs = Outputs(self.out, self.list)
        outputs.begin(self.out / name for name in [*names, *planned])
        for name in names:
            path = self.out / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("written by a run")
        return outputs

    def run(self, *names: str, predictions: bytes = SAME, planned: Iterable[str] = ()) -> Cleared:
        outputs = self.begin(names, planned)
        (self.out / "predictions.jsonl").write_bytes(predictions)
        return outputs.finish(self.out / "predictions.jsonl", [self.out / name for name in names])

    @property
    def list(self) -> Path:
        return self.out / ".colocalize" / "outputs.jsonl"

    def files(self) -> set[str]:
        """All files and folders, as names, without what every run has."""
        names = {path.relative_to(self.out).as_posix() for path in self.out.rglob("*")}
        return {name for name in names if not name.startswith(".colocalize")} - {"predictions.jsonl"}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_belongs_to_other_predictions_is_removed_with_its_empty_folders(folder: Folder) -> None:
    folder.run("a.csv", "overlays/sub/a.jpg", "overlays/b.jpg", "yolo/labels/a.txt")
    assert folder.run("overlays/b.jpg", predictions=OTHER) == Cleared(removed=3)
    assert folder.files() == {"overlays", "overlays/b.jpg"}


def test_what_was_not_asked_for_stays_while_the_predictions_are_the_same(folder: Folder) -> None:
    folder.run("a.csv")
    assert folder.run("b.csv") == Cleared()
    assert folder.files() == {"a.csv", "b.csv"}
    assert folder.run("b.csv", predictions=OTHER) == Cleared(removed=1)
    assert folder.files() == {"b.csv"}


def test_files_of_someone_else_stay(folder: Folder) -> None:
    for name in ("notes.txt", "overlays/own.jpg"):
        (folder.out / name).parent.mkdir(exist_ok=True)
        (folder.out / name).write_text("my own")
    folder.run("overlays/a.jpg", planned=["overlays/own.jpg"])  # planned, and then not written: the image failed
    assert folder.run(predictions=OTHER) == Cleared(removed=1)
    assert folder.files() == {"notes.txt", "overlays", "overlays/own.jpg"}


def test_a_name_that_was_planned_and_not_written_is_free(folder: Folder) -> None:
    for predictions in (SAME, SAME, OTHER):
        folder.run(predictions=predictions, planned=["a.jpg"])
    (folder.out / "a.jpg").write_text("my own")
    assert folder.run(predictions=SAME) == Cleared()
    assert folder.files() == {"a.jpg"}


def test_a_file_that_was_edited_stays_and_is_named_once(folder: Folder) -> None:
    folder.run("labels/a.txt", "labels/b.txt")
    (folder.out / "labels/a.txt").write_text("corrected by hand")
    assert folder.run(predictions=OTHER) == Cleared(1, (folder.out / "labels/a.txt",))
    assert folder.run(predictions=SAME) == Cleared()
    assert folder.files() == {"labels", "labels/a.txt"}


def test_what_a_run_that_was_cut_off_has_written_is_known(folder: Folder) -> None:
    folder.begin(["a.jpg", "b.jpg"])
    assert folder.run("b.jpg") == Cleared(removed=1)
    assert folder.files() == {"b.jpg"}


def test_after_a_run_that_was_cut_off_nothing_is_taken_to_hold_any_more(folder: Folder) -> None:
    folder.run("a.csv", "a.jpg")
    folder.begin(["a.jpg"])  # with other options: the drawing is no longer that of the predictions
    assert folder.run() == Cleared(removed=2)
    assert folder.files() == set()


def test_what_was_edited_stays_even_after_a_run_that_was_cut_off(folder: Folder) -> None:
    folder.run("a.jpg")
    (folder.out / "a.jpg").write_text("retouched")
    folder.begin([], planned=["a.jpg"])
    assert folder.run(predictions=OTHER) == Cleared(0, (folder.out / "a.jpg",))


def test_a_file_under_two_names_stays(folder: Folder) -> None:
    """As on a file system that makes no difference between capitals and small letters."""
    folder.begin(["A.jpg"])
    (folder.out / "a.jpg").hardlink_to(folder.out / "A.jpg")
    outputs = Outputs(folder.out, folder.list)
    (folder.out / "predictions.jsonl").write_bytes(SAME)
    assert outputs.finish(folder.out / "predictions.jsonl", [folder.out / "a.jpg"]) == Cleared()
    assert "a.jpg" in folder.files()


def test_files_that_are_gone_already_are_no_error(folder: Folder) -> None:
    folder.run("a/a.jpg", "b.jpg")
    (folder.out / "a/a.jpg").unlink()
    (folder.out / "a").rmdir()
    (folder.out / "a").write_text("a file where the folder was")
    (folder.out / "b.jpg").unlink()
    assert folder.run(predictions=OTHER) == Cleared()
    assert folder.files() == {"a"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense\n",
        b"[]\n",
        b'{"predictions": null}\n["../victim", null]\n',
        b'{"predictions": null}\n["/etc/victim", null]\n',
        b'{"predictions": null}\n["victim", [1]]\n',
    ],
)
def test_a_damaged_list_is_taken_for_none(folder: Folder, content: bytes) -> None:
    folder.run()
    folder.list.write_bytes(content)
    victim = folder.out.parent / "victim"
    victim.touch()
    (folder.out / "victim").touch()
    assert folder.run(predictions=OTHER) == Cleared()
    assert victim.exists()
    assert (folder.out / "victim").exists()


def test_names_that_are_no_valid_unicode_survive(folder: Folder) -> None:
    folder.run("a\udcff.jpg")
    assert folder.run(predictions=OTHER) == Cleared(removed=1)
    assert folder.files() == set()
