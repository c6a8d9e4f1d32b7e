"""`python -m experiments` from the outside."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from colocalization.localizer import DEFAULT_MODEL
from experiments import cli
from experiments.cli import app
from tests.training.conftest import TINY

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
MODEL = ROOT / "colocalization" / "models" / DEFAULT_MODEL


def call(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(arguments))
    return result.exit_code, result.output


def test_peers_on_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("experiments.saliency.shutil.which", lambda name: None)
    options = ["--data", str(EXAMPLES), "--limit", "2", "--records", str(tmp_path), "--cache", str(tmp_path / "cache")]
    code, output = call("peers", *options)
    assert code == 0, output
    assert "left out: npm is not installed" in output
    path = tmp_path / "experiment-peers.json"
    record = json.loads(path.read_text())
    methods = record["results"]["summary"]
    assert {"DDT @ 448", "DDT @ 320", "ours, common", "whole image"} <= set(methods)
    assert record["settings"]["sets"] == {"examples": 2}
    before = record["results"]["sets"]["examples"]["methods"]
    code, output = call("peers", *options, "--only", "trivial")
    assert code == 0, output
    record = json.loads(path.read_text())
    after = record["results"]["sets"]["examples"]["methods"]
    assert {name: result for name, result in after.items() if "box" not in name and "whole" not in name} == {
        name: result for name, result in before.items() if "box" not in name and "whole" not in name
    }
    assert set(record["results"]["summary"]) == set(methods)


def test_records_of_another_model_do_not_merge(tmp_path: Path) -> None:
    settings = {"model_sha256": "another"}
    record = {"experiment": "peers", "settings": settings, "results": {"sets": {}}, "commit": ""}
    (tmp_path / "experiment-peers.json").write_text(json.dumps(record))
    options = ["--data", str(EXAMPLES), "--limit", "2", "--records", str(tmp_path), "--only", "trivial"]
    code, output = call("peers", *options)
    assert code == 2
    assert "was measured with another model" in output


def test_an_unknown_kind(tmp_path: Path) -> None:
    code, output = call("peers", "--data", str(EXAMPLES), "--records", str(tmp_path), "--only", "best")
    assert code == 2
    assert "there is no kind of method 'best'; allowed: trivial, features, twice, tokens, saliency, ours" in output


def test_peers_of_transformers_on_a_model_of_ones_own(tmp_path: Path) -> None:
    given = ["--data", str(EXAMPLES), "--limit", "2", "--records", str(tmp_path), "--model", str(MODEL)]
    code, output = call("peers", *given, "--only", "tokens")
    assert code == 0, output
    record = json.loads((tmp_path / "experiment-peers.json").read_text())
    assert set(record["results"]["sets"]["examples"]["methods"]) == {"LOST", "TokenCut"}
    code, output = call("peers", *given, "--only", "twice")
    assert code == 2
    assert "with --model, --only must be of tokens, ours, got twice" in output


def test_no_data(tmp_path: Path) -> None:
    code, output = call("background", "--data", str(tmp_path / "none"), "--records", str(tmp_path))
    assert code == 2
    assert "is not a folder" in output


def test_a_table_and_its_report(image_folder: Path, tmp_path: Path) -> None:
    options = [part for setting in (*TINY, "run.epochs=1") for part in ("--set", setting)]
    runs, records = ["--runs", str(tmp_path / "runs")], ["--records", str(tmp_path / "records")]
    code, output = call("psynet", "--data", str(image_folder), *runs, *records, *options)
    assert code == 0, output
    code, output = call("report", *records, "--out", str(tmp_path / "results.md"))
    assert code == 0, output
    text = (tmp_path / "results.md").read_text()
    assert "PsyNet's training, on images" in text
    assert "| PsyNet, odd and rotation |" in text


def test_all_of_the_paper_is_each_table_on_both_feature_maps(image_folder: Path, tmp_path: Path) -> None:
    given = ["--data", str(image_folder), "--runs", str(tmp_path / "runs"), "--records", str(tmp_path), "--no-train"]
    code, output = call("paper", *given)
    assert code == 0, output
    written = {path.name for path in tmp_path.glob("experiment-*.json")}
    tables = ("table1", "table2", "table3", "figure1")
    assert written == {f"experiment-{name}-images-{of}.json" for name in tables for of in ("head", "block")}
    settings = json.loads((tmp_path / "experiment-table1-images-head.json").read_text())["settings"]
    assert settings["overrides"] == ["backbone.feature_map=head"]
    assert settings["seeds"] == [0, 1, 2]


@pytest.mark.parametrize("mode", ["attention", "common"])
def test_figure2(mode: str, tmp_path: Path) -> None:
    out = tmp_path / "figure2.jpg"
    given = ["--data", str(EXAMPLES), "--out", str(out), "--limit", "3", "--mode", mode]
    code, output = call("figure2", *given, "--model", str(MODEL))
    assert code == 0, output
    assert out.stat().st_size < 200_000


def test_every_experiment_of_the_paper_is_a_command() -> None:
    names = {command.name or command.callback.__name__ for command in cli.app.registered_commands}  # type: ignore[union-attr]
    assert {"figure1", "table1", "table2", "table3", "figure2", "peers", "background"} <= names
