"""What a worker does of itself, without a cluster: with the model in the box, and a prior from outside."""

from pathlib import Path

import numpy as np
import pytest

from colocalization.listing import ImageFile
from colocalization.localizer import Localizer
from scoring.engines.part_scorer import PartScorer, ScoringJob
from scoring.engines.set_parts import PART_FOLDER, SetPart
from scoring.run_options import MachineOptions
from tests.colocalization.saliency import write_saliency

pytest.importorskip("pyarrow")

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "images"
NAMES = ("kingfisher.jpg", "osprey.jpg")


def test_a_prior_from_outside_comes_with_the_job(tmp_path: Path) -> None:
    from scoring.formats.parquet import read_parquet

    prior = write_saliency(tmp_path / "u2net.onnx")
    machine = MachineOptions(precision="int8", device="cpu", threads=1)
    # The worker has the files' contents, and not their places.
    job = ScoringJob(str(tmp_path), "attention", None, None, (prior.name, prior.read_bytes()), 1, machine, False)
    part = SetPart("part-0.parquet", tuple(ImageFile(name, str(EXAMPLES / name), None, None) for name in NAMES), {})
    done = PartScorer(job)({"part": np.array([part.to_json()])})
    assert (done["name"].tolist(), done["failed"].tolist()) == ([part.name], [""])
    with (tmp_path / PART_FOLDER / part.name).open("rb") as file:
        found = list(read_parquet(file))
    alone = Localizer.load(precision="int8", device="cpu", threads=1, prior=prior)
    expected = alone.localize([EXAMPLES / name for name in NAMES], mode="attention").images
    own = Localizer.load(precision="int8", device="cpu", threads=1)
    others = own.localize([EXAMPLES / name for name in NAMES], mode="attention").images
    for row, result, other in zip(found, expected, others, strict=True):
        (box,) = row["boxes"]
        corners = [box["x0"], box["y0"], box["x1"], box["y1"]]
        assert corners == pytest.approx(result.boxes[0].as_tuple(), abs=0.01)
        assert corners != pytest.approx(other.boxes[0].as_tuple(), abs=0.01)
