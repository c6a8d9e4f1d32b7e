from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from colocalization.localizer import Localizer
from scoring import object_sheet
from scoring.contact_sheet import MAX_TILES
from scoring.show_command import app
from tests.dummy_engine import DummyEngine
from tests.scoring.score_images import write_squares


@pytest.fixture
def fitted(tmp_path: Path, dummy_engine: DummyEngine, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_squares(tmp_path / "set", 60)
    localizer = Localizer(dummy_engine)
    monkeypatch.setattr(object_sheet, "load", lambda machine, common: localizer)
    localizer.fit(sorted((tmp_path / "set").iterdir())).save(tmp_path / "square.npz")
    return tmp_path / "square.npz"


def test_a_sheet_of_what_it_was_fitted_on(fitted: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheets/square.jpg"
    told = CliRunner().invoke(app, [str(fitted), "--images", str(tmp_path / "set"), "--contact-sheet", str(sheet)])
    assert told.exit_code == 0, told.output
    with Image.open(sheet) as drawn:
        assert drawn.format == "JPEG"
        assert drawn.width > 7 * 240  # seven or eight columns
        assert drawn.height > MAX_TILES / 8 * 240


@pytest.mark.parametrize("arguments", [["--images", "set"], ["--contact-sheet", "sheet.jpg"]])
def test_images_and_sheet_go_together(fitted: Path, arguments: list[str]) -> None:
    told = CliRunner().invoke(app, [str(fitted), *arguments])
    assert told.exit_code == 2
    assert "give --images and --contact-sheet together" in told.output
