"""The notebooks of examples/ run from top to bottom and say what is true; they are kept without outputs."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def _outputs(notebook: nbformat.NotebookNode) -> str:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(str(output.get("text") or output.get("data", {}).get("text/plain", "")) for output in outputs)


def _run(name: str, folder: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(EXAMPLES / name, as_version=4)
    NotebookClient(notebook, timeout=240, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def _drawn(notebook: nbformat.NotebookNode) -> int:
    """How many images it shows."""
    return sum("image/png" in output.get("data", {}) for cell in notebook.cells for output in cell.get("outputs", []))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_it_is_kept_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert _outputs(notebook) == ""


@pytest.mark.slow
# The kernel's client closes its sockets when they are collected.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
class TestFromTopToBottom:
    def test_what_do_these_images_have_in_common(self) -> None:
        notebook = _run("colocalize.ipynb", EXAMPLES)
        said = _outputs(notebook)
        assert "18 images" in said
        assert "['colosseum.jpg', 'flowers.jpg', 'lake.jpg']" in said
        assert _drawn(notebook) > 0

    def test_to_a_reviewed_data_set(self, tmp_path: Path) -> None:
        for name in ("images", "without"):
            shutil.copytree(EXAMPLES / name, tmp_path / name)
        shutil.copy(EXAMPLES / "boxes.csv", tmp_path)
        notebook = _run("review.ipynb", tmp_path)
        said = _outputs(notebook)
        assert _drawn(notebook) == 2  # the sheet before and after
        assert "background: ['colosseum.jpg', 'flowers.jpg', 'lake.jpg']" in said
        told = re.search(r"right: (\d+) of 18 before the review, (\d+) after", said)
        assert told is not None
        assert int(told[1]) < int(told[2])
        corrections = (tmp_path / "corrections.csv").read_text().splitlines()
        assert corrections == [
            "file,x0,y0,x1,y1",
            "collared_aracari.jpg,20,47,256,320",
            "spoonbills.jpg,56,43,225,269",
            "spoonbills.jpg,230,96,552,270",
        ]
        labels = {
            path.stem: path.read_text().split("\n")[:-1] for path in (tmp_path / "reviewed/yolo").glob("labels/*.txt")
        }
        assert len(labels) == 18
        assert len(labels["spoonbills"]) == 2
        assert sorted(name for name, lines in labels.items() if not lines) == ["colosseum", "flowers", "lake"]
