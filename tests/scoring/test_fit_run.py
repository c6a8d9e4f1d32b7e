"""`colocalize fit`: fitting files, and adding files to what was fitted."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from colocalization.common_object import CommonObject
from colocalization.errors import ObjectError
from colocalization.localizer import Localizer
from scoring import fit_run
from scoring.fit_command import app
from scoring.fit_run import add_files, fit_files
from scoring.inputs import discover
from scoring.pipeline import PipelineSizes
from tests.dummy_engine import DummyEngine
from tests.scoring.score_images import Silent, write_square, write_squares

SIZES = PipelineSizes()


@pytest.fixture
def localizer(dummy_engine: DummyEngine, tmp_path: Path) -> Localizer:
    write_squares(tmp_path / "old", 10)
    write_squares(tmp_path / "new", 5)
    (tmp_path / "new/damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return Localizer(dummy_engine)


def test_files_are_added_to_what_was_fitted(localizer: Localizer, tmp_path: Path) -> None:
    old, new = (discover([str(tmp_path / name)]).files for name in ("old", "new"))
    common, failures = fit_files(old, {}, localizer, SIZES, Silent(), growing=True)
    assert failures == []
    grown, failures = add_files(new, common, localizer, SIZES, Silent())
    assert [failure.partition(":")[0] for failure in failures] == ["'damaged.png'"]
    assert common.sums is not None
    assert grown.sums is not None
    assert (common.sums.images, grown.sums.images) == (10, 15)
    assert grown.sums.first.high.count > common.sums.first.high.count
    place = write_square(tmp_path / "later.png", 24, 16)
    (box,) = localizer.localize([place], common=grown)[0].boxes
    assert box.as_tuple() == (24, 16, 40, 32)


def test_nothing_that_can_be_read_is_an_error(localizer: Localizer, tmp_path: Path) -> None:
    common, _ = fit_files(discover([str(tmp_path / "old")]).files, {}, localizer, SIZES, Silent(), growing=True)
    with pytest.raises(ObjectError, match=r"none of the images can be read, such as 'damaged\.png'"):
        add_files(discover([str(tmp_path / "new/damaged.png")]).files, common, localizer, SIZES, Silent())


def test_the_command(localizer: Localizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fit_run, "load", lambda machine, common=None: localizer)

    def fit(*arguments: str) -> tuple[int, str]:
        told = CliRunner().invoke(app, [str(one) for one in arguments])
        return told.exit_code, told.output

    file, grown = str(tmp_path / "square.npz"), str(tmp_path / "grown.npz")
    assert fit(str(tmp_path / "old"), "--out", file, "--growing")[0] == 0
    code, output = fit(str(tmp_path / "new"), "--add-to", file, "--out", grown)
    assert (code, "failed: 'damaged.png'" in output) == (1, True)
    assert CommonObject.load(grown).origin is not None
    assert "fitted on images" in output
    code, output = fit(str(tmp_path / "new"), "--add-to", file, "--out", grown, "--hint", "p0.png:none")
    assert (code, "--add-to takes no hints" in output) == (2, True)
    assert fit(str(tmp_path / "old"), "--out", file)[0] == 0
    code, output = fit(str(tmp_path / "new"), "--add-to", file, "--out", grown)
    assert (code, "cannot grow: it was not fitted for it" in output) == (2, True)
