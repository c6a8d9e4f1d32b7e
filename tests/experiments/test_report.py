"""The text follows from the records, number by number."""

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.compare import summaries
from experiments.records import Record, record_path, write_record
from experiments.report import write_report
from experiments.report.peers import best_peer, peers_section
from experiments.report.text import provenance
from experiments.scores import summarise
from training.provenance import Provenance

METHODS = {
    "whole image": [100, 200, 300, 400],
    "DDT @ 448": [500, 500, 500, 100],
    "ours, attention": [500, 500, 100, 100],
    "ours, common, fast": [500, 700, 700, 700],
    "ours, common": [700, 700, 700, 700],
}


def peers_results() -> dict[str, Any]:
    methods = {
        name: {"iou_thousandths": ious, "max_box_acc_v2": 50.0, "cpu_seconds_per_image": 0.25}
        for name, ious in METHODS.items()
    }
    sets = {"cats": {"group": "cats", "images": 4, "methods": methods}}
    return {"measured": {"ours": {"commit": "fedcba9876543210"}}, "sets": sets, "summary": summaries(sets)}


def background_results() -> dict[str, Any]:
    share = {"auroc": 0.987, "false_refusals": 1.5, "false_acceptances": 2.5, "agreement": 0.7}
    shares = {"0.1": share, "0.3": share, "0.5": share}
    told = {"group": "cats", "images": 4, "pure": {"false_refusals": 0.5, "agreement": 0.8}}
    told |= {"few": {"5": 12.5}, "shares": shares}
    return {
        "sets": {"cats": told},
        "mean": {"pure": {"false_refusals": 0.5}, "few": {"5": 12.5}, "shares": shares},
        "background_alone": {"20": {"accepted": 3.25, "agreement": 0.11}},
    }


def size_results() -> dict[str, Any]:
    mean = summarise({"a": [0.7, 0.5, 0.1]}, {"a": "a"})[1].to_json()
    size = {"mean": mean, "over_all": {at: [-1.0, -2.0, 0.0] for at in ("0.3", "0.5", "0.7", "mean")}}
    return {"pool": 40, "sizes": {"1": size, "all": size}}


def grid_results(seeds: int) -> dict[str, Any]:
    scores = summarise({"a": [0.7, 0.5, 0.1]}, {"a": "a"})[1].to_json()
    run = {
        "trained": {"otsu": scores, "psynet": scores},
        "untrained": {"otsu": {"0.5": 41.5}},
        "training_images": {"0.5": 43.5},
        "max_box_acc_v2": 61.5,
        "cost": {
            "epochs": 12,
            "seconds": 60.0,
            "images_per_second": 12.5,
            "peak_memory_mb": 3000,
            "load_share": 0.01,
            "forward_share": 0.75,
            "backward_share": 0.24,
        },
    }
    return {
        "cells": {
            "channel": {"label": "channel-wise", "runs": [{**run, "seed": seed} for seed in range(seeds)]},
            "pixel": {"label": "pixel", "runs": []},
        }
    }


@pytest.fixture
def records(tmp_path: Path) -> Callable[[str, dict[str, Any], dict[str, Any]], Path]:
    def write(name: str, settings: dict[str, Any], results: dict[str, Any]) -> Path:
        path = record_path(tmp_path / "records", name)
        timed = {"wall_seconds": 3.0, "peak_memory_mb": 7, **results}
        write_record(path, name, Provenance("0123456789abcdef+", {}), {"limit": None, **settings}, timed)
        return path.parent

    return write


def written(folder: Path) -> str:
    out = folder.parent / "docs" / "results.md"
    write_report(folder, out)
    return out.read_text("utf-8")


def test_peers(records: Callable[..., Path]) -> None:
    folder = records("peers", {"input_size": 448, "left_out": {"u2netp saliency": "no npm"}}, peers_results())
    text = written(folder)
    assert "| DDT @ 448 | 75.0 [25.0, 100.0] | 75.0 [25.0, 100.0] | 0.0 [0.0, 0.0] |" in text
    assert "| **ours, common** | 100.0 [100.0, 100.0] |" in text
    assert "| cats, 0.7 | whole image | 0.0 | 100.0 | +100.0 |" in text
    assert "| mean over sets, 0.5 | DDT @ 448 | 75.0 | 100.0 | +25.0 [+0.0, +75.0] |" in text
    assert "u2netp saliency left out: no npm" in text
    assert "commit 0123456789 with changes, ours at commit fedcba9876" in text
    ET.parse(folder.parent / "docs" / "figures" / "peers.svg")  # noqa: S314  (our own file)


def test_plots_are_the_same_every_time(records: Callable[..., Path]) -> None:
    folder = records("peers", {}, peers_results())
    written(folder)
    plot = folder.parent / "docs" / "figures" / "peers.svg"
    first = plot.read_bytes()
    written(folder)
    assert plot.read_bytes() == first
    assert len(first) < 200_000


def test_background(records: Callable[..., Path]) -> None:
    text = written(records("background", {}, background_results()))
    assert "| cats | 0.5 | 0.987 | 1.5 | 2.5 | 0.987 | 1.5 | 2.5 | 0.987 | 1.5 | 2.5 |" in text
    assert "| 20 | 3.2 | 0.11 |" in text or "| 20 | 3.3 | 0.11 |" in text


def test_set_size_and_scale(records: Callable[..., Path]) -> None:
    records("set-size", {"effort": "full"}, size_results())
    counts = {"100": {"wall_seconds": 30.4, "cpu_seconds_per_image": 0.25, "peak_memory_mb": 400}}
    text = written(records("scale", {}, {"counts": counts}))
    assert "| 1 | 66.7 [0.0, 100.0] |" in text
    assert "-1.0 [-2.0, +0.0]" in text
    assert "| 100 | 30 | 0.250 | 400 |" in text


def test_a_kept_object_beside_that_of_all(records: Callable[..., Path]) -> None:
    """Of two views of a bus one loses one of four at 0.5: 25 points, of both 12.5; the cans gain at 0.7."""
    ious = {
        "all": {"voc07_6x2_bus/left": [700] * 4, "voc07_6x2_bus/right": [500] * 4, "soda_cans": [699, -1]},
        "other half": {
            "voc07_6x2_bus/left": [700] * 4,
            "voc07_6x2_bus/right": [500, 500, 500, -1],
            "soda_cans": [700, 499],
        },
    }
    settings = {"sets": {name: len(values) for name, values in ious["all"].items()}, "priors": {}}
    text = written(records("kept-object", settings, {"ways": {w: {"iou_thousandths": i} for w, i in ious.items()}}))
    assert "| voc07_6x2_bus | 2 | 100.0 / 50.0 | 87.5 / 50.0 | +12.5 [+0.0, +37.5] | +0.0 [+0.0, +0.0] |" in text
    assert "| soda_cans | 1 | 50.0 / 0.0 | 50.0 / 50.0 | +0.0 [+0.0, +0.0] | -50.0 [-100.0, +0.0] |" in text
    assert "Each set with the prior of the other half of the sets." in text


@pytest.mark.parametrize(("seeds", "score"), [(1, "66.7 [0.0, 100.0]"), (2, "66.7 ± 0.0")])
def test_tables_beside_the_papers(records: Callable[..., Path], seeds: int, score: str) -> None:
    settings = {"grid": "table2", "data": "CUB", "preset": "small", "overrides": ["a.b=1"]}
    settings["images"] = {"train": 10, "test": 3}  # type: ignore[assignment]
    text = written(records("table2-CUB", settings, grid_results(seeds)))
    assert "## Table 2: channel-wise and pixel-wise, on CUB" in text
    assert f"| channel-wise | {score} |" in text
    assert "| 41.5 | 43.5 |" in text
    assert "12.5 to 12.5 images/s" in text
    assert "forward 75%" in text
    assert "peak memory 3000 MB" in text
    assert "96.63 / 80.66 / 35.27 / 70.86 |" in text
    assert "Not trained yet: pixel." in text


def test_cells_are_compared_seed_by_seed(records: Callable[..., Path]) -> None:
    results = grid_results(3)
    cells = results["cells"]
    cells["pixel"]["runs"] = [
        {
            **run,
            "trained": {
                "otsu": {**run["trained"]["otsu"], "iou_thousandths": ious},
                "psynet": run["trained"]["psynet"],
            },
        }
        for run, ious in zip(cells["channel"]["runs"][:2], ([800, 800], [800, 600]), strict=True)
    ]
    for run in cells["channel"]["runs"]:
        run["trained"] = {**run["trained"], "otsu": {**run["trained"]["otsu"], "iou_thousandths": [800, 300]}}
    settings = {"grid": "table2", "data": "CUB", "preset": "small", "overrides": []}
    settings["images"] = {"train": 10, "test": 2}  # type: ignore[assignment]
    text = written(records("table2-CUB", settings, results))
    # At 0.5 both runs have both images, and one of two before; at 0.7 one run has one more of two, the other none.
    assert "pixel over channel-wise +50.0 [+0.0, +100.0] at 0.5 and +25.0 [" in text
    assert "at 0.7 (2 seeds)" in text


def test_figure1_is_drawn(records: Callable[..., Path]) -> None:
    (run,) = grid_results(1)["cells"]["channel"]["runs"]
    cells = {
        f"{method}-{k}": {"label": f"{method} {k}", "runs": [run]}
        for method in ("ptap", "full")
        for k in ("max", "0.7")
    }
    cells["full-max"]["runs"] = []
    settings = {
        "grid": "figure1",
        "data": "CUB",
        "preset": "small",
        "overrides": [],
        "images": {"train": 1, "test": 3},
    }
    folder = records("figure1-CUB", settings, {"cells": cells})
    assert "![CorLoc over k](figures/figure1-CUB.svg)" in written(folder)
    ET.parse(folder.parent / "docs" / "figures" / "figure1-CUB.svg")  # noqa: S314


def test_no_record_no_section(tmp_path: Path) -> None:
    text = written(tmp_path / "records")
    assert text.startswith("# Results")
    assert "## " not in text


def test_the_network_trained_with_masks_is_compared_by_itself(tmp_path: Path) -> None:
    results = peers_results()
    methods = results["sets"]["cats"]["methods"]
    methods["u2netp saliency"] = {**methods["DDT @ 448"], "iou_thousandths": [900, 900, 900, 400]}
    results["summary"] = summaries(results["sets"])
    record = {"settings": {}, "results": results}
    lines = [line for line in peers_section(record, tmp_path) if line.startswith("| mean over sets, 0.5")]
    assert [line.split("|")[2:5] for line in lines] == [
        [" DDT @ 448 ", " 75.0 ", " 100.0 "],
        [" u2netp saliency ", " 75.0 ", " 100.0 "],
    ]


def test_the_best_peer_is_none_of_ours() -> None:
    summary = peers_results()["summary"]
    assert best_peer(summary, "0.5") == "DDT @ 448"
    assert best_peer(summary, "0.5", "cats") == "DDT @ 448"


def test_a_limited_record_says_so(record: Callable[..., Record]) -> None:
    assert "At most 5 images a set" in provenance(record("peers", {"limit": 5}, {}))
    assert "At most" not in provenance(record("peers", {}, {}))


@pytest.mark.parametrize("tells", [True, False])
def test_what_was_measured_before_a_correction_says_so(tells: bool, records: Callable[..., Path]) -> None:
    results = grid_results(1)
    if tells:
        for cell in results["cells"].values():
            cell["overrides"] = ["pretext.tasks=R"]
    settings = {"grid": "table2", "preset": "small", "overrides": [], "data": "cub", "images": {"train": 1, "test": 3}}
    text = written(records("table2-cub", settings, results))
    assert ("**To be measured again:** this is without the contrastive loss" in text) is not tells


def test_sets_of_development_have_their_own_columns(records: Callable[..., Path]) -> None:
    """All hits at 0.5 of ours on cats, and none on cells: each has its mean, and its intervals."""
    results = peers_results()
    cats = results["sets"].pop("cats")
    cells = {name: {**told, "iou_thousandths": [100] * 4} for name, told in cats["methods"].items()}
    results["sets"] = {
        "pets_cats": {**cats, "group": "pets_cats"},
        "blood_cells": {**cats, "group": "blood_cells", "methods": cells},
    }
    results["summary"] = summaries(results["sets"])
    folder = records("peers-both", {}, results)
    text = written(folder)
    assert (
        "| **ours, common** | 100.0 [100.0, 100.0] (100, 100) | 100.0 [100.0, 100.0] (100, 100) | "
        "0.0 [0.0, 0.0] (0, 0) | 0.0 [0.0, 0.0] (0, 0) |"
    ) in text
    assert (folder.parent / "docs" / "figures" / "peers-both.svg").is_file()
    assert "## What fails now" not in text  # that is of one record
