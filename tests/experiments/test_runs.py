"""Grids of training runs on a tiny network: trained once, found again by their settings, scored as the log says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.runs import essence, find_runs, score_run, train_run
from experiments.tables import GRIDS, GridPlan, cell_config, run_grid
from tests.training.conftest import TINY
from training.config import TrainingConfig
from training.datasets import open_dataset
from training.run_progress import SilentProgress

OVERRIDES = (*TINY, "run.epochs=1", "run.evaluate=ends", "run.select=last")


@pytest.mark.parametrize("grid", list(GRIDS))
@pytest.mark.parametrize("preset", ["small", "paper"])
def test_every_cell_is_a_configuration_of_its_own(grid: str, preset: str) -> None:
    configs = [essence(cell_config(cell, preset, (), 0)) for cell in GRIDS[grid]]
    assert all(config not in configs[:index] for index, config in enumerate(configs))


def test_cells_are_what_the_paper_varies() -> None:
    sweep = [cell_config(cell, "small", (), 0).pooling for cell in GRIDS["figure1"]]
    assert [(pooling.kind, pooling.k) for pooling in sweep[:11]] == [
        ("max", 0.7),
        *(("ptap", tenth / 10) for tenth in range(1, 10)),
        ("avg", 0.7),
    ]
    on = [(config.pooling.at_train, config.pooling.at_test) for config in configs_of("table1")]
    assert on == [(False, False), (True, False), (True, True)]
    assert [config.pooling.kind for config in configs_of("table2")] == ["channel", "ptap"]
    assert [config.loss.active for config in configs_of("table3")] == [False, True, False, True]
    weights = [
        (config.loss.feature_weight, config.loss.map_weight, config.loss.map_others)
        for config in configs_of("forms")[1:]
    ]
    assert weights == [(1, 0, 1), (0, 1, 1), (0, 1, 0)]
    # Section B, Figure 1's caption, Table 2: all on rotation with the loss; Figure 1's first bars alone without.
    for table in ("table1", "table2"):
        assert all(config.loss.active and config.pretext.tasks == ("rotation",) for config in configs_of(table))
    assert [config.loss.active for config in configs_of("figure1")] == [False] * 11 + [True] * 11
    psynet = configs_of("psynet")
    assert [len(config.pretext.tasks) for config in psynet] == [1, 1, 1, 1, 1, 1, 2]
    assert psynet[-1].pretext.tasks == ("point_symmetry", "rotation")
    for config in psynet:
        assert (config.backbone.feature_map, config.loss.active, config.pooling.at_test) == ("head", False, False)


def configs_of(grid: str) -> list[TrainingConfig]:
    return [cell_config(cell, "small", (), 0) for cell in GRIDS[grid]]


def test_what_makes_no_other_run(tiny_config: Callable[..., TrainingConfig]) -> None:
    usual = essence(tiny_config())
    assert essence(tiny_config("run.seed=5", "run.device=auto", "data.workers=2")) == usual
    assert essence(tiny_config("optimizer.lr=0.5")) != usual
    off = ("pooling.at_train=false", "pooling.at_test=false")
    assert essence(tiny_config(*off, "pooling.k=0.3")) == essence(tiny_config(*off))
    assert essence(tiny_config("pooling.kind=max", "pooling.k=0.3")) == essence(tiny_config("pooling.kind=max"))
    assert essence(tiny_config("pooling.k=0.3")) != usual


def test_a_grid_is_trained_once(image_folder: Path, tmp_path: Path) -> None:
    images = open_dataset(image_folder)
    notes: list[str] = []

    class Notes(SilentProgress):
        def note(self, text: str) -> None:
            notes.append(text)

    def run(train: bool) -> dict[str, object]:
        plan = GridPlan("small", tmp_path / "runs", OVERRIDES, train=train)
        return run_grid("table2", plan, images, Notes())

    nothing = run(train=False)
    assert [cell["runs"] for cell in nothing["cells"].values()] == [[], []]  # type: ignore[attr-defined]
    assert sum("left out" in text for text in notes) == 2
    first = run(train=True)
    notes.clear()
    again = run(train=True)
    assert not [text for text in notes if "training" in text]
    assert first == again
    (score,) = first["cells"]["pixel"]["runs"]  # type: ignore[index]
    assert len(score["trained"]["otsu"]["iou_thousandths"]) == 4
    assert score["cost"]["epochs"] == 1


def test_scores_are_those_of_the_log(
    image_folder: Path, tmp_path: Path, tiny_config: Callable[..., TrainingConfig]
) -> None:
    images = open_dataset(image_folder)
    run = train_run(tiny_config("run.evaluate=ends", "run.select=last"), images, tmp_path / "run", SilentProgress())
    assert [found.folder for found in find_runs(tmp_path)] == [tmp_path / "run"]
    score = score_run(run, images)
    logged = {
        record["cut"]: record["mean"] for record in run.log if record["kind"] == "evaluation" and record["epoch"] > 0
    }
    for cut in ("otsu", "set_otsu"):
        assert score["trained"][cut]["corloc"]["mean"] == pytest.approx(logged[cut], abs=0.01)
    assert bool(score["training_images"]) == bool(images.labelled_train)
    assert set(score["untrained"]) == {"otsu", "set_otsu", "psynet"}
    assert set(score["untrained"]["otsu"]) == {"0.3", "0.5", "0.7", "mean"}


def test_a_run_that_did_not_end_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"kind": "start", "step": 0, "config": {}}\n')
    assert list(find_runs(tmp_path)) == []
